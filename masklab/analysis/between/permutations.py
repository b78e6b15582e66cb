"""Relabelings of members that are possible under the null hypothesis, and the test that they give.

Members with equal seeds are alike whichever pruner made them, so labels of populations are exchanged between
members of one unit only. Where a population's seeds are not known there are no units to exchange within, and
labels are exchanged within a draw of base weights.

Source: Anderson, A new method for non-parametric multivariate analysis of variance (Austral Ecology 26,
2001) for restricted permutations.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from masklab import seeds
from masklab.analysis import verdicts
from masklab.analysis.design import Design

PERMUTATIONS = verdicts.PERMUTATIONS
"""Relabelings that are enumerated at most, and drawn where there are more."""

_CELLS = 2**22
"""Labels that are held at once."""

SCHEME = (
    "populations exchanged between members of equal seeds, or within a draw of base weights where seeds are "
    "not known"
)
"""How labels are exchanged, for a reader."""

NONE: dict[str, Any] = {"p": None, "smallest_p": None, "permutations": 0, "exact": False, "chance": None}
"""The fields of a test that cannot be made."""

Labels = Int64[np.ndarray, " members"]
Batch = Int64[np.ndarray, "permutations members"]
Statistic = Callable[[Batch], Float64[np.ndarray, " permutations"]]


@dataclass(frozen=True)
class Outcome:
    """What a permutation test found.

    Attributes:
        p: Share of relabelings whose statistic is at least the observed one; None where there is no other.
        chance: Mean of the statistic over the relabelings.
        permutations: Number of relabelings compared with, the observed one included where all are.
        exact: Whether these are all.
        smallest_p: The smallest p that any data could give.
        why: Why there is no p; empty where there is one.
    """

    p: float | None
    chance: float
    permutations: int
    exact: bool
    smallest_p: float
    why: str

    def fields(self) -> dict[str, Any]:
        """The fields that a row of results has of it."""
        return {
            "p": self.p,
            "smallest_p": self.smallest_p,
            "permutations": self.permutations,
            "exact": self.exact,
        }


@dataclass(frozen=True, eq=False)
class Relabelings:
    """Labels of members, and the strata within which they may be exchanged.

    Relabelings that only rename populations change no statistic; they count as one. A statistic that is
    added up over parts does not change either where populations are renamed in one of the parts only.

    Attributes:
        labels: Number of the population of each member, each from 0 to the largest occurring.
        strata: Number of the stratum of each member, likewise.
        parts: Number of the part of each member, likewise; a stratum lies in one part.
        seed: Seed of the drawn relabelings.
    """

    labels: Labels
    strata: Labels
    parts: Labels
    seed: int

    @cached_property
    def table(self) -> Int64[np.ndarray, "strata labels"]:
        """Members of each label in each stratum."""
        shape = (self.strata.max(initial=-1) + 1, self.labels.max(initial=-1) + 1)
        counts = np.zeros(shape, dtype=np.int64)
        np.add.at(counts, (self.strata, self.labels), 1)
        return counts

    @cached_property
    def distinct(self) -> int:
        """Number of relabelings that differ in more than the names of the populations in each part.

        Two labels can be renamed into each other where each stratum of the part has as many members of both.
        """
        total = math.prod(
            math.factorial(int(row.sum())) // math.prod(math.factorial(int(count)) for count in row)
            for row in self.table
        )
        for part in np.unique(self.parts):
            table = self.table[np.unique(self.strata[self.parts == part])]
            alike = Counter(tuple(column) for column in table.T if column.any())
            total //= math.prod(math.factorial(count) for count in alike.values())
        return total

    @property
    def exact(self) -> bool:
        """Whether all of them are enumerated."""
        return self.distinct <= PERMUTATIONS

    @property
    def permutations(self) -> int:
        """Number of relabelings that `chunks` gives."""
        return self.distinct if self.exact else PERMUTATIONS

    @property
    def smallest_p(self) -> float:
        """The smallest p that any data could give."""
        return verdicts.smallest_p(self.permutations, exact=self.exact)

    def chunks(self) -> Iterator[Batch]:
        """All distinct relabelings, the observed one first; or random ones.

        Yields:
            Labels of all members, a bounded number of relabelings at a time.
        """
        most = max(1, _CELLS // max(1, self.table.shape[1] * len(self.labels)))
        found = _enumerated(self) if self.exact else None
        random = seeds.stream(self.seed, "split", layer="analysis/relabelings")
        for start in range(0, self.permutations, most):
            rows = min(most, self.permutations - start)
            yield (
                _drawn(self, random, rows) if found is None else found[start : start + rows].astype(np.int64)
            )

    def test(self, observed: float, statistic: Statistic) -> Outcome:
        """Compare an observed statistic with its values under relabeling; large values are evidence.

        Args:
            observed: The statistic of the data.
            statistic: Its values for given labels.
        """
        values = np.concatenate([statistic(batch) for batch in self.chunks()])
        p = verdicts.p_value(observed, values, exact=self.exact)
        why = ""
        if self.distinct == 1:
            why = "no other labels are possible: no two populations share seeds or a draw of base weights"
        return Outcome(
            None if why else p, float(values.mean()), len(values), self.exact, self.smallest_p, why
        )


def of(design: Design, seed: int, *, additive: bool = False) -> Relabelings:
    """The relabelings of a design: within units where the seeds of all populations are known, else blocks.

    Args:
        design: Who is compared.
        seed: Seed of the drawn relabelings.
        additive: Whether the statistic is a sum over draws of base weights of what does not depend on the
            names of the populations.
    """
    strata = design.block if design.unpaired else _units(design)
    return make(design.population, strata, seed, parts=design.block if additive else None)


def make(labels: Labels, strata: Labels, seed: int, *, parts: Labels | None = None) -> Relabelings:
    """Relabelings of any labels within any strata.

    Args:
        labels: Label of each member.
        strata: Stratum of each member.
        seed: Seed of the drawn relabelings.
        parts: Part of each member, see `Relabelings`; by default there is one.

    Examples:
        >>> make(np.array([0, 1] * 5), np.repeat(np.arange(5), 2), 0).smallest_p
        0.0625
    """
    parts = np.zeros_like(strata) if parts is None else parts
    return Relabelings(_numbered(labels), _numbered(strata), _numbered(parts), seed)


def _units(design: Design) -> Labels:
    """Members of equal seeds and equal base weights."""
    return np.unique(np.stack([design.unit, design.block]), axis=1, return_inverse=True)[1].reshape(-1)


def _numbered(values: Labels) -> Labels:
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _drawn(possible: Relabelings, random: np.random.RandomState, rows: int) -> Batch:
    keys = possible.strata + random.random_sample((rows, len(possible.strata)))
    found = np.empty(keys.shape, dtype=np.int64)
    found[:, np.argsort(possible.strata, kind="stable")] = possible.labels[np.argsort(keys, axis=1)]
    return found


def _enumerated(possible: Relabelings) -> np.ndarray:
    """Every distinct relabeling once, as int16 `[distinct, members]`, the observed one first."""
    found = possible.labels.astype(np.int16)[None]
    for part in np.unique(possible.parts):
        own = np.flatnonzero(possible.parts == part)
        names, labels = np.unique(possible.labels[own], return_inverse=True)
        moved = _of_part(make(labels, possible.strata[own], possible.seed))
        found = np.repeat(found, len(moved), axis=0)
        found[:, own] = np.tile(names[moved], (len(found) // len(moved), 1))
    return found


def _of_part(possible: Relabelings) -> np.ndarray:
    """The same where there is one part.

    Labels that can be renamed into each other are first used in ascending order, so that each set of
    relabelings equal up to names is met once. Every partial relabeling can be completed, so there are never
    more of them than results.
    """
    table = possible.table
    members = np.flatnonzero((table > 0).sum(axis=1)[possible.strata] > 1)
    members = members[np.argsort(possible.strata[members], kind="stable")]
    before = _alike_before(possible, members)
    used = np.zeros((1, table.shape[1]), dtype=bool)
    left, stratum, steps = table[:1], -1, []
    for member in members:
        if possible.strata[member] != stratum:
            stratum = possible.strata[member]
            left = np.repeat(table[stratum][None], len(used), axis=0)
        parent, label = np.nonzero((left > 0) & ((before < 0) | used[:, before]))
        left, used = left[parent], used[parent]
        left[np.arange(len(label)), label] -= 1
        used[np.arange(len(label)), label] = True
        steps.append((member, parent, label))
    found = np.repeat(possible.labels.astype(np.int16)[None], len(used), axis=0)
    at = np.arange(len(used))
    for member, parent, label in reversed(steps):
        found[:, member] = label[at]
        at = parent[at]
    own = np.flatnonzero((found == possible.labels).all(axis=1))[0]
    found[[0, own]] = found[[own, 0]]
    return found


def _alike_before(
    possible: Relabelings, members: Int64[np.ndarray, " movable"]
) -> Int64[np.ndarray, " labels"]:
    """For each label the one before it, in the order of their first members, that can be renamed into it."""
    order = list(dict.fromkeys(int(label) for label in possible.labels[members]))
    last: dict[tuple[int, ...], int] = {}
    before = np.full(possible.table.shape[1], -1, dtype=np.int64)
    for label in order:
        column = tuple(possible.table[:, label])
        before[label] = last.get(column, -1)
        last[column] = label
    return before
