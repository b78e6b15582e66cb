"""What will be evaluated, and what it takes, before it starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from masklab import __version__, progress
from masklab.archive import study_file
from masklab.landscape import budget as budgets
from masklab.landscape.context import Context, Row
from masklab.landscape.ends import CACHED_BYTES
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.tasks import Task, pieces

_PER_WEIGHT = 13
"""Bytes of a member that are held: base and effective weights, mask, and scores where they are used."""

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
        wanted: Question → evaluations if there were no limit; those that are left out have no tasks.
        budget: Evaluations that may be spent.
        source: Where that number comes from.
        rate: Evaluations per second, all threads together, as measured.
        options: What was asked for.
        warnings: Of `results.json`: what was asked for and is not possible.
        note: Name of the file in which the conversion of the budget is kept; empty: in none.
    """

    context: Context
    evaluator: Evaluator
    tasks: Mapping[str, list[Task]]
    wanted: Mapping[str, int]
    budget: int
    source: str
    rate: float
    options: Options
    warnings: Sequence[Row] = ()
    note: str = ""

    @property
    def all_tasks(self) -> list[Task]:
        """Tasks of all questions."""
        return [task for own in self.tasks.values() for task in own]

    @cached_property
    def pieces(self) -> list[list[Task]]:
        """All tasks in the groups in which they are evaluated, as planned: calls may become smaller later."""
        return pieces(self.all_tasks, self.evaluator.at_once)

    def cost(self, question: str) -> int:
        """Evaluations of a question."""
        return sum(map(self.context.cost, self.tasks.get(question, ())))

    @property
    def left_out(self) -> list[str]:
        """Questions that the budget does not allow."""
        return [name for name, most in self.wanted.items() if most and not self.tasks.get(name)]

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
        """Memory: what is kept of evaluations, members, images, and networks while they are evaluated."""
        threads = self.options.threads if self.context.device == "cpu" else 1
        members = len(self.tasks["members"]) * self.evaluator.weights * _PER_WEIGHT
        pixels = sum(
            own.nbytes for own in (*self.context.images.pixels.values(), *self.context.images.statistics)
        )
        kept = _PER_EVALUATION * self.evaluations
        return kept + min(members, 2 * CACHED_BYTES) + 2 * pixels + threads * self.evaluator.bytes

    @cached_property
    def key(self) -> str:
        """Digest of everything that outcomes follow from, as planned: calls may become smaller later."""
        context, study = self.context, self.context.archive.study
        summaries = context.archive.summaries
        return study_file.digest(
            [
                study["recipe_digest"],
                study["populations"],
                [[own, summaries[own]["digest"]] for own in context.blocks],
                context.settings.model_dump(),
                __version__,
                torch.__version__,
                [context.device, self.evaluator.engine, self.evaluator.at_once],
                {split: places.tolist() for split, places in context.images.chosen.items()},
                [[task.key, task.networks, task.splits] for own in self.tasks.values() for task in own],
            ]
        )[:16]

    def text(self) -> str:
        """One line: how much, how long, how much memory."""
        much = f"{self.evaluations:,} evaluations (networks × images)"
        if self.evaluations > self.budget:
            much += f", the fewest that answer anything, above the budget of {self.budget:,}"
        else:
            much += f" of a budget of {self.budget:,}"
        out = f"; left out: {', '.join(self.left_out)}" if self.left_out else ""
        return (
            f"landscape: {much}, {self.source}; about {progress.duration(self.seconds)}, "
            f"{self.bytes / 1e6:,.0f} MB{out}"
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
                    "wanted": most,
                    "evaluations": self.cost(name),
                    "networks": sum(task.networks for task in self.tasks.get(name, ())),
                }
                for name, most in self.wanted.items()
                if most
            ],
        }
