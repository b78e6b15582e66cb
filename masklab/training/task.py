"""One cohort as a task: reads the study's directory, trains, writes the members that are missing."""

import contextlib
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import torch

from masklab import data as datasets
from masklab import networks, pruners, study
from masklab.archive import Member, directory, files, member
from masklab.errors import ArchiveError, MasklabError
from masklab.training import checkpoint, content, initial, optimizer, surroundings
from masklab.training import cohort as cohorts
from masklab.training import device as devices
from masklab.training import history as histories
from masklab.training import images as imaging
from masklab.training import plan as plans
from masklab.training import state as states


def run(
    out: files.Location,
    cohort: dict[str, Any],
    settled: dict[str, Any],
    data: datasets.Data,
    checkpoint_s: float,
    wait: bool,
) -> dict[str, Any]:
    """Train a cohort of a directory's plan and write its missing members, unless another process does.

    The whole cohort is trained even when only some members are missing: batched arithmetic depends on
    who shares the batch.

    Args:
        out: The study's directory, with `study.json` and `plan.json`.
        cohort: An entry of the plan.
        settled: What the plan said, which it must still say.
        data: The study's data set.
        checkpoint_s: Least seconds between two checkpoints.
        wait: Whether to wait for another process that is training this cohort.

    Returns:
        `{"cohort", "written": [ids], "failed": [ids], "busy"}`; busy: another process is training it.

    Raises:
        ArchiveError: A file cannot be written, or another plan was put in the place of this one.
        MasklabError: The GPU ran out of memory.
    """
    with files.claimed(out / directory.CHECKPOINTS / f"{cohort['id']}.lock", wait=wait) as mine:
        if not mine:
            return {"cohort": cohort["id"], "written": [], "failed": [], "busy": True}
        return {**_run(out, cohort, settled, data, checkpoint_s), "busy": False}


def _run(
    out: files.Location,
    cohort: dict[str, Any],
    settled: dict[str, Any],
    data: datasets.Data,
    checkpoint_s: float,
) -> dict[str, Any]:
    if not files.exists(out / directory.STUDY):
        raise ArchiveError(
            f"{out} holds no study on {platform.node()}: workers need to see the study's directory under "
            "the name that the command gives it"
        )
    record, plan = files.read_json(out / directory.STUDY), files.read_json(out / directory.PLAN)
    if cohort not in plan["cohorts"] or any(plan[field] != value for field, value in settled.items()):
        raise ArchiveError(
            f"{out / directory.PLAN} was replaced by another process: its members would not match those of "
            "this one; train into this place from one process, and the same command goes on"
        )
    population = next(p for p in record["populations"] if p["name"] == cohort["population"])
    stock, name = directory.Stock(out), cohort["population"]
    missing = [
        index
        for index in cohort["indices"]
        if not stock.member(name, index) and not stock.failure(name, index)
    ]
    if not missing:
        return {"cohort": cohort["id"], "written": [], "failed": []}
    with devices.prepared(plan["device"], plan["threads"]):
        return _train_missing(out, record, plan, population, cohort, missing, data, checkpoint_s)


def _train_missing(
    out: files.Location,
    record: dict[str, Any],
    plan: dict[str, Any],
    population: dict[str, Any],
    cohort: dict[str, Any],
    missing: list[int],
    data: datasets.Data,
    checkpoint_s: float,
) -> dict[str, Any]:
    sources, orphans = _sources(out, population, cohort)
    summary: dict[str, Any] = {"cohort": cohort["id"], "written": [], "failed": []}
    for index, cause in orphans.items():
        if index in missing:
            _fail(out, population, index, cause)
            summary["failed"].append(member.member_id(population["name"], index))
    cohort = {**cohort, "indices": [index for index in cohort["indices"] if index not in orphans]}
    if not cohort["indices"]:
        return summary
    trainer = make_trainer(record, plan, population, cohort, data, sources)
    trainer.checkpoint = _checkpoint(out, record, plan, population, cohort, checkpoint_s)
    progress = out / directory.CHECKPOINTS / f"{cohort['id']}.progress"
    history = _train(trainer, cohort, cohorts.file_progress(progress))
    masks = trainer.cohort.masks()
    for position, index in enumerate(cohort["indices"]):
        if index not in missing:
            continue
        name = member.member_id(population["name"], index)
        if position in history.failures:
            _fail(out, population, index, **history.failures[position])
            summary["failed"].append(name)
            continue
        facts = content.facts(record, plan, population, cohort, trainer, index)
        stored = content.of_member(record, trainer, facts, masks, position)
        member.write(directory.member_path(out, population["name"], index), stored)
        summary["written"].append(name)
    trainer.checkpoint.remove()
    with contextlib.suppress(ArchiveError):  # it is for show only
        files.remove(progress)
    return summary


