"""From a study and a budget to a plan."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from masklab import data as datasets
from masklab.archive import Archive, files
from masklab.errors import ArchiveError, ConfigError
from masklab.landscape import budget as budgets
from masklab.landscape import images as imaging
from masklab.landscape import journal, paths, questions
from masklab.landscape import settings as settling
from masklab.landscape.context import Context, Row
from masklab.landscape.ends import Ends, State
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.plan import Options, Plan
from masklab.landscape.tasks import Task, own_key
from masklab.training import device as devices

_LEAST_IMAGES = 100
"""Images of each split that a small budget leaves."""

_TRIAL_S, _TRIAL_IMAGES = 0.2, 128
"""How long the speed is measured at least, and on how many images of each split at most."""


def make(
    archive: Archive,
    options: Options,
    folder: files.Location | None = None,
    *,
    write: bool = True,
    data: datasets.Data | None = None,
) -> Plan | None:
    """Plan of a study's landscape; None where there is nothing to evaluate.

    Args:
        archive: The study.
        options: What the command line says.
        folder: Where outcomes are kept: a time is converted into evaluations once, so that an analysis that
            is interrupted goes on with what it began. None: it is converted now.
        write: Whether a conversion that is not there yet is kept.
        data: The study's data set, where it is in memory.

    Raises:
        ArchiveError: A member is damaged.
        ConfigError: An option is not allowed, or a path that the command line names is not possible.
        DataError: The data set is missing, or not the one that the members were trained on.
    """
    known = archive.study["recipe_digest"] is not None  # else all members were imported
    settings = settling.of(archive.study) if known else settling.Settings()
    settings = settling.with_paths(settings, options.paths)
    device = devices.resolve(options.device)
    if not known or not settings.interpolation_pairs:
        return None
    has = bool(archive.study["network"]["buffers"])
    statistics = settings.batchnorm_statistics if has else "none"
    batches = settings.batchnorm_batches if statistics == "re-estimate" else 0
    images = imaging.load(archive, settings.landscape_images, batches, device, data)
    context, evaluator = _with(archive, settings, Ends(archive, device), images, statistics)
    if not any(context.members.values()):
        return None
    impossible = _impossible(context) if options.paths is None else {}
    if impossible:
        settings = settling.without_paths(settings, list(impossible))
        context = replace(context, settings=settings)
    rate = _rate(context) * (options.threads if device == "cpu" else 1)
    note = journal.noted(_request(context, options))
    budget = _count(context, options, rate, None if folder is None else folder / note, write)
    if (least := _least(context)) > budget[0]:
        fewer = images.fewer(budget[0] / least, _LEAST_IMAGES)
        context, evaluator = _with(archive, settings, context.ends, fewer, statistics)
    plan = _allotted(context, evaluator, budget, rate, options, _warnings(impossible))
    return replace(plan, note=note)


def _with(
    archive: Archive, settings: settling.Settings, ends: Ends, images: imaging.Images, statistics: str
) -> tuple[Context, Evaluator]:
    evaluator = Evaluator(archive, images, device=ends.device, reestimate=statistics == "re-estimate")
    return Context(archive, settings, ends, images, ends.device, statistics, evaluator.cost), evaluator


def _impossible(context: Context) -> dict[str, str]:
    """Paths that the study names and no pair allows → why."""
    found = {}
    for name in context.settings.paths or ():
        alone = replace(context, settings=settling.with_paths(context.settings, [name]))
        try:
            questions.all_questions()["paths"].plan(alone, 0)
        except ConfigError as error:
            found[name] = str(error)
    return found


def _warnings(impossible: Mapping[str, str]) -> list[Row]:
    return [
        {"code": "path-not-possible", "text": f"{why}; it was not walked", "where": name}
        for name, why in impossible.items()
    ]


def _request(context: Context, options: Options) -> list[Any]:
    """What a budget is converted for: the same in every part of an analysis, on however many cores."""
    members = [[own, context.archive.summaries[own]["digest"]] for own in context.blocks]
    return [str(options.budget), context.device, context.settings.model_dump(), members]


def _count(
    context: Context, options: Options, rate: float, place: files.Location | None, write: bool
) -> tuple[int, str]:
    """Evaluations of the budget, and where their number comes from."""

    def made() -> tuple[int, str]:
        return options.budget.count(context.archive.study, rate)

    if place is None or options.budget.evaluations is not None:
        return made()
    return journal.count(place, made) if write else journal.counted(place) or made()


def _questions() -> Mapping[str, questions.Question]:
    return questions.all_questions()


def _asked(context: Context, limits: Mapping[str, int | None]) -> dict[str, list[Task]]:
    """Question → its tasks within its limit."""
    return {name: _questions()[name].plan(context, limit) for name, limit in limits.items()}


def _costs(context: Context, asked: Mapping[str, list[Task]]) -> dict[str, int]:
    """Question → evaluations of its tasks."""
    return {name: sum(map(context.cost, own)) for name, own in asked.items()}


def _least(context: Context) -> int:
    """Evaluations of the fewest tasks that answer all questions."""
    return _whole(context, _asked(context, dict.fromkeys(_questions(), 0)))


def _whole(context: Context, asked: Mapping[str, list[Task]]) -> int:
    """Evaluations of tasks and of the members that they name."""
    members = _members(context, asked)
    return sum(_costs(context, asked).values()) + sum(map(context.cost, members))


def _members(context: Context, asked: Mapping[str, list[Task]]) -> list[Task]:
    """Tasks of the members that others name, in the study's order."""
    named = {member for own in asked.values() for task in own for member in task.members}
    order = [own for own in context.blocks if own in named]
    found = [_own(context, member, stored=False) for member in order]
    if context.statistics == "re-estimate":
        found += [_own(context, member, stored=True) for member in order]
    return found


