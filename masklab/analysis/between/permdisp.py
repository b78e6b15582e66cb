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

Where a few members are far from the rest of theirs, distances are not exchangeable even so, and relabeling
rejects in 9 to 18 % of simulated cases without a difference, or in up to 48 % where these are one in ten. So
p is the larger of that of relabeling and that of the jackknife: of the difference of two populations, or, of
several, the smallest of the adjusted p of all pairs (Simes' p of their common null hypothesis; by simulation
it rejects in at most 4 %).

Source: Anderson, Distance-based tests for homogeneity of multivariate dispersions (Biometrics 62, 2006);
O'Neill, A weighted least squares approach to Levene's test of homogeneity of variance (Australian & New
Zealand Journal of Statistics 42, 2000) for small cells; Simes, An improved Bonferroni procedure for multiple
tests of significance (Biometrika 73, 1986) for the pairs.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import jackknife, verdicts
from masklab.analysis.between import permutations, units, variance
from masklab.analysis.design import Design

Square = Float64[np.ndarray, "members members"]
PerMember = Float64[np.ndarray, " members"]

LEAST_CELL = 3
"""Members of a population on one draw below which they have no spread."""

DIFFERENCE = "difference of mean distance to centroid (√Hamming), a − b"
SHARE = "eta_squared: share of the variance of distances to centroids, within draws of base weights"

_ALONE = "there is one population"
_UNDEFINED = f"no draw of base weights has {LEAST_CELL} members of each of two populations"
_ROUNDING = 1e-12

_PAIR = "the larger of the p of relabeling and that of the jackknife's t"
_ALL = (
    "the larger of the p of relabeling and the smallest p of the pairs' jackknife t, corrected for the "
    "number of pairs (Simes); conservative"
)
_METHOD = (
    "leave-one-seed-out jackknife, t with n − 1 degrees of freedom; for these weight draws; conservative "
    "near chance"
)


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
        + (_PAIR if two else _ALL),
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
    found, left = variance.analysis(*sums), _without_each(design, squared, sums)
    centred = values - _mean_of_draw(design, values)
    inverse = np.linalg.pinv(variance.gram(sums[0])[0], rtol=1e-9, hermitian=True)
    statistic = functools.partial(_explained, inverse, centred / np.sqrt(found.total[0] or 1.0))
    outcome = permutations.of(design, seed).test(float(statistic(design.population[None])[0]), statistic)
    if difference:
        value, chance = found.effects[0, 0] - found.effects[0, 1], 0.0
        without = left.effects[:, 0] - left.effects[:, 1]
    else:
        value, chance = found.share[0], outcome.chance if found.total[0] else None
        without = left.share
    why = outcome.why
    if not why and np.isnan(found.ratio):
        why = "distances to centroids do not vary within populations, so that there is no F"
    fewer = int(np.bincount(design.population).min())
    estimate = units.estimate(
        float(value), without, method=_METHOD, why="all distances to centroids are equal", degrees=fewer - 1
    )
    fields = outcome.fields()
    if fields["p"] is not None:
        fields["p"] = max(fields["p"], _of_pairs(design, found.effects[0], left.effects, sums[0]))
    return {"statistic": found.ratio, "estimate": estimate, "chance": chance, **fields, "why": why}


def _of_pairs(
    design: Design,
    effects: Float64[np.ndarray, " populations"],
    without: Float64[np.ndarray, "units populations"],
    counts: variance.Cells,
) -> float:
    """Simes' p of the two-sided jackknife t of the pairs of populations: the least p₍ᵢ₎ · pairs ÷ i.

    Relabeling takes the members' distances for exchangeable, and rejects too often where a few members are
    far from the rest of theirs; the jackknife does not. Pairs that no draws connect have no difference.
    """
    from scipy import special

    first, second = np.triu_indices(len(effects), 1)
    contrasts = np.eye(len(effects))[first] - np.eye(len(effects))[second]
    gram = variance.gram(counts)[0]
    known = contrasts @ np.linalg.pinv(gram, rtol=1e-9, hermitian=True) @ gram
    contrasts = contrasts[np.isclose(known, contrasts).all(axis=1)]
    apart = np.abs(contrasts @ effects)
    error = np.sqrt(jackknife.variance(contrasts @ without.T))
    error = np.nan_to_num(jackknife.with_width(error, apart))
    t = np.divide(apart, error, out=np.where(apart > _ROUNDING, np.inf, 0.0), where=error > 0)
    sizes = np.where(contrasts, np.bincount(design.population), np.inf).min(axis=1)
    p = np.sort(2 * special.stdtr(sizes - 1, -t))
    return float((p * len(p) / np.arange(1, len(p) + 1)).min())


def _explained(
    inverse: Float64[np.ndarray, "populations populations"], centred: PerMember, labels: permutations.Batch
) -> Float64[np.ndarray, " permutations"]:
    """Sum of squares of the populations, for given labels; the cells' sizes are the same for all of them."""
    above = np.stack([(labels == label) @ centred for label in range(len(inverse))], axis=1)
    return np.einsum("cp,pq,cq->c", above, inverse, above)


def _without_each(design: Design, squared: Square, sums: list[variance.Cells]) -> variance.Variance:
    """The analysis without each unit.

    A cell of which two members are left has equal distances, and so no share of the variance.
    """
    _, number = np.unique(design.unit, return_inverse=True)
    counts, total, squares = (np.repeat(cells, number.max() + 1, axis=0) for cells in sums)
    for own in _cells(design):
        place = (number[own], design.population[own[0]], design.block[own[0]])
        counts[place] = len(own) - 1
        total[place], squares[place] = _left_out(squared[np.ix_(own, own)])
    return variance.analysis(counts, total, squares)


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


def _cells(design: Design) -> Iterator[Int64[np.ndarray, " own"]]:
    """Places of the members of each population on each draw."""
    cell = design.population * (design.block.max(initial=0) + 1) + design.block
    for one in np.unique(cell):
        yield np.flatnonzero(cell == one)


def _table(design: Design, values: PerMember) -> Float64[np.ndarray, "populations draws"]:
    found = np.zeros((len(design.names), int(design.block.max()) + 1))
    np.add.at(found, (design.population, design.block), values)
    return found
