"""Vendi score: the effective number of masks, from the eigenvalues of their bit correlations.

Kernel: φ, the correlation of the bits of two masks, with every layer centred by each mask's own kept share.
It is the Gram matrix of unit vectors (bits minus kept share, layer after layer, divided by the length), so
it is positive semidefinite with ones on the diagonal whatever the kept counts are, and independent masks of
the same kept counts per layer have 0 on average. Pooled over layers, φ would take for agreement that all
masks keep more of one layer than of another.

Source: Friedman and Dieng, The Vendi score (TMLR 2023); orders: Pasarkar and Dieng, Cousins of the Vendi
score (AISTATS 2024); Efron and Stein (Annals of Statistics 9, 1981) for the interval.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Integer

from masklab.analysis import jackknife
from masklab.analysis.diversity import groups

Kernel = Float64[np.ndarray, "own own"]

ORDERS = {"vendi": 1.0, "vendi_2": 2.0, "vendi_inf": math.inf}
"""Metric → order: the higher, the more the score follows the largest groups of alike masks."""

MOST_OF_DRAW = 256
"""Masks of a weight draw up to which there is an interval (it solves once per mask)."""

METHOD = "the score to be expected of as many masks; leave-one-mask-out jackknife, t"

_UNDEFINED = "a mask keeps every weight, or none, of every layer, so that its bits correlate with nothing"
_MANY = f"an interval is computed for up to {MOST_OF_DRAW} masks of a weight draw"
_NO_ORDER = "no interval for this order: that of the jackknife covers too little where masks form groups"


def kernel(
    sizes: Integer[np.ndarray, " strata"], intersections: Integer[np.ndarray, "strata own own"]
) -> Float64[np.ndarray, "own own"]:
    """φ of all pairs, layers centred one by one; exact integers until the last division.

    NaN in the rows of masks that keep all or none of every layer.

    Args:
        sizes: Weights per layer.
        intersections: Weights that both keep, per layer; kept counts on the diagonals.

    Examples:
        >>> kernel(np.array([4]), np.array([[[2, 1], [1, 2]]])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    shared = np.zeros(intersections.shape[1:])
    for size, counts in zip(sizes, intersections, strict=True):
        exact = counts.astype(np.int64)
        kept = exact.diagonal()
        shared += (exact * int(size) - np.multiply.outer(kept, kept)) / size
    spread = shared.diagonal().copy()
    length = np.sqrt(np.where(spread > 0, spread, np.nan))
    found = shared / np.multiply.outer(length, length)
    np.fill_diagonal(found, np.where(spread > 0, 1.0, np.nan))
    return found


def shares(similarity: Kernel) -> Float64[np.ndarray, " own"]:
    """Eigenvalues of K/n, at least 0 and of sum 1: what rounding moved below 0 is put back."""
    found = np.maximum(np.linalg.eigvalsh(similarity / len(similarity)), 0.0)
    return found / found.sum()


def of_shares(eigenvalues: Float64[np.ndarray, " own"], order: float = 1.0) -> float:
    """Score of some order: exp of the Rényi entropy, from 1 (all masks equal) to their number.

    Args:
        eigenvalues: Shares of sum 1.
        order: 1 (Shannon), any other positive number, or infinity (the largest share alone).
    """
    present = eigenvalues[eigenvalues > 0]
    if order == 1:
        return float(np.exp(-(present * np.log(present)).sum()))
    if math.isinf(order):
        return float(1 / present.max())
    return float((present**order).sum() ** (1 / (1 - order)))


def score(similarity: Kernel, order: float = 1.0) -> float:
    """Vendi score of a positive semidefinite similarity with ones on the diagonal; NaN where that is.

    Args:
        similarity: Similarity of all pairs.
        order: See `of_shares`.

    Examples:
        >>> round(score(np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])), 4)
        2.1573
    """
    return of_shares(shares(similarity), order) if np.isfinite(similarity).all() else math.nan


def variance(similarity: Kernel) -> float:
    """Variance of the score of order 1 over independent draws of the masks, by leaving out one at a time.

    Near chance the score is n − Σφ² over the pairs: with one mask fewer it spreads less, by the number of
    pairs that a mask is in. The factor n(n−1)/(n−2)² makes up for that, exactly for a sum over pairs; masks
    that are more alike lose less, and the variance is then too large; that of few masks that differ in kind
    is too small (see `groups.LEAST_FOR_INTERVAL`).

    Args:
        similarity: Similarity of all pairs of at least 3 masks.
    """
    n = len(similarity)
    without = np.array([score(_without(similarity, at)) for at in range(n)])
    return float(jackknife.variance(without, factor=n * (n - 1) / (n - 2) ** 2))


def _without(similarity: Kernel, at: int) -> Float64[np.ndarray, "rest rest"]:
    rest = np.flatnonzero(np.arange(len(similarity)) != at)
    return groups.submatrix(similarity, rest)


def rows(group: groups.Group, observed: Kernel, twins: Sequence[Kernel]) -> list[groups.Row]:
    """One row per order.

    Args:
        group: Whose masks.
        observed: Kernel of all members of the design.
        twins: Kernels of matched random masks.
    """
    found = []
    similarities = [groups.submatrix(observed, part) for part in group.parts]
    null = [[shares_or_none(groups.submatrix(twin, part)) for part in group.parts] for twin in twins]
    for metric, order in ORDERS.items():
        values = [score(similarity, order) for similarity in similarities]
        why = _why(group, values, order)
        spreads = [math.nan if why else variance(similarity) for similarity in similarities]
        method = METHOD if order == 1 else "no interval"
        estimate = groups.over_parts(group, values, spreads, method=method, why=why)
        chance = [
            float(np.mean([math.nan if own is None else of_shares(own, order) for own in twin]))
            for twin in null
        ]
        found.append(groups.row(group, metric, estimate, chance))
    return found


def shares_or_none(similarity: Kernel) -> Float64[np.ndarray, " own"] | None:
    """`shares`, or None where the similarity is undefined."""
    return shares(similarity) if np.isfinite(similarity).all() else None


def _why(group: groups.Group, values: Sequence[float], order: float) -> str:
    if not np.isfinite(values).all():
        return _UNDEFINED
    if order != 1:
        return _NO_ORDER
    many = max(len(part) for part in group.parts) > MOST_OF_DRAW
    return groups.too_few(group) or (_MANY if many else "")
