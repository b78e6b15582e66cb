"""PERMANOVA: do populations lie in different places?

Squared distances are Hamming distances, so that √Hamming is the distance and a centroid is the vector of keep
rates. Masks over different base weights have nothing in common, and neither have the places of their
populations: with several draws of base weights, sums of squares are taken within each draw and then added.
R² is the share of the scatter within draws that the populations' centroids on the same draw explain. With one
draw this is the common PERMANOVA. A draw with members of one population only says nothing and is left out.

Source: Anderson, A new method for non-parametric multivariate analysis of variance (Austral Ecology 26,
2001).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masklab.analysis import verdicts
from masklab.analysis.between import permutations, units
from masklab.analysis.design import Design

Square = Float64[np.ndarray, "members members"]
Chosen = Bool[np.ndarray, "sets members"]

EFFECT = "r_squared: share of the squared √Hamming scatter within draws of base weights"

_UNPAIRED = "; sensitive to spreads that differ where numbers of members do"
_METHOD = (
    "leave-one-seed-out jackknife, t with n − 1 degrees of freedom; for the R² to be expected of as many "
    "members, chance included; for these weight draws; conservative near chance"
)


@dataclass(frozen=True, eq=False)
class Location:
    """Squared distances of the members on each draw of base weights that several populations share.

    Attributes:
        design: These members.
        draws: For each draw the places of its members, and their squared distances.
    """

    design: Design
    draws: list[tuple[Int64[np.ndarray, "_"], Float64[np.ndarray, "_ _"]]]

    @property
    def labels(self) -> Int64[np.ndarray, " members"]:
        """Number of the population of each member."""
        return self.design.population

    @property
    def between_degrees(self) -> int:
        """Degrees of freedom between populations: populations − 1, summed over draws."""
        return sum(len(np.unique(self.labels[places])) - 1 for places, _ in self.draws)

    @property
    def within_degrees(self) -> int:
        """Degrees of freedom within populations: members − populations, summed over draws."""
        return sum(len(places) - len(np.unique(self.labels[places])) for places, _ in self.draws)

    @property
    def total(self) -> float:
        """Sum of squared distances to the centroid of the draw."""
        return sum(float(squared.sum()) / (2 * len(places)) for places, squared in self.draws)

    def within(self, labels: permutations.Batch) -> Float64[np.ndarray, " permutations"]:
        """Sum of squared distances to the centroid of the population on the draw, for given labels."""
        found = np.zeros(len(labels))
        for places, squared in self.draws:
            for label in np.unique(self.labels[places]):
                found += scatter(squared, labels[:, places] == label)
        return found

    @cached_property
    def share(self) -> float:
        """R² of the members' own labels."""
        return float(self.explained(self.labels[None])[0])

    @property
    def ratio(self) -> float:
        """Pseudo-F of the members' own labels; infinite where populations do not vary."""
        left = (1 - self.share) / self.within_degrees
        return self.share / self.between_degrees / left if self.share < 1 else np.inf

    def explained(self, labels: permutations.Batch) -> Float64[np.ndarray, " permutations"]:
        """R² for given labels."""
        return 1 - self.within(labels) / self.total

    def without(self, kept: units.Kept) -> Float64[np.ndarray, " units"]:
        """R² of the members that are kept, for several choices; NaN where it is undefined."""
        within, total = np.zeros(len(kept)), np.zeros(len(kept))
        for places, squared in self.draws:
            total += scatter(squared, kept[:, places])
            for label in np.unique(self.labels[places]):
                within += scatter(squared, kept[:, places] & (self.labels[places] == label))
        return 1 - np.divide(within, total, out=np.full(len(kept), np.nan), where=total > 0)


def scatter(squared: Square, chosen: Chosen) -> Float64[np.ndarray, " sets"]:
    """Sum of squared distances to the centroid of each chosen set: Σ_{i<j} d²_ij ÷ members.

    Args:
        squared: Squared distances.
        chosen: Members of each set.

    Examples:
        >>> scatter(np.array([[0.0, 4.0], [4.0, 0.0]]), np.array([[True, True], [True, False]])).tolist()
        [2.0, 0.0]
    """
    weights = chosen.astype(float)
    return ((weights @ squared) * weights).sum(axis=1) / (2 * np.maximum(weights.sum(axis=1), 1))


def location(design: Design, squared: Square) -> Location:
    """Prepare the comparison of the members that can be compared.

    Args:
        design: Who is compared.
        squared: Squared distances.
    """
    draws = [np.flatnonzero(design.block == block) for block in np.unique(design.block)]
    shared = [places for places in draws if len(np.unique(design.population[places])) > 1]
    used = np.sort(np.concatenate([np.zeros(0, np.int64), *shared]))
    own = [(np.searchsorted(used, places), squared[np.ix_(places, places)]) for places in shared]
    return Location(design.only(used), own)


def row(design: Design, squared: Square, seed: int) -> dict[str, Any]:
    """Test of all populations of a design together.

    Args:
        design: Who is compared.
        squared: Squared distances (Hamming).
        seed: Seed of the drawn relabelings.

    Returns:
        A row of `tests` but for `a`, `b` and `adjusted_p`.
    """
    prepared = location(design, squared)
    chosen = prepared.design
    why = _undefined(design, prepared)
    if why:
        tested: dict[str, Any] = permutations.NONE
        found = units.estimate(np.nan, np.zeros(0), method=_METHOD, why=why)
    else:
        outcome = permutations.of(chosen, seed, additive=True).test(prepared.share, prepared.explained)
        tested = outcome.fields() | {"statistic": prepared.ratio, "chance": outcome.chance}
        found = units.estimate(prepared.share, prepared.without(units.without_each(chosen)), method=_METHOD)
        equal = "" if prepared.ratio < np.inf else "the members of a population are equal: no F"
        why = outcome.why or equal
    return verdicts.row(
        "permanova",
        effect=EFFECT,
        estimate=found,
        method=f"PERMANOVA on √Hamming, pseudo-F; {permutations.SCHEME}"
        + (_UNPAIRED if chosen.unpaired else ""),
        units=len(np.unique(chosen.unit)),
        n=len(chosen),
        blocks=len(prepared.draws),
        why=why,
        **tested,
    )


def _undefined(design: Design, prepared: Location) -> str:
    """Why there is no statistic; empty where there is one."""
    if len(design.names) < 2:
        return "there is one population"
    if prepared.between_degrees == 0:
        return "no draw of base weights has members of two populations"
    if prepared.within_degrees == 0:
        return "no population has two members on one draw of base weights, so that they have no spread"
    if prepared.total == 0:
        return "all masks of a draw of base weights are equal"
    return ""
