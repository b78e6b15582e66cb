"""What will be evaluated, and what it takes, before it starts."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from masklab import progress
from masklab.archive import Archive, study_file
from masklab.errors import ArchiveError
from masklab.landscape import budget as budgets
from masklab.landscape import images as imaging
from masklab.landscape import questions
from masklab.landscape import settings as settling
from masklab.landscape.context import Context, Row
from masklab.landscape.ends import Ends
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.tasks import Task, own_key, pieces
from masklab.training import device as devices

_LEAST_IMAGES = 100
"""Images of each split that a small budget leaves."""

_TRIAL_S = 0.2
"""How long the speed is measured at least."""

_PER_EVALUATION = 6
"""Bytes that are kept of an evaluation: class (1 or 2) and loss (4)."""


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        budget: How much is evaluated.
        paths: Names of paths; None: the study's.
        device: `"auto"`, `"cpu"` or `"cuda"`.
        threads: Pieces that are evaluated side by side on a CPU.
    """

    budget: budgets.Budget = field(default_factory=budgets.Budget)
    paths: tuple[str, ...] | None = None
    device: str = "auto"
    threads: int = 1


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be evaluated.

    Attributes:
        context: The study.
        evaluator: What evaluates.
        tasks: Question → its tasks; `"members"` are the members that others name.
        wanted: Question → evaluations if there were no limit.
        budget: Evaluations that may be spent.
        source: Where that number comes from.
        rate: Evaluations per second, all threads together, as measured.
        options: What was asked for.
    """

    context: Context
    evaluator: Evaluator
    tasks: Mapping[str, list[Task]]
    wanted: Mapping[str, int]
    budget: int
    source: str
    rate: float
    options: Options

    @property
    def pieces(self) -> list[list[Task]]:
        """All tasks in the groups in which they are evaluated."""
        return pieces([task for own in self.tasks.values() for task in own], self.evaluator.at_once)

    def cost(self, question: str) -> int:
        """Evaluations of a question."""
        return sum(map(self.context.cost, self.tasks[question]))

    @property
    def evaluations(self) -> int:
        """Evaluations of all questions."""
        return sum(map(self.cost, self.tasks))

    @property
    def seconds(self) -> float:
        """How long that takes, at the measured speed."""
        return self.evaluations / self.rate

    @property
    def bytes(self) -> int:
        """Memory: what is kept of evaluations, and networks while they are evaluated."""
        threads = self.options.threads if self.context.device == "cpu" else 1
        return _PER_EVALUATION * self.evaluations + threads * self.evaluator.bytes

    @property
    def key(self) -> str:
        """Digest of everything that outcomes follow from."""
        context, study = self.context, self.context.archive.study
        summaries = context.archive.summaries
        return study_file.digest(
            [
                study["recipe_digest"],
                study["populations"],
                [[own, summaries[own]["digest"]] for own in context.blocks],
                context.settings.model_dump(),
                context.device,
                {split: places.tolist() for split, places in context.images.chosen.items()},
                [[task.key, task.networks, task.splits] for own in self.tasks.values() for task in own],
            ]
        )[:16]

    def text(self) -> str:
        """One line: how much, how long, how much memory."""
        return (
            f"landscape: {self.evaluations:,} evaluations (networks × images) of a budget of "
            f"{self.budget:,}, {self.source}; about {progress.duration(self.seconds)}, "
            f"{self.bytes / 1e6:,.0f} MB"
        )

    def work(self) -> Row:
        """`landscape_work` of `results.json`, but for what the outcomes say."""
        images, settings = self.context.images, self.context.settings
        statistics = self.context.statistics == "re-estimate"
        return {
            "budget": self.budget,
            "source": self.source,
            "evaluations": self.evaluations,
            "networks": sum(task.networks for own in self.tasks.values() for task in own),
            "images": {split: images.number(split) for split in images.labels},
            "of_images": dict(images.of),
            "statistics": self.context.statistics,
            "batches": len(images.statistics) if statistics else 0,
            "statistics_images": sum(map(len, images.statistics)) if statistics else 0,
            "engine": self.evaluator.engine,
            "device": self.context.device,
            "points": settings.interpolation_points,
            "orders": settings.path_orders,
            "paths": settings.paths,
            "questions": [
                {
                    "name": name,
                    "wanted": self.wanted[name],
                    "evaluations": self.cost(name),
                    "networks": sum(task.networks for task in own),
                }
                for name, own in self.tasks.items()
            ],
        }


def make(archive: Archive, options: Options) -> Plan | None:
    """Plan of a study's landscape; None where there is nothing to evaluate.

    Args:
        archive: The study.
        options: What the command line says.

    Raises:
        ArchiveError: A member is damaged.
        ConfigError: An option is not allowed, or a path that was named is not possible.
        DataError: The data set is missing, or not the one that the members were trained on.
    """
    known = archive.study["recipe_digest"] is not None  # else all members were imported
    settings = settling.with_paths(
        settling.of(archive.study) if known else settling.Settings(), options.paths
    )
    device = devices.resolve(options.device)
    if not known or not settings.interpolation_pairs:
        return None
    has = bool(archive.study["network"]["buffers"])
    statistics = settings.batchnorm_statistics if has else "none"
    batches = settings.batchnorm_batches if statistics == "re-estimate" else 0
    images = imaging.load(archive, settings.landscape_images, batches, device)
    evaluator = Evaluator(archive, images, device=device, reestimate=statistics == "re-estimate")
    ends = Ends(archive, device)
    context = Context(archive, settings, ends, images, device, statistics, evaluator.cost)
    if not any(context.members.values()):
        return None
    rate = _rate(context, evaluator) * (options.threads if device == "cpu" else 1)
    budget, source = options.budget.count(archive.study, rate)
    least = sum(map(context.cost, _with_members(context, _asked(context, [0] * len(_questions())))))
    if least > budget:
        fewer = images.fewer(budget / least, _LEAST_IMAGES)
        evaluator = Evaluator(archive, fewer, device=device, reestimate=evaluator.reestimates)
        context = Context(archive, settings, ends, fewer, device, statistics, evaluator.cost)
    return _allotted(context, evaluator, budget, source, rate, options)


def _questions() -> Mapping[str, questions.Question]:
    return questions.all_questions()


def _asked(context: Context, limits: list[int] | list[None]) -> dict[str, list[Task]]:
    """Question → its tasks within its limit."""
    both = zip(_questions().items(), limits, strict=True)
    return {name: question.plan(context, limit) for (name, question), limit in both}


def _costs(context: Context, asked: Mapping[str, list[Task]]) -> dict[str, int]:
    """Question → evaluations of its tasks."""
    return {name: sum(map(context.cost, own)) for name, own in asked.items()}


def _with_members(context: Context, asked: Mapping[str, list[Task]]) -> list[Task]:
    """All tasks, and those of the members that they name."""
    return [*(task for own in asked.values() for task in own), *_members(context, asked)]


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


def _allotted(
    context: Context, evaluator: Evaluator, budget: int, source: str, rate: float, options: Options
) -> Plan:
    """Tasks of all questions within a budget."""
    everything = _asked(context, [None] * len(_questions()))
    wanted, least = _costs(context, everything), _costs(context, _asked(context, [0] * len(_questions())))
    members = sum(map(context.cost, _members(context, everything)))
    shares = [question.SHARE for question in _questions().values()]
    more = [wanted[name] - least[name] for name in wanted]
    left = max(0, budget - members - sum(least.values()))
    limits = [least[name] + own for name, own in zip(wanted, budgets.allot(left, shares, more), strict=True)]
    asked = _asked(context, limits)
    own = _members(context, asked)
    return Plan(
        context,
        evaluator,
        {"members": own, **{name: tasks for name, tasks in asked.items() if tasks}},
        {"members": members, **wanted},
        budget,
        source,
        rate,
        options,
    )


def _rate(context: Context, evaluator: Evaluator) -> float:
    """Evaluations per second of one thread, measured on members as they are.

    Raises:
        ArchiveError: The first member is damaged.
    """
    ids = [own for own in context.blocks if context.archive.member(own).has_weights][:1]
    if not ids:
        raise ArchiveError(f"{context.archive.directory}: the base weights of no member are known")
    state = context.ends.of(ids[0]).state

    def several(_: Any) -> Any:
        return {name: values.expand(evaluator.at_once, *values.shape[1:]) for name, values in state.items()}

    task = Task("trial", evaluator.at_once, several, splits=("test",), stored=True)
    with devices.prepared(context.device, 1):
        evaluator.run([task])
        done, started = 0, time.perf_counter()
        while done == 0 or time.perf_counter() - started < _TRIAL_S:
            evaluator.run([task])
            done += evaluator.cost(task)
        return done / (time.perf_counter() - started)
