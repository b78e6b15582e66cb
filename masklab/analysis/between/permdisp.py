"""PERMDISP: do populations spread differently?

The spread of a population is the mean distance (√Hamming) of its members to their centroid, which lies in the
full space of principal coordinates: it is computed from the distances themselves. Masks over different base
weights overlap at chance, so a centroid over several draws would measure the differences between draws. Each
population therefore has one centroid per draw (a cell), distances are multiplied by √(n/(n − 1)) of the cell,
and populations are compared by an analysis of variance that removes the draws first. Cells of fewer than
three members are left out, and so are draws with a cell of one population only.

Members of a cell share its centroid: of what a single member adds to the mean distance of n, only
(n − 2)/(n − 1) shows in its own distance. Exchanging the distances as they are therefore underestimates the
error of a mean, and exchanging residuals (vegan) does so even more: with 3 to 5 members per cell they reject
in 9 to 19 % of simulated cases without a difference, at a nominal 5 to 6 %. Deviations from the cell's mean
are multiplied by (n − 1)/(n − 2) before they are exchanged, as in the jackknife's pseudo-values. Then the
level holds; near chance, where pairs and not members vary, the test is conservative. F and η² are of these
stretched distances; means are not changed by it.

Source: Anderson, Distance-based tests for homogeneity of multivariate dispersions (Biometrics 62, 2006);
O'Neill, A weighted least squares approach to Levene's test of homogeneity of variance (Australian & New
Zealand Journal of Statistics 42, 2000) for small cells.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import estimates, verdicts
from masklab.analysis.between import permutations, units
from masklab.analysis.design import Design

Square = Float64[np.ndarray, "members members"]
PerMember = Float64[np.ndarray, " members"]
Cells = Float64[np.ndarray, "sets populations draws"]

LEAST_CELL = 3
"""Members of a population on one draw below which they have no spread."""

DIFFERENCE = "difference of mean distance to centroid (√Hamming), a − b"
SHARE = "eta_squared: share of the variance of distances to centroids, within draws of base weights"

_RELATIVE_ZERO = 1e-12
"""Share of a sum of squares below which what is left of it is rounding."""

_ALONE = "there is one population"
_UNDEFINED = f"no draw of base weights has {LEAST_CELL} members of each of two populations"
_LARGER = "the larger of the p of relabeling and that of the jackknife's t"
_LIBERAL = "rejects too often where a few members are far from the rest of theirs"
_METHOD = (
    "leave-one-seed-out jackknife, t with n − 1 degrees of freedom; for these weight draws; conservative "
    "near chance"
)


@dataclass(frozen=True, eq=False)
class Variance:
    """Analysis of variance, populations after draws, of one or more sets of members.

    Attributes:
        effects: Least-squares effect of each population.
        explained: Sum of squares of the populations.
        total: Sum of squares within draws.
        between: Degrees of freedom of the populations, in the first set.
        within: Remaining degrees of freedom, in the first set.
    """

    effects: Float64[np.ndarray, "sets populations"]
    explained: Float64[np.ndarray, " sets"]
    total: Float64[np.ndarray, " sets"]
    between: int
    within: int

    @property
    def share(self) -> Float64[np.ndarray, " sets"]:
        """η², the share of the populations in the total; NaN where that is 0 or undefined."""
        return np.divide(
            self.explained, self.total, out=np.full(len(self.total), np.nan), where=self.total > 0
        )

    @property
    def ratio(self) -> float:
        """F of the first set; NaN where nothing varies within populations."""
        left = float(self.total[0] - self.explained[0])
        return float(self.explained[0]) / self.between / (left / self.within) if left > 0 else np.nan


def row(design: Design, squared: Square, seed: int) -> dict[str, Any]:
    """Test of all populations of a design together.

    The effect is a difference where there are two populations, the share η² of the variance otherwise.

    Args:
        design: Who is compared.
        squared: Squared distances (Hamming).
        seed: Seed of the drawn relabelings.

    Returns:
        A row of `tests` but for `a`, `b` and `adjusted_p`.
    """
    two = len(design.names) == 2
    used = comparable(design)
    chosen = design.only(used)
    if len(used):
        tested = _tested(chosen, squared[np.ix_(used, used)], seed, difference=two)
    else:
        why = _UNDEFINED if len(design.names) > 1 else _ALONE
        nothing = units.estimate(np.nan, np.zeros(0), method=_METHOD, why=why)
        tested = permutations.NONE | {"estimate": nothing, "why": why}
    return verdicts.row(
        "permdisp",
        effect=DIFFERENCE if two else SHARE,
        method=f"PERMDISP; centroids per population and draw of base weights; {permutations.SCHEME}; "
        + (_LARGER if two else _LIBERAL),
        units=len(np.unique(chosen.unit)),
        n=len(chosen),
        blocks=chosen.draws,
        **tested,
    )


def comparable(design: Design) -> Int64[np.ndarray, " used"]:
    """Places of the members of cells that are large enough, on draws that have two of them."""
    cell = np.zeros((len(design.names), design.block.max(initial=-1) + 1), dtype=np.int64)
    np.add.at(cell, (design.population, design.block), 1)
    large = cell >= LEAST_CELL
    large &= large.sum(axis=0) > 1
    return np.flatnonzero(large[design.population, design.block])


def distances(design: Design, squared: Square, *, factor: bool = True) -> PerMember:
    """Distance of each member to the centroid of its cell.

    d²_i = Σ_j d²_ij ÷ n − Σ_jk d²_jk ÷ 2n².

    Args:
        design: Who is compared.
        squared: Squared distances of the members.
        factor: Whether they are multiplied by √(n/(n − 1)); then a member that is alone has NaN.

    Examples:
        >>> from masklab.analysis import design
        >>> two = design.make(["a/0000", "a/0001"], {"a/0000": 0, "a/0001": 0})
        >>> distances(two, np.array([[0.0, 4.0], [4.0, 0.0]]), factor=False).tolist()
        [1.0, 1.0]
    """
    found = np.full(len(design), np.nan)
    for own in _cells(design):
        n = len(own)
        inside = squared[np.ix_(own, own)]
        square = inside.sum(axis=1) / n - inside.sum() / (2 * n**2)
        scale = np.divide(n, n - 1) if factor and n > 1 else (np.nan if factor else 1.0)
        found[own] = np.sqrt(np.maximum(square, 0) * scale)
    return found


def analysis(counts: Cells, sums: Cells, squares: Cells) -> Variance:
    """Two-way analysis of variance, populations after draws, from the sums of each cell.

    Args:
        counts: Members of each cell.
        sums: Sums of their values.
        squares: Sums of their squares.
    """
    members = counts.sum(axis=1)
    mean = np.divide(sums.sum(axis=1), members, out=np.zeros_like(members), where=members > 0)
    above = (sums - counts * mean[:, None]).sum(axis=2)
    effects = np.einsum("spq,sq->sp", np.linalg.pinv(_gram(counts), rtol=1e-9, hermitian=True), above)
    whole = squares.sum(axis=(1, 2))
    total = whole - (members * mean**2).sum(axis=1)
    total = np.where(total <= _RELATIVE_ZERO * whole, 0.0, total)
    between = int(np.linalg.matrix_rank(_gram(counts[:1]), hermitian=True)[0])
    within = int(counts[0].sum()) - int((members[0] > 0).sum()) - between
    return Variance(effects, np.minimum((effects * above).sum(axis=1), total), total, between, within)


def stretched(design: Design, distance: PerMember) -> PerMember:
    """Distances whose deviations from the mean of their cell are (n − 1)/(n − 2) as large.

    Args:
        design: Whose they are; no cell has fewer than `LEAST_CELL` members.
        distance: Distance of each member to its centroid.
    """
    found = np.empty(len(design))
    for own in _cells(design):
        mean = distance[own].mean()
        found[own] = mean + (distance[own] - mean) * (len(own) - 1) / (len(own) - 2)
    return found


def _tested(design: Design, squared: Square, seed: int, *, difference: bool) -> dict[str, Any]:
    values = stretched(design, distances(design, squared))
    sums = [_table(design, each)[None] for each in (np.ones(len(design)), values, values**2)]
    found, left = analysis(*sums), _without_each(design, squared, sums)
    centred = values - _mean_of_draw(design, values)
    inverse = np.linalg.pinv(_gram(sums[0])[0], rtol=1e-9, hermitian=True)
    statistic = functools.partial(_explained, inverse, centred / np.sqrt(found.total[0] or 1.0))
    outcome = permutations.of(design, seed).test(float(statistic(design.population[None])[0]), statistic)
    if difference:
        value, without, chance = found.effects[0, 0] - found.effects[0, 1], left[0], 0.0
    else:
        value, without, chance = found.share[0], left[1], outcome.chance if found.total[0] else None
    why = outcome.why
    if not why and np.isnan(found.ratio):
        why = "distances to centroids do not vary within populations, so that there is no F"
    fewer = int(np.bincount(design.population).min())
    estimate = units.estimate(
        float(value), without, method=_METHOD, why="all distances to centroids are equal", degrees=fewer - 1
    )
    fields = outcome.fields()
    if difference and fields["p"] is not None:
        fields["p"] = max(fields["p"], _of_interval(estimate, fewer - 1))
    return {"statistic": found.ratio, "estimate": estimate, "chance": chance, **fields, "why": why}


def _of_interval(estimate: dict[str, Any], degrees: int) -> float:
    """Two-sided p of the t that belongs to an interval around a difference; 0 where there is none.

    Relabeling takes the members' distances for exchangeable, and rejects too often where a few members are
    far from the rest of theirs; the jackknife does not.
    """
    from scipy import special

    if estimate["low"] is None:
        return 0.0
    error = (estimate["high"] - estimate["value"]) / estimates.t_quantile(degrees)
    return float(2 * special.stdtr(degrees, -abs(estimate["value"]) / error))


def _explained(
    inverse: Float64[np.ndarray, "populations populations"], centred: PerMember, labels: permutations.Batch
) -> Float64[np.ndarray, " permutations"]:
    """Sum of squares of the populations, for given labels; the cells' sizes are the same for all of them."""
    above = np.stack([(labels == label) @ centred for label in range(len(inverse))], axis=1)
    return np.einsum("cp,pq,cq->c", above, inverse, above)


