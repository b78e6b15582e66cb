"""What independent masks with the same kept counts per layer would show.

A mask that keeps k₂ of a layer's N weights at random shares X ~ Hypergeometric(N, k₁, k₂) of them with a
mask that keeps k₁; layers are independent strata. All functions take the sizes and the kept counts of the
strata (one layer, or all layers of the whole mask) and return one value per pair of members.

Source: mean and variance of the hypergeometric distribution, summed over layers.
"""

import numpy as np
from jaxtyping import Float64, Int64

Sizes = Int64[np.ndarray, " strata"]
Kept = Int64[np.ndarray, "strata members"]
Square = Float64[np.ndarray, "members members"]
Counts = Int64[np.ndarray, "..."]

EXACT_BELOW = 1000
"""Weights of a single layer below which its expected Jaccard similarity is summed exactly."""


def ratio(part: np.ndarray, whole: np.ndarray) -> Float64[np.ndarray, "..."]:
    """Quotient of two arrays of one shape; NaN where the second is 0.

    Examples:
        >>> ratio(np.array([1, 0]), np.array([2, 0])).tolist()
        [0.5, nan]
    """
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def expected_intersection(sizes: Sizes, kept: Kept) -> Square:
    """Expected number of weights that both keep: Σ k₁k₂/N.

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member.

    Examples:
        >>> expected_intersection(np.array([10]), np.array([[5, 2]])).tolist()
        [[2.5, 1.0], [1.0, 0.4]]
    """
    total = np.zeros((kept.shape[1], kept.shape[1]))
    for size, counts in zip(sizes, kept, strict=True):
        total += np.multiply.outer(counts, counts) / size
    return total


def intersection_variance(sizes: Sizes, kept: Kept) -> Square:
    """Variance of the number of weights that both keep: Σ k₁k₂(N−k₁)(N−k₂)/(N²(N−1)).

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member.
    """
    total = np.zeros((kept.shape[1], kept.shape[1]))
    for size, counts in zip(sizes, kept, strict=True):
        spread = (counts * (size - counts)).astype(float) / size
        total += np.multiply.outer(spread, spread) / max(int(size) - 1, 1)
    return total


def expected_hamming(sizes: Sizes, kept: Kept) -> Square:
    """Expected Hamming distance, as a fraction of all weights; exact.

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member.
    """
    counts = kept.sum(axis=0)
    return (np.add.outer(counts, counts) - 2 * expected_intersection(sizes, kept)) / sizes.sum()


def expected_jaccard_similarity(sizes: Sizes, kept: Kept) -> Square:
    """Expected Jaccard similarity.

    For one stratum of fewer than `EXACT_BELOW` weights it is summed over the distribution. Otherwise the
    second-order expansion of f(X) = X/(S−X), S = k₁+k₂, around m = E[X]:
    m/(S−m) + S·Var[X]/(S−m)³, whose error is of order Var[X]²/S⁴. NaN where neither keeps any weight.

    Args:
        sizes: Weights per stratum.
        kept: Kept weights per stratum and member.
    """
    if len(sizes) == 1 and sizes[0] < EXACT_BELOW:
        return _exact_jaccard_similarity(int(sizes[0]), kept[0])
    counts = kept.sum(axis=0)
    both = np.add.outer(counts, counts)
    mean = expected_intersection(sizes, kept)
    union = both - mean
    return ratio(mean, union) + ratio(both * intersection_variance(sizes, kept), union**3)


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
    excess = np.zeros(intersections.shape[1:])
    room = np.zeros(intersections.shape[1:])
    for size, shared in zip(sizes, intersections, strict=True):
        counts = shared.diagonal()
        excess += (shared * size - np.multiply.outer(counts, counts)) / size
        # min − k₁k₂/N in a form that is exactly 0 where nothing can vary
        room += np.minimum.outer(counts, counts) * (size - np.maximum.outer(counts, counts)) / size
    return np.divide(excess, room, out=np.full_like(room, np.nan), where=room > 0)


def _exact_jaccard_similarity(size: int, kept: Int64[np.ndarray, " members"]) -> Square:
    levels, level_of = np.unique(kept, return_inverse=True)  # most often all members keep the same number
    table = np.stack([_similarity_by_second(size, int(first), levels) for first in levels])
    return table[np.ix_(level_of, level_of)]


def _similarity_by_second(
    size: int, first: int, second: Int64[np.ndarray, " levels"]
) -> Float64[np.ndarray, " levels"]:
    shared = np.arange(first + 1)[None, :]
    other = second[:, None]
    log_probability = (
        _log_choose(other, shared)
        + _log_choose(size - other, first - shared)
        - _log_choose(np.array([size]), np.array([first]))
    )
    union = np.broadcast_to(first + other - shared, log_probability.shape)
    terms = np.exp(log_probability) * shared
    mean = np.divide(terms, union, out=np.zeros_like(terms), where=union > 0).sum(axis=1)
    return np.where(first + second > 0, mean, np.nan)


def _log_choose(total: Counts, chosen: Counts) -> Float64[np.ndarray, "..."]:
    """Logarithm of a binomial coefficient; −∞ where more are chosen than there are."""
    from scipy import special

    return (
        special.gammaln(total + 1.0) - special.gammaln(chosen + 1.0) - special.gammaln(total - chosen + 1.0)
    )
