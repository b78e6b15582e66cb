"""What independent masks with the same kept counts per layer would show.

A mask that keeps k₂ of a layer's N weights at random shares X ~ Hypergeometric(N, k₁, k₂) of them with a
mask that keeps k₁; layers are independent strata. Functions of pairs take the sizes and the kept counts of
the strata (one layer, or all layers of the whole mask) for the members of the rows and, where these are
others, of the columns, and return one value per pair. What is linear in the intersection (Hamming, Dice, the
overlap coefficient, κ, φ) has its value at the expected intersection for its expectation.

Source: mean and variance of the hypergeometric distribution, summed over layers.
"""

import math

import numpy as np
from jaxtyping import Float64, Int64, Num

Sizes = Int64[np.ndarray, " strata"]
Kept = Int64[np.ndarray, "strata rows"]
Other = Int64[np.ndarray, "strata columns"]
Pairs = Float64[np.ndarray, "rows columns"]
Square = Float64[np.ndarray, "members members"]
Counts = Int64[np.ndarray, "..."]
Pmf = Float64[np.ndarray, " shared"]

EXACT_BELOW = 1000
"""Weights per stratum below which an expected Jaccard similarity is summed exactly."""

EXACT_KEPT = 30
"""Weights that one of two masks of a single larger stratum keeps below which it is summed exactly as well."""

_EXACT_WORK = 2**28
"""Products of probabilities that an exact sum over several strata may take; about a second."""