def _without_each(
    design: Design, squared: Square, sums: list[Cells]
) -> tuple[Float64[np.ndarray, " units"], Float64[np.ndarray, " units"]]:
    """Difference of the first two populations and η², without each unit.

    A cell of which two members are left has equal distances, and so no share of the variance.
    """
    _, number = np.unique(design.unit, return_inverse=True)
    counts, total, squares = (np.repeat(cells, number.max() + 1, axis=0) for cells in sums)
    for own in _cells(design):
        place = (number[own], design.population[own[0]], design.block[own[0]])
        counts[place] = len(own) - 1
        total[place], squares[place] = _left_out(squared[np.ix_(own, own)])
    found = analysis(counts, total, squares)
    return found.effects[:, 0] - found.effects[:, 1], found.share


def _left_out(squared: Square) -> tuple[PerMember, PerMember]:
    """Sum, and sum of squares, of the stretched distances of the others of a cell without each member."""
    left = len(squared) - 1
    sums = squared.sum(axis=1)
    square = (sums[:, None] - squared) / left - (sums.sum() - 2 * sums) / (2 * left**2)
    np.fill_diagonal(square, 0.0)
    square = np.maximum(square, 0) * left / (left - 1)
    total = np.sqrt(square).sum(axis=0)
    level = total**2 / left
    factor = (left - 1) / (left - 2) if left > 2 else np.nan
    return total, level + factor**2 * (square.sum(axis=0) - level)


def _mean_of_draw(design: Design, values: PerMember) -> PerMember:
    counts = np.bincount(design.block)
    return (np.bincount(design.block, values) / np.maximum(counts, 1))[design.block]


def _gram(counts: Cells) -> Float64[np.ndarray, "sets populations populations"]:
    """Products of the populations' indicators after the means of each draw are removed."""
    members = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, members, out=np.zeros_like(counts), where=members > 0)
    return counts.sum(axis=2)[:, :, None] * np.eye(counts.shape[1]) - counts @ share.transpose(0, 2, 1)


def _cells(design: Design) -> Iterator[Int64[np.ndarray, " own"]]:
    """Places of the members of each population on each draw."""
    cell = design.population * (design.block.max(initial=0) + 1) + design.block
    for one in np.unique(cell):
        yield np.flatnonzero(cell == one)


def _table(design: Design, values: PerMember) -> Float64[np.ndarray, "populations draws"]:
    found = np.zeros((len(design.names), int(design.block.max()) + 1))
    np.add.at(found, (design.population, design.block), values)
    return found
