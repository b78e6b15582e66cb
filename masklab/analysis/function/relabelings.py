"""Permutations of seeds under which structure and function stay what they are, each for itself.

Members of different populations that share seeds may be alike both in their masks and in what they predict.
So a relabeling moves all members of a seed together, and only among seeds that are alike: of the same
populations and, in each, the same draw of base weights.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from masklab.analysis import verdicts

PERMUTATIONS = verdicts.PERMUTATIONS
"""Relabelings that are enumerated at most, and drawn where there are more."""

Places = Int64[np.ndarray, " _own"]
Batch = Int64[np.ndarray, "permutations units"]


@dataclass(frozen=True, eq=False)
class Relabelings:
    """Permutations of seeds, in which those of equal pattern change places.

    Attributes:
        classes: Places of the seeds that may change places with each other, each place in one class.
        total: Number of permutations.
    """

    classes: list[Places]
    total: int

    @property
    def exact(self) -> bool:
        """Whether all are enumerated."""
        return self.total <= PERMUTATIONS

    def smallest_p(self, permutations: int) -> float:
        """The smallest p that any data could give, with so many permutations."""
        return verdicts.smallest_p(permutations, exact=self.exact)

    def all(self) -> Batch:
        """Every permutation once."""
        found = np.tile(np.arange(sum(map(len, self.classes))), (self.total, 1))
        own = (itertools.permutations(places.tolist()) for places in self.classes)
        for row, moved in zip(found, itertools.product(*own), strict=True):
            for places, order in zip(self.classes, moved, strict=True):
                row[places] = order
        return found

    def draw(self, count: int, random: np.random.RandomState) -> Batch:
        """Random permutations.

        Args:
            count: How many.
            random: Stream that draws them.
        """
        found = np.empty((count, sum(map(len, self.classes))), dtype=np.int64)
        for places in self.classes:
            found[:, places] = places[np.argsort(random.random_sample((count, len(places))), axis=1)]
        return found


def of(patterns: Sequence[tuple[int, ...]]) -> Relabelings:
    """The relabelings of seeds, given what each must have in common with those that it changes places with.

    Args:
        patterns: One tuple per seed.

    Examples:
        >>> of([(0, 1), (0, 1), (2, 1), (0, 1)]).all().tolist()[1]
        [0, 3, 2, 1]
        >>> of([(0, 1), (0, 1), (2, 1), (0, 1)]).total
        6
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, pattern in enumerate(patterns):
        groups.setdefault(pattern, []).append(place)
    classes = [np.array(places, dtype=np.int64) for places in groups.values()]
    return Relabelings(classes, math.prod(math.factorial(len(places)) for places in classes))