def ratio(part: Num[np.ndarray, "..."], whole: Num[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """Quotient of two arrays that broadcast; NaN where the second is not positive.

    Examples:
        >>> ratio(np.array([1, 0]), np.array([2, 0])).tolist()
        [0.5, nan]
    """
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.divide(part, whole, out=np.full(shape, np.nan), where=whole > 0)


def expected_intersection(sizes: Sizes, kept: Kept, other: Other | None = None) -> Pairs:
    """Expected number of weights that both keep: Σ k₁k₂/N.

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member of the rows.
        other: The same of the columns; by default those of the rows.

    Examples:
        >>> expected_intersection(np.array([10]), np.array([[5, 2]])).tolist()
        [[2.5, 1.0], [1.0, 0.4]]
    """
    second = kept if other is None else other
    total = np.zeros((kept.shape[1], second.shape[1]))
    for size, rows, columns in zip(sizes, kept, second, strict=True):
        total += np.multiply.outer(rows, columns) / size
    return total


def intersection_variance(sizes: Sizes, kept: Kept, other: Other | None = None) -> Pairs:
    """Variance of the number of weights that both keep: Σ k₁k₂(N−k₁)(N−k₂)/(N²(N−1)).

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member of the rows.
        other: The same of the columns; by default those of the rows.
    """
    second = kept if other is None else other
    total = np.zeros((kept.shape[1], second.shape[1]))
    for size, rows, columns in zip(sizes, kept, second, strict=True):
        left, right = ((counts * (size - counts)).astype(float) / size for counts in (rows, columns))
        total += np.multiply.outer(left, right) / max(int(size) - 1, 1)
    return total


def room(sizes: Sizes, kept: Kept, other: Other | None = None) -> Pairs:
    """Most that both can keep beyond what is expected: Σ min(k₁, k₂) − Σ k₁k₂/N.

    Exactly 0 where every stratum is kept whole by one of the two, or not at all: nothing can vary there.

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member of the rows.
        other: The same of the columns; by default those of the rows.
    """
    second = kept if other is None else other
    total = np.zeros((kept.shape[1], second.shape[1]))
    for size, rows, columns in zip(sizes, kept, second, strict=True):
        # min − k₁k₂/N, in a form that does not cancel
        total += np.minimum.outer(rows, columns) * (size - np.maximum.outer(rows, columns)) / size
    return total


def expected_hamming(sizes: Sizes, kept: Kept) -> Square:
    """Expected Hamming distance, as a fraction of all weights; exact.

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member.
    """
    counts = kept.sum(axis=0)
    return (np.add.outer(counts, counts) - 2 * expected_intersection(sizes, kept)) / sizes.sum()


def expected_jaccard_similarity(sizes: Sizes, kept: Kept, other: Other | None = None) -> Pairs:
    """Expected Jaccard similarity.

    Where every stratum has fewer than `EXACT_BELOW` weights it is summed over the distribution of the
    intersection (for several strata, as long as the members do not differ in too many kept counts).
    So it is for pairs of a single larger stratum of which one keeps fewer than `EXACT_KEPT` weights.
    Otherwise the second-order expansion of f(X) = X/(S−X), S = k₁+k₂, around m = E[X]:
    m/(S−m) + S·Var[X]/(S−m)³, whose error is of order Var[X]²/S⁴. NaN where neither keeps any weight.

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member of the rows.
        other: The same of the columns; by default those of the rows.
    """
    second = kept if other is None else other
    if sizes.max(initial=0) < EXACT_BELOW:
        left, left_of = np.unique(kept, axis=1, return_inverse=True)  # most often all keep the same number
        right, right_of = np.unique(second, axis=1, return_inverse=True)
        if len(sizes) == 1 or left.shape[1] * right.shape[1] * int(sizes.sum()) ** 2 <= _EXACT_WORK:
            return _exact_jaccard_similarity(sizes, left, right)[np.ix_(left_of.ravel(), right_of.ravel())]
    both = np.add.outer(kept.sum(axis=0), second.sum(axis=0))
    expected = expected_intersection(sizes, kept, second)
    union = both - expected
    similarity = ratio(expected, union)
    del expected  # matrices of all pairs may be large: no more of them at a time than are needed
    spread = intersection_variance(sizes, kept, second)
    spread *= both
    similarity += ratio(spread, np.power(union, 3, out=union))
    if len(sizes) == 1:
        _sum_where_few(int(sizes[0]), kept[0], second[0], similarity)
    return similarity


def corrected(sizes: Sizes, intersections: Int64[np.ndarray, "strata members members"]) -> Square:
    """Chance-corrected overlap: (I − E) ÷ (I_max − E), with E stratified and I_max = Σ min(k₁, k₂).

    0 is what independent masks show on average, 1 the most that the kept counts allow. NaN where every
    stratum is kept whole by one of the two: then only one overlap is possible.

    Args:
        sizes: Weights per stratum.
        intersections: Weights that both keep, per stratum; kept counts on the diagonals.

    Examples:
        >>> corrected(np.array([4]), np.array([[[2, 2], [2, 2]]])).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    kept = np.ascontiguousarray(intersections.diagonal(axis1=1, axis2=2))
    return ratio(intersections.sum(axis=0) - expected_intersection(sizes, kept), room(sizes, kept))


def z_of_mean(excess: Float64[np.ndarray, " pairs"], variance: Float64[np.ndarray, " pairs"]) -> float:
    """Excess of a mean intersection over its expectation, in standard deviations under chance.

    Pairs that share a mask are uncorrelated under chance, so the variance of a sum over pairs is the sum of
    their variances. With many weights it is large for the smallest effect: only for use beside an effect
    size. NaN where nothing can vary.

    Args:
        excess: Observed − expected intersection of each pair.
        variance: Variance of its intersection.

    Examples:
        >>> z_of_mean(np.array([3.0, 3.0]), np.array([2.0, 2.0]))
        3.0
    """
    total = float(variance.sum())
    return float(excess.sum()) / math.sqrt(total) if total > 0 else math.nan


def intersection_pmf(
    sizes: Sizes, first: Int64[np.ndarray, " strata"], second: Int64[np.ndarray, " strata"]
) -> Pmf:
    """Probability that two independent masks share 0, 1, 2, … weights; exact, for small strata.

    Args:
        sizes: Weights per stratum.
        first: Weights that one keeps, per stratum.
        second: Weights that the other keeps.

    Returns:
        One probability for each number of shared weights from 0 to Σ min(k₁, k₂).

    Examples:
        >>> intersection_pmf(np.array([4]), np.array([2]), np.array([2])).round(4).tolist()
        [0.1667, 0.6667, 0.1667]
    """
    total = np.ones(1)
    for size, one, two in zip(sizes, first, second, strict=True):
        own = _stratum(int(size), int(one), np.array([two]))[0, : min(int(one), int(two)) + 1]
        total = np.convolve(total, own)
    return total / total.sum()


def _exact_jaccard_similarity(sizes: Sizes, first: Kept, second: Other) -> Pairs:
    """Sum over the distribution, for distinct columns of kept counts."""
    found = np.empty((first.shape[1], second.shape[1]))
    if len(sizes) == 1:
        for row, one in zip(found, first[0], strict=True):
            row[:] = _mean_similarity(_stratum(int(sizes[0]), int(one), second[0]), int(one) + second[0])
        return found
    for at, one in enumerate(first.T):
        for place, two in enumerate(second.T):
            pmf = intersection_pmf(sizes, one, two)
            found[at, place] = _mean_similarity(pmf[None], np.array([one.sum() + two.sum()]))[0]
    return found


def _sum_where_few(
    size: int,
    first: Int64[np.ndarray, " rows"],
    second: Int64[np.ndarray, " columns"],
    similarity: Pairs,
) -> None:
    """Enter the exact sums of the pairs of one stratum of which one mask keeps few weights."""
    for few, others, found in ((first, second, similarity), (second, first, similarity.T)):
        levels, level_of = np.unique(others, return_inverse=True)
        for kept in np.unique(few[few < EXACT_KEPT]).tolist():
            pmf = _stratum(size, kept, levels)
            pmf /= pmf.sum(axis=1, keepdims=True)
            found[few == kept] = _mean_similarity(pmf, kept + levels)[level_of]


def _mean_similarity(
    pmf: Float64[np.ndarray, "levels shared"], both: Int64[np.ndarray, " levels"]
) -> Float64[np.ndarray, " levels"]:
    shared = np.arange(pmf.shape[1])
    union = both[:, None] - shared
    mean = np.divide(pmf * shared, union, out=np.zeros(pmf.shape), where=union > 0).sum(axis=1)
    return np.where(both > 0, mean, np.nan)


def _stratum(
    size: int, first: int, second: Int64[np.ndarray, " levels"]
) -> Float64[np.ndarray, "levels shared"]:
    """Probability of 0 … k₁ shared weights in one stratum, for several k₂."""
    shared, other = np.arange(first + 1)[None, :], second[:, None]
    return np.exp(
        _log_choose(other, shared)
        + _log_choose(size - other, first - shared)
        - _log_choose(np.array([size]), np.array([first]))
    )


def _log_choose(total: Counts, chosen: Counts) -> Float64[np.ndarray, "..."]:
    """Logarithm of a binomial coefficient; −∞ where more are chosen than there are."""
    from scipy import special

    return (
        special.gammaln(total + 1.0) - special.gammaln(chosen + 1.0) - special.gammaln(total - chosen + 1.0)
    )
