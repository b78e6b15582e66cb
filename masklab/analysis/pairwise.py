"""Similarities and distances of pairs of masks, each from the counts of the pair alone.

With I weights kept by both, k₁ and k₂ kept by each, and N weights in all. Every function takes the
intersections (several replicates: leading axes), the kept counts of the rows, N, and the kept counts
of the columns where these are other members than the rows. All but the two of Jaccard are linear in I, so
given an expected I they return their own expectation.

Source: Gower and Legendre, Metric and Euclidean properties of dissimilarity coefficients (Journal of
Classification 3, 1986); Cohen, A coefficient of agreement for nominal scales (Educational and Psychological
Measurement 20, 1960).
"""

import numpy as np
from jaxtyping import Float64, Int64, Integer, Num

from masklab.analysis import chance

Shared = Num[np.ndarray, "*replicates rows columns"]
Rows = Integer[np.ndarray, " rows"]
Columns = Integer[np.ndarray, " columns"]
Values = Float64[np.ndarray, "*replicates rows columns"]


def hamming(intersections: Shared, kept: Rows, size: int, other: Columns | None = None) -> Values:
    """Hamming distance (k₁ + k₂ − 2I) ÷ N: share of all weights that exactly one keeps, in [0, 1].

    Args:
        intersections: Weights that both keep.
        kept: Weights kept by the member of each row.
        size: Number of weights.
        other: Weights kept by the member of each column; those of the rows by default.
    """
    return (_total(kept, other) - intersections - intersections) / size


def jaccard_similarity(intersections: Shared, kept: Rows, size: int, other: Columns | None = None) -> Values:
    """Jaccard similarity I ÷ (k₁ + k₂ − I), in [0, 1]; NaN where neither keeps any weight.

    Args:
        intersections: Weights that both keep.
        kept: Weights kept by the member of each row.
        size: Number of weights; it plays no part.
        other: Weights kept by the member of each column; those of the rows by default.
    """
    return chance.ratio(intersections, _total(kept, other) - intersections)


def jaccard(intersections: Shared, kept: Rows, size: int, other: Columns | None = None) -> Values:
    """Jaccard distance: 1 − `jaccard_similarity`, in [0, 1]; NaN where neither keeps any weight.

    Args:
        intersections: Weights that both keep.
        kept: Weights kept by the member of each row.
        size: Number of weights; it plays no part.
        other: Weights kept by the member of each column; those of the rows by default.
    """
    union = _total(kept, other) - intersections
    return chance.ratio(union - intersections, union)


def dice_similarity(intersections: Shared, kept: Rows, size: int, other: Columns | None = None) -> Values:
    """Dice similarity 2I ÷ (k₁ + k₂), in [0, 1]; NaN where neither keeps any weight.

    Args:
        intersections: Weights that both keep.
        kept: Weights kept by the member of each row.
        size: Number of weights; it plays no part.
        other: Weights kept by the member of each column; those of the rows by default.
    """
    return chance.ratio(intersections, _total(kept, other) / 2)


def overlap_coefficient(intersections: Shared, kept: Rows, size: int, other: Columns | None = None) -> Values:
    """Overlap coefficient I ÷ min(k₁, k₂), in [0, 1]; NaN where one keeps no weight.

    Args:
        intersections: Weights that both keep.
        kept: Weights kept by the member of each row.
        size: Number of weights; it plays no part.
        other: Weights kept by the member of each column; those of the rows by default.
    """
    return chance.ratio(intersections, np.minimum.outer(kept, kept if other is None else other))


def kappa(intersections: Shared, kept: Rows, size: int, other: Columns | None = None) -> Values:
    """Cohen's κ of the bits, in [−1, 1]; NaN where both keep every weight, or both none.

    With p₀ the share of equal bits and pₑ the share expected from the two densities, (p₀ − pₑ) ÷ (1 − pₑ) =
    2(N·I − k₁k₂) ÷ (k₁(N − k₂) + k₂(N − k₁)). The densities are those of the whole: over several layers it
    takes equal layer densities for agreement, as `chance.corrected` does not.

    Args:
        intersections: Weights that both keep.
        kept: Weights kept by the member of each row.
        size: Number of weights.
        other: Weights kept by the member of each column; those of the rows by default.
    """
    first, second = _sides(kept, other)
    product = np.multiply.outer(first, second)
    room = np.add.outer(size * first, size * second)
    room -= product
    room -= product
    covariance = intersections * np.float64(size)
    covariance -= product
    covariance *= 2
    return chance.ratio(covariance, room)


def phi(intersections: Shared, kept: Rows, size: int, other: Columns | None = None) -> Values:
    """Correlation φ of the bits, in [−1, 1]; NaN where one keeps every weight, or none.

    (N·I − k₁k₂) ÷ √(k₁(N − k₁)k₂(N − k₂)), Pearson's correlation of the two rows of bits.

    Args:
        intersections: Weights that both keep.
        kept: Weights kept by the member of each row.
        size: Number of weights.
        other: Weights kept by the member of each column; those of the rows by default.
    """
    first, second = _sides(kept, other)
    covariance = intersections * np.float64(size)
    covariance -= np.multiply.outer(first, second)
    spread = np.multiply.outer(np.sqrt(first * (size - first)), np.sqrt(second * (size - second)))
    return chance.ratio(covariance, spread)


def _total(kept: Rows, other: Columns | None) -> Int64[np.ndarray, "rows columns"]:
    first = kept.astype(np.int64)
    return np.add.outer(first, first if other is None else other.astype(np.int64))


def _sides(
    kept: Rows, other: Columns | None
) -> tuple[Float64[np.ndarray, " rows"], Float64[np.ndarray, " columns"]]:
    first = kept.astype(np.float64)
    return first, first if other is None else other.astype(np.float64)
