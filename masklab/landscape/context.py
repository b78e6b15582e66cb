"""What every question of the landscape is asked about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from masklab import seeds
from masklab.archive import Archive
from masklab.landscape import settings as settling
from masklab.landscape.ends import Ends
from masklab.landscape.images import Images
from masklab.landscape.tasks import Task

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Context:
    """A study, its members as tensors, and how they are evaluated.

    Attributes:
        archive: The study.
        settings: What is asked for.
        ends: The members.
        images: What networks are evaluated on.
        device: Where tensors live.
        statistics: `"keep"`, `"re-estimate"`, or `"none"` where the network has no running statistics.
        cost: Evaluations that a task takes.
    """

    archive: Archive
    settings: settling.Settings
    ends: Ends
    images: Images
    device: str
    statistics: str
    cost: Callable[[Task], int]

    @cached_property
    def grid(self) -> list[float]:
        """Positions on a path, 0 … 1, ends included."""
        return settling.grid(self.settings)

    @cached_property
    def names(self) -> list[str]:
        """Populations whose members can be evaluated, in the study's order."""
        rows = self.archive.study["populations"]
        return [row["name"] for row in rows if row.get("compared", True) and "imported" not in row]

    @cached_property
    def members(self) -> dict[str, list[str]]:
        """Population → ids of its members, by index."""
        found: dict[str, list[str]] = {name: [] for name in self.names}
        for own in self.archive.compared:  # no network is known to have the weights of imported ones
            if (name := own.rpartition("/")[0]) in found:
                found[name].append(own)
        return found

    @cached_property
    def blocks(self) -> dict[str, int]:
        """Member id → number of its draw of base weights."""
        return {own: self.archive.blocks[own] for ids in self.members.values() for own in ids}

    @cached_property
    def populations(self) -> dict[str, Row]:
        """Population → its row in `study.json`."""
        return {row["name"]: row for row in self.archive.study["populations"]}

    def random(self, *path: str) -> np.random.RandomState:
        """Stream of random numbers of a name: equal names, equal numbers."""
        return seeds.stream(self.archive.seed, "split", layer="/".join(("landscape", *path)))

    def tensor(self, values: Shaped[np.ndarray, "..."]) -> Tensor:
        """An array on the device."""
        return torch.from_numpy(values).to(self.device)

    def choose(self, items: Sequence[Any], number: int, *path: str) -> list[Any]:
        """A random sample in the items' order; a larger one contains the smaller."""
        order = self.random("choose", *path).permutation(len(items))
        return [items[at] for at in sorted(order[:number])]


@dataclass
class Found:
    """What was found.

    Attributes:
        rows: Key of `results.json` → rows, one CSV each.
        tables: Name of a CSV file that stands beside `results.json` alone → rows.
        arrays: Name → array of `landscape.npz`.
        warnings: Of `results.json`, `{code, text, where}`.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    warnings: list[Row] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        """Take what another question found."""
        for mine, theirs in ((self.rows, other.rows), (self.tables, other.tables)):
            for key, rows in theirs.items():
                mine.setdefault(key, []).extend(rows)
        self.arrays |= other.arrays
        self.warnings += other.warnings
