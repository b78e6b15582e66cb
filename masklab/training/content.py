"""What a member file holds, from a cohort that has been trained."""

from typing import Any

import numpy as np
import torch

from masklab import bits, study
from masklab.archive import Content, Member, Recipe, description
from masklab.training import cohort as cohorts
from masklab.training import plan as plans
from masklab.training import rebuild


def facts(
    record: dict[str, Any],
    plan: dict[str, Any],
    population: dict[str, Any],
    cohort: dict[str, Any],
    trainer: cohorts.Trainer,
    index: int,
) -> dict[str, Any]:
    """What a member file says about itself before anything is known of its performance."""
    images, network, seeds = trainer.images, record["network"], record["seeds"]
    return {
        "population": population["name"],
        "index": index,
        **{key: population[key] for key in ("pruner", "gate", "refresh", "control", "options", "density")},
        "overrides": population["overrides"],
        "training": {**record["training"], **population["overrides"]},
        "seeds": seeds,
        "levels": study.Seeds.model_validate(seeds).levels(index),
        "recipe_digest": record["recipe_digest"],
        "population_digest": population["digest"],
        "network": {
            **{key: value for key, value in network.items() if key != "layers"},
            "input_shape": record["data"]["input_shape"],
            "classes": len(record["data"]["classes"]),
        },
        "network_source": record["network_source"],
        "data": {
            **{key: record["data"][key] for key in ("name", "digest", "validation_fraction", "classes")},
            "mean": images.mean.flatten().tolist(),
            "deviation": images.deviation.flatten().tolist(),
        },
        "cohort": {
            # untrained members are made one by one: who else is in the cohort does not matter
            "indices": cohort["indices"] if trainer.cohort.pruner.trained else [index],
            **{key: plan[key] for key in plans.SETTLED},
        },
        "evaluation": {
            "batch_size": rebuild.EVALUATION_BATCH,
            "threads": plan["threads"],
            "device": plan["device"],
        },
    }


def of_member(
    record: dict[str, Any],
    trainer: cohorts.Trainer,
    described: dict[str, Any],
    final: list[torch.Tensor],
    position: int,
) -> Content:
    """Everything that is stored of the member at one position of a cohort, its mask among `final`."""
    state, row = trainer.cohort, slice(position, position + 1)
    masks, base, gains, origins, scores = {}, {}, {}, {}, {}
    for layer, mask_of_all in zip(state.layers, final, strict=True):
        name, shape = layer.layer.name, layer.layer.shape
        weight, mask = layer.weight[row], mask_of_all[row]
        masks[name], base[name] = mask.cpu().numpy().reshape(shape), weight.cpu().numpy().reshape(shape)
        gain = state.pruner.gate.gain(weight, mask)
        if gain is not None:
            gains[name] = float(gain[0])
        if layer.origin is not None and trainer.position.history.events:
            origins[name] = layer.origin[position].cpu().numpy()
        if layer.scores is not None and record["keep_scores"] == "final":
            scores[name] = layer.scores[position].cpu().numpy().reshape(shape)
    kind = state.pruner.refresh.ORIGIN if state.pruner.refresh else None
    if state.pruner.trains_weights:
        kind = description.TRAINED
    recipe = _recipe(state.seed, described, state.factor)
    if trainer.sources:
        kind, origins, recipe = _inherited(trainer.sources[position])
    parameters, buffers = state.surroundings.of_member(position)
    effective = rebuild.effective_weights(state.pruner.gate, base, masks, gains)
    own = rebuild.member_state(described, recipe, effective, parameters, buffers)
    module = rebuild.with_state(described, own).to(described["evaluation"]["device"])
    logits = rebuild.evaluate(module, trainer.images.test[0], rebuild.EVALUATION_BATCH)
    predicted, probability = rebuild.predictions(logits)
    return Content(
        facts={**described, **_performance(trainer, position, predicted)},
        recipe=recipe,
        masks=masks,
        gains=gains,
        base=base,
        origins=origins,
        origin_kind=kind,
        scores=scores,
        snapshots=_snapshots(trainer, position),
        parameters=parameters,
        buffers=buffers,
        prediction=predicted,
        probability=probability,
    )


def _recipe(seed: int, described: dict[str, Any], factor: float) -> Recipe:
    level, init = described["levels"], described["training"]["weight_init"]
    return Recipe(seed, level["weights"], level["refresh"], init, factor)


def _inherited(source: Member) -> tuple[str | None, dict[str, np.ndarray], Recipe | None]:
    """Where the base weights of a control come from that has those of another member."""
    origins = source.origins()
    kinds = {layer.origin for layer in source.layers if layer.origin is not None}
    return (kinds.pop() if kinds else None), origins, source.recipe


def _snapshots(trainer: cohorts.Trainer, position: int) -> dict[int, dict[str, np.ndarray]]:
    """Epochs done → layer → mask of the member at one position."""
    shapes = [layer.layer for layer in trainer.cohort.layers]
    return {
        epoch: {
            layer.name: bits.unpack(packed[position], layer.size).reshape(layer.shape)
            for layer, packed in zip(shapes, rows, strict=True)
        }
        for epoch, rows in trainer.taken.items()
    }


def _performance(trainer: cohorts.Trainer, position: int, predicted: np.ndarray) -> dict[str, Any]:
    """Accuracies and history of a member, as its file holds them."""
    history, labels = trainer.position.history, trainer.images.test[1].cpu().numpy()
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
        "event_unit": trainer.cohort.pruner.event_unit,
    }