def _own(context: Context, member: str, *, stored: bool) -> Task:
    return Task(own_key(member, stored=stored), 1, lambda _: context.ends.of(member).state, stored=stored)


def _affordable(context: Context, budget: int) -> dict[str, list[Task]]:
    """Question → its fewest tasks; questions of little weight are left out until the others fit."""
    asked = {name: own for name, own in _asked(context, dict.fromkeys(_questions(), 0)).items() if own}
    for name in sorted(asked, key=lambda name: _questions()[name].SHARE)[:-1]:
        if _whole(context, asked) <= budget:
            break
        del asked[name]
    return asked


def _allotted(
    context: Context,
    evaluator: Evaluator,
    budget: tuple[int, str],
    rate: float,
    options: Options,
    warnings: Sequence[Row],
) -> Plan:
    """Tasks of all questions within a budget."""
    everything = _asked(context, dict.fromkeys(_questions(), None))
    wanted, fewest = _costs(context, everything), _affordable(context, budget[0])
    least = _costs(context, fewest)
    members = sum(map(context.cost, _members(context, everything)))
    left = max(0, budget[0] - members - sum(least.values()))
    shares = [_questions()[name].SHARE for name in least]
    more = budgets.allot(left, shares, [wanted[name] - own for name, own in least.items()])
    asked = _asked(context, {name: least[name] + own for name, own in zip(least, more, strict=True)})
    return Plan(
        context,
        evaluator,
        {"members": _members(context, asked), **asked},
        {"members": members, **wanted},
        *budget,
        rate,
        options,
        warnings,
    )


def _rate(context: Context) -> float:
    """Evaluations per second of one thread, measured on a straight line between two members.

    Raises:
        ArchiveError: No member has base weights, or one is damaged.
    """
    ends = context.ends
    ids = next((own for own in context.members.values() if own), [])
    known = [own for own in ids[:2] if context.archive.member(own).has_weights]
    if not known:
        raise ArchiveError(f"{context.archive.directory}: the base weights of {ids[0]} are not known")
    most = max(map(context.images.number, context.images.labels))
    few = context.images.fewer(_TRIAL_IMAGES / most, 1) if most > _TRIAL_IMAGES else context.images
    trial, evaluator = _with(context.archive, context.settings, ends, few, context.statistics)

    def between(positions: Sequence[int]) -> State:
        t = torch.linspace(0, 1, len(positions), device=ends.device)
        return paths.all_paths()["linear"].states(ends, ends.of(known[0]), ends.of(known[-1]), t, None)

    task: Any = Task("trial", evaluator.at_once, between)
    with devices.prepared(context.device, 1):
        evaluator.run([task])
        done, started = 0, time.perf_counter()
        while done == 0 or time.perf_counter() - started < _TRIAL_S:
            evaluator.run([task])
            done += trial.cost(task)
        return done / (time.perf_counter() - started)
