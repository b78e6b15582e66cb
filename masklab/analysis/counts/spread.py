"""How far apart masks are: mean pairwise Hamming distance, and PERMANOVA's sums of squares.

Both are linear in Σ_j c_j², with c_j the number of members that keep weight j.

Source: for √Hamming, the sum over pairs of the squared distance is Σ_j c_j(n − c_j). Sums of squares:
Anderson, A new method for non-parametric multivariate analysis of variance (Austral Ecology 26, 2001).
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from masklab.analysis import chance, estimates, overlap
from masklab.analysis.counts import samples, tallies

Row = dict[str, Any]

NOT_SHARED = "no draw of base weights has members of two of these populations"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Sums over the pairs of each group, and over those that remain when a member is left out of its group.

    Attributes:
        differing: Σ over pairs of the weights that exactly one of the two keeps.
        kept: Σ over members of the weights that each keeps.
        members: Members per group.
        differing_without: As `differing`, without each member.
        kept_without: As `kept`, without each member.
        members_without: Members that remain.
    """

    differing: Int64[np.ndarray, "layers groups"]
    kept: Int64[np.ndarray, "layers groups"]
    members: Int64[np.ndarray, " groups"]
    differing_without: Int64[np.ndarray, "layers members"]
    kept_without: Int64[np.ndarray, "layers members"]
    members_without: Int64[np.ndarray, " members"]


def pairs(counted: tallies.Tallies, groups: tallies.Groups) -> Pairs:
    """Sums over pairs from the tallies; members of no group keep meaningless values."""
    n, kept, squares = groups.division.sizes, groups.kept, groups.squares
    if not len(n):
        nothing = np.zeros_like(counted.kept)
        return Pairs(squares, squares, n, nothing, nothing, np.zeros(len(counted.design), dtype=np.int64))
    own = groups.division.of
    kept_without = kept[:, own] - counted.kept
    squares_without = squares[:, own] - 2 * groups.shared + counted.kept
    return Pairs(
        n * kept - squares,
        kept,
        n,
        (n[own] - 1) * kept_without - squares_without,
        kept_without,
        n[own] - 1,
    )


def hamming(counted: tallies.Tallies, groups: tallies.Groups) -> list[samples.Sample]:
    """Mean pairwise Hamming distance of each population, a fraction of the weights."""
    found, sizes = pairs(counted, groups), counted.sizes[:, None]
    mean, variance = chance_differing(counted, groups)
    statistic = (
        mean_differing(found.differing, found.members) / sizes,
        mean_differing(found.differing_without, found.members_without) / sizes,
    )
    return samples.by_population(counted, groups, statistic, (mean / sizes, variance / sizes**2))


def mean_differing(
    differing: Int64[np.ndarray, "layers sides"], members: Int64[np.ndarray, " sides"]
) -> samples.ByGroup:
    """Mean over pairs of the weights that exactly one keeps; NaN where there is no pair."""
    count = np.broadcast_to(members * (members - 1) // 2, differing.shape)
    return chance.ratio(differing, count)


def chance_differing(
    counted: tallies.Tallies, groups: tallies.Groups
) -> tuple[samples.ByGroup, samples.ByGroup]:
    """Expectation and variance of `mean_differing` for independent masks with the same kept counts.

    Pairs that share a mask are uncorrelated, so the variance of the mean of P intersections is Σ Var ÷ P².
    """
    n, sizes = groups.division.sizes, counted.sizes[:, None]
    kept, member_of = groups.kept, groups.division.indicator
    spread = counted.kept * (sizes - counted.kept) / sizes
    products = (kept.astype(float) ** 2 - counted.kept.astype(float) ** 2 @ member_of) / 2
    variances = ((spread @ member_of) ** 2 - spread**2 @ member_of) / 2 / np.maximum(sizes - 1, 1)
    count = np.broadcast_to(n * (n - 1) / 2, kept.shape)
    mean = 2 * chance.ratio(kept, np.broadcast_to(n, kept.shape)) - 2 * chance.ratio(products / sizes, count)
    return mean, np.maximum(4 * chance.ratio(variances, count**2), 0.0)


@dataclass(frozen=True)
class Sums:
    """Sums of squares on √Hamming.

    Attributes:
        total: Of all members about their centroid, draw by draw where draws are told apart.
        within: Of the members of each population about its own.
        members: Number of members of the sets that count.
    """

    total: float
    within: float
    members: int

    @property
    def between(self) -> float:
        """What the populations' centroids explain."""
        return self.total - self.within

    @property
    def r2(self) -> float:
        """Share of the total that they explain; NaN where all masks are equal."""
        return self.between / self.total if self.total > 0 else float("nan")


def sums_of_squares(
    counted: tallies.Tallies, groups: tallies.Groups, populations: list[int], layer: int | None = None
) -> Sums:
    """PERMANOVA's sums of squares for some of the populations, Hamming distances as fractions of the weights.

    As there, a draw of base weights with members of only one of them is left out.

    Args:
        counted: The members.
        groups: `counted.whole`, or `counted.within` for sums within draws of base weights.
        populations: Places of the populations.
        layer: Place of a layer; the whole mask by default.
    """
    layers = slice(None) if layer is None else slice(layer, layer + 1)
    division, size = groups.division, int(counted.sizes[layers].sum())
    kept = groups.kept[layers].sum(axis=0)
    products = groups.products[layers].sum(axis=0)
    total = within = 0.0
    members = 0
    for at in range(division.sets):
        chosen = np.flatnonzero((division.place == at) & np.isin(division.population, populations))
        if len(chosen) < 2:  # one population alone has no place relative to others
            continue
        n, k, own = division.sizes[chosen], kept[chosen], division.population[chosen]
        table = products[at][np.ix_(own, own)]
        total += int(n.sum() * k.sum() - table.sum()) / int(n.sum()) / size
        within += float(((n * k - table.diagonal()) / n).sum()) / size
        members += int(n.sum())
    return Sums(total, within, members)


def sum_rows(counted: tallies.Tallies, groups: tallies.Groups, block: str) -> list[Row]:
    """Sums of squares over all populations (`a` and `b` null), and of every two.

    Args:
        counted: The members.
        groups: The groups.
        block: What the rows call them.
    """
    names = counted.design.names
    present = np.unique(groups.division.population).tolist()
    if not len(counted.sizes) or len(present) < 2:
        return []
    found = []
    for chosen in (present, *(list(pair) for pair in itertools.combinations(present, 2))):
        sums, a_pair = sums_of_squares(counted, groups, chosen), chosen is not present
        r2 = estimates.number(sums.r2)
        row = {
            "a": names[chosen[0]] if a_pair else None,
            "b": names[chosen[1]] if a_pair else None,
            "layer": overlap.WHOLE,
            "block": block,
            "total": sums.total,
            "within": sums.within,
            "between": sums.between,
            "r2": r2,
            "n": sums.members,
        }
        why = "all these masks are equal" if sums.members else NOT_SHARED
        found.append(row if r2 is not None else {**row, "why": why})
    return found
