"""One cohort as a task: reads the study's directory, trains, writes the members that are missing."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from masklab import data as datasets
from masklab import networks, pruners, study
from masklab.archive import Content, Recipe, directory, files, member
from masklab.errors import MasklabError
from masklab.training import cohort as cohorts
from masklab.training import device as devices
from masklab.training import images as imaging
from masklab.training import rebuild, state


def run(out: Path, cohort: dict[str, Any], data: datasets.Data, retry_failed: bool) -> dict[str, Any]:
    """Train a cohort of a directory's plan and write its missing members.

    The whole cohort is trained even when only some members are missing: batched arithmetic depends on
    who shares the batch.

    Args:
        out: The study's directory, with `study.json` and `plan.json`.
        cohort: An entry of the plan.
        data: The study's data set.
        retry_failed: Whether members whose training is known to have failed count as missing.

    Returns:
        `{"cohort", "written": [ids], "failed": [ids]}`.

    Raises:
        ArchiveError: A file cannot be written.
        MasklabError: The GPU ran out of memory.
    """
    record, plan = files.read_json(out / directory.STUDY), files.read_json(out / directory.PLAN)
    population = next(p for p in record["populations"] if p["name"] == cohort["population"])
    missing = [
        index
        for index in cohort["indices"]
        if not _path(out, cohort, index).exists()
        and (retry_failed or not directory.failure_path(out, cohort["population"], index).exists())
    ]
    summary: dict[str, Any] = {"cohort": cohort["id"], "written": [], "failed": []}
    if not missing:
        return summary
    devices.prepare(plan["device"], plan["threads"])
    trainer = _trainer(record, plan, population, cohort, data)
    progress = out / directory.CHECKPOINTS / f"{cohort['id']}.progress"
    history = _train(trainer, cohort, cohorts.file_progress(progress))
    masks = [layer.mask(trainer.cohort.training.rank) for layer in trainer.cohort.layers]
    for position, index in enumerate(cohort["indices"]):
        if index not in missing:
            continue
        failure = directory.failure_path(out, cohort["population"], index)
        if position in history.failures:
            cause = {"population": population["name"], "index": index, "pruner": population["pruner"]}
            files.write_json(failure, {**cause, **history.failures[position]})
            summary["failed"].append(member.member_id(population["name"], index))
            continue
        facts = _facts(record, plan, population, trainer, index)
        content = _content(record, trainer, facts, history, masks, position)
        member.write(_path(out, cohort, index), content)
        failure.unlink(missing_ok=True)
        summary["written"].append(member.member_id(population["name"], index))
    progress.unlink(missing_ok=True)
    return summary


def _train(trainer: cohorts.Trainer, cohort: dict[str, Any], progress: cohorts.Progress) -> cohorts.History:
    try:
        return trainer.train(progress)
    except torch.OutOfMemoryError as error:
        raise MasklabError(
            f"the GPU ran out of memory on {len(cohort['indices'])} members of {cohort['id']}; give a "
            "smaller training.batch_size, or --device cpu, and another --out"
        ) from error


def _path(out: Path, cohort: dict[str, Any], index: int) -> Path:
    return directory.member_path(out, cohort["population"], index)


def _trainer(
    record: dict[str, Any],
    plan: dict[str, Any],
    population: dict[str, Any],
    cohort: dict[str, Any],
    data: datasets.Data,
) -> cohorts.Trainer:
    seeds = study.Seeds.model_validate(record["seeds"])
    training = study.Training.model_validate({**record["training"], **population["overrides"]})
    layers = [networks.LayerShape(o["name"], tuple(o["shape"])) for o in record["network"]["layers"]]
    pruner = pruners.resolve(population["pruner"], population["options"], training.epochs)
    initial = state.initial(
        seeds.study,
        [seeds.levels(index) for index in cohort["indices"]],
        training,
        pruner,
        population["density"],
        layers,
        plan["device"],
    )
    images = imaging.on_device(data, record["data"]["validation_fraction"], seeds.study, plan["device"])
    return cohorts.Trainer(initial, images, cohorts.build_network(record), plan["engine"])


def _facts(
    record: dict[str, Any],
    plan: dict[str, Any],
    population: dict[str, Any],
    trainer: cohorts.Trainer,
    index: int,
) -> dict[str, Any]:
    """What a member file says about itself before anything is known of its performance."""
    images = trainer.images
    return {
        "population": population["name"],
        "index": index,
        **{key: population[key] for key in ("pruner", "gate", "refresh", "control", "options", "density")},
        "overrides": population["overrides"],
        "levels": study.Seeds.model_validate(record["seeds"]).levels(index),
        "recipe_digest": record["recipe_digest"],
        "population_digest": population["digest"],
        "network": {
            **{key: record["network"][key] for key in ("name", "width", "activation")},
            "input_shape": record["data"]["input_shape"],
            "classes": len(record["data"]["classes"]),
        },
        "data": {
            **{key: record["data"][key] for key in ("name", "digest", "classes")},
            "mean": images.mean.flatten().tolist(),
            "deviation": images.deviation.flatten().tolist(),
        },
        "evaluation": {
            "batch_size": rebuild.EVALUATION_BATCH,
            "threads": plan["threads"],
            "device": plan["device"],
        },
    }


def _content(
    record: dict[str, Any],
    trainer: cohorts.Trainer,
    facts: dict[str, Any],
    history: cohorts.History,
    final: list[torch.Tensor],
    position: int,
) -> Content:
    """Everything that is stored of the member at one position of a cohort, its mask among `final`."""
    cohort, member_slice = trainer.cohort, slice(position, position + 1)
    masks, base, gains, origins, scores = {}, {}, {}, {}, {}
    for layer, mask_of_all in zip(cohort.layers, final, strict=True):
        name, shape = layer.layer.name, layer.layer.shape
        weight, mask = layer.weight[member_slice], mask_of_all[member_slice]
        masks[name], base[name] = mask.cpu().numpy().reshape(shape), weight.cpu().numpy().reshape(shape)
        gain = cohort.pruner.gate.gain(weight, mask)
        if gain is not None:
            gains[name] = float(gain[0])
        if layer.origin is not None:
            origins[name] = layer.origin[position].cpu().numpy()
        if record["keep_scores"] == "final" and not cohort.pruner.control:
            scores[name] = layer.scores[position].cpu().numpy().reshape(shape)
    effective = rebuild.effective_weights(cohort.pruner.gate, base, masks, gains)
    module = rebuild.with_weights(facts, effective).to(facts["evaluation"]["device"])
    logits = rebuild.evaluate(module, trainer.images.test[0], rebuild.EVALUATION_BATCH)
    predicted, probability = rebuild.predictions(logits)
    level = facts["levels"]
    return Content(
        facts={**facts, **_performance(trainer, history, position, predicted)},
        recipe=Recipe(
            cohort.seed, level["weights"], level["refresh"], cohort.training.weight_init, cohort.factor
        ),
        masks=masks,
        gains=gains,
        base=base,
        origins=origins if history.events else {},
        origin_kind=cohort.pruner.refresh.ORIGIN if cohort.pruner.refresh else None,
        scores=scores,
        prediction=predicted,
        probability=probability,
    )


def _performance(
    trainer: cohorts.Trainer, history: cohorts.History, position: int, predicted: np.ndarray
) -> dict[str, Any]:
    """Accuracies and history of a member, as its file holds them."""
    labels = trainer.images.test[1].cpu().numpy()
    validation = history.validation[position]
    return {
        "accuracy": {
            "test": int((predicted == labels).sum()) / len(labels),
            "validation": validation[-1] if validation else None,
            "best": history.best[position],
            "n_test": len(labels),
            "n_validation": len(trainer.images.validation[1]),
        },
        "history": {"loss": history.loss[position], "validation": validation},
        "events": history.events,
    }