def _fail(out: files.Location, population: dict[str, Any], index: int, cause: str, step: int = 0) -> None:
    path = directory.failure_path(out, population["name"], index)
    record = {"population": population["name"], "index": index, "pruner": population["pruner"]}
    files.write_json(path, {**record, "cause": cause, "step": step})


def _sources(
    out: files.Location, population: dict[str, Any], cohort: dict[str, Any]
) -> tuple[list[Member], dict[int, str]]:
    """The members that a control is made from; index → cause where one failed or is damaged.

    Raises:
        ArchiveError: One is neither stored nor failed.
    """
    of: str | None = population["options"].get("of")
    found, orphans, stock = [], {}, directory.Stock(out)
    if of is None:
        return found, orphans
    for index in cohort["indices"]:
        try:
            found.append(Member(directory.member_path(out, of, index)))
        except ArchiveError as error:
            if not (stock.member(of, index) or stock.failure(of, index)):
                raise ArchiveError(
                    f"{member.member_id(of, index)}, its source, is not trained yet"
                ) from error
            orphans[index] = f"its source cannot be read: {error}"
    return found, orphans


def _checkpoint(
    out: files.Location,
    record: dict[str, Any],
    plan: dict[str, Any],
    population: dict[str, Any],
    cohort: dict[str, Any],
    every_s: float,
) -> checkpoint.File:
    key = {
        "population": population["digest"],
        "indices": cohort["indices"],
        "snapshots": record["snapshots"],
        "network_source": record["network_source"],
        "torchvision": metadata.version("torchvision"),
        **{field: plan[field] for field in plans.SETTLED},
    }
    return checkpoint.File(out / directory.CHECKPOINTS / f"{cohort['id']}.checkpoint", key, every_s)


def _train(trainer: cohorts.Trainer, cohort: dict[str, Any], progress: cohorts.Progress) -> histories.History:
    try:
        return trainer.train(progress)
    except torch.OutOfMemoryError as error:
        raise MasklabError(
            f"the GPU ran out of memory on {len(cohort['indices'])} members of {cohort['id']}; give a "
            "smaller training.batch_size, or --device cpu, and another --out"
        ) from error


def make_trainer(
    record: dict[str, Any],
    plan: dict[str, Any],
    population: dict[str, Any],
    cohort: dict[str, Any],
    data: datasets.Data,
    sources: Sequence[Member],
) -> cohorts.Trainer:
    """A cohort of a plan, ready to train."""
    training = study.Training.model_validate({**record["training"], **population["overrides"]})
    pruner = pruners.resolve(population["pruner"], population["options"], training.epochs, population["gate"])
    fraction, seed = record["data"]["validation_fraction"], record["seeds"]["study"]
    return cohorts.Trainer(
        start(record, population, training, pruner, cohort["indices"], plan["device"], sources),
        imaging.on_device(data, fraction, seed, plan["device"]),
        cohorts.build_network(record, plan["device"]),
        plan["engine"] if pruner.trained else "loop",
        plan["precision"],
        tuple(record["snapshots"]) if pruner.trained else (),
        sources=sources,
    )


def start(
    record: dict[str, Any],
    population: dict[str, Any],
    training: study.Training,
    pruner: pruners.Pruner,
    indices: Sequence[int],
    device: str,
    sources: Sequence[Member],
) -> states.State:
    """Members of a population before their first step."""
    seeds = study.Seeds.model_validate(record["seeds"])
    levels = [seeds.levels(index) for index in indices]
    network = record["network"]
    around = surroundings.initial(
        networks.Settings.of(network),
        tuple(record["data"]["input_shape"]),
        len(record["data"]["classes"]),
        [networks.Parameter(p["name"], tuple(p["shape"]), p["rule"]) for p in network["unmasked"]],
        [(b["name"], tuple(b["shape"])) for b in network["buffers"]],
        (seeds.study, [level["weights"] for level in levels], training.weight_init),
        optimizer.OPTIMIZERS[training.optimizer][1],
        device,
    )
    for position, source in enumerate(sources):
        for name, values in source.parameters().items():
            if name in around.learned:
                around.learned[name][position] = torch.from_numpy(values.copy())
    layers = [networks.LayerShape(o["name"], tuple(o["shape"])) for o in network["layers"]]
    return initial.state(
        seeds.study, levels, training, pruner, population["density"], layers, around, device, sources
    )
