"""Distances of pairs within one population and one draw of base weights, centred there.

Distances of populations or draws of base weights with different means would make a correlation where none is
within them (Simpson's paradox): only what is left after centring counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis.design import Design

LEAST_MEMBERS = 3
"""Members of a stratum below which its pairs say nothing."""

Kind = Literal["pearson", "spearman"]
Square = Float64[np.ndarray, "members members"]


@dataclass(frozen=True, eq=False)
class Stratum:
    """Members of one population and one draw of base weights.

    Attributes:
        population: Name of the population.
        block: Draw of base weights.
        units: Seeds of the members.
        x: One distance of all pairs, minus its mean (for Spearman: ranks minus theirs); diagonal 0.
        y: The other, likewise.
    """

    population: str
    block: int
    units: Int64[np.ndarray, " own"]
    x: Float64[np.ndarray, "own own"]
    y: Float64[np.ndarray, "own own"]

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return math.comb(len(self.units), 2)

    def sums(self) -> Float64[np.ndarray, "3"]:
        """Sums of squares of x and y, and of products, over the pairs."""
        return np.array(
            [np.vdot(a, b) / 2 for a, b in ((self.x, self.x), (self.y, self.y), (self.x, self.y))]
        )

    def sums_without(self) -> Float64[np.ndarray, "own 3"]:
        """The same without each member, centred anew."""
        remaining = max(1, self.pairs - len(self.units) + 1)
        of_x, of_y = self.x.sum(axis=1), self.y.sum(axis=1)
        pairs = ((self.x, self.x, of_x, of_x), (self.y, self.y, of_y, of_y), (self.x, self.y, of_x, of_y))
        lost = np.stack([(a * b).sum(axis=1) + p * q / remaining for a, b, p, q in pairs], axis=1)
        left = self.sums() - lost
        left[:, :2] = np.maximum(left[:, :2], 0.0)
        return left


def of(x: Square, y: Square, design: Design, kind: Kind = "pearson") -> list[Stratum]:
    """Every population and draw of base weights with enough members.

    Args:
        x: One distance of all pairs of members.
        y: The other.
        design: Who the members are.
        kind: Correlation of the distances, or of their ranks within each stratum.
    """
    found = []
    for at, name in enumerate(design.names):
        for block in np.unique(design.block):
            own = np.flatnonzero((design.population == at) & (design.block == block))
            if len(own) >= LEAST_MEMBERS:
                cut = np.ix_(own, own)
                both = _centred(x[cut], kind), _centred(y[cut], kind)
                found.append(Stratum(name, int(block), design.unit[own], *both))
    return found


def sum_of(chosen: Sequence[Stratum], name: str) -> Float64[np.ndarray, "3"]:
    """Sums of squares of x and y, and of products, over the strata of a population."""
    return np.sum([stratum.sums() for stratum in chosen if stratum.population == name], axis=0)


def _centred(distances: Square, kind: Kind) -> Square:
    upper = np.triu_indices(len(distances), 1)
    values = distances[upper]
    if kind == "spearman":
        from scipy import stats

        values = stats.rankdata(values)
    values = np.zeros_like(values) if np.ptp(values) == 0 else values - values.mean()
    found = np.zeros_like(distances)
    found[upper] = values
    return found + found.T
