"""Nearest neighbours: how close the most alike masks come, and how many masks are copies of others.

Source: Clark and Evans, Distance to nearest neighbor as a measure of spatial relationships in populations
(Ecology 35, 1954); the null is that of matched random masks instead of points in a plane.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import jackknife
from masklab.analysis.diversity import groups

Counts = Int64[np.ndarray, "members members"]

METRICS = ("nearest_mean", "nearest_min", "distinct", "duplicate_groups")
"""Mean and smallest Hamming distance to the nearest other mask; number of distinct masks; number of groups of
two or more equal masks."""

METHOD = "the distance to be expected of as many masks; leave-one-mask-out jackknife, t"

_ALONE = "a nearest neighbour needs at least 2 masks; there is 1"
_NO_INTERVAL = {
    "nearest_min": "the smallest of several distances has no jackknife interval",
    "distinct": "a count of these masks; it has no interval",
    "duplicate_groups": "a count of these masks; it has no interval",
}


def nearest(hamming: Float64[np.ndarray, "own own"]) -> Float64[np.ndarray, " own"]:
    """Distance of each mask to its nearest other; NaN for a single mask.

    Examples:
        >>> nearest(np.array([[0, 0.5, 0.25], [0.5, 0, 0.75], [0.25, 0.75, 0]])).tolist()
        [0.25, 0.5, 0.25]
    """
    return _apart(hamming).min(axis=1) if len(hamming) > 1 else np.full(1, np.nan)


def labels(counts: Int64[np.ndarray, "own own"]) -> Int64[np.ndarray, " own"]:
    """Number of the group of equal masks of each mask: the place of the first mask of the group.

    Args:
        counts: Hamming distances as numbers of bits.
    """
    return (counts == 0).argmax(axis=1)


def variance(hamming: Float64[np.ndarray, "own own"]) -> float:
    """Jackknife variance of the mean distance to the nearest mask, over draws of the masks.

    Leaving out a mask removes its own distance and turns those to whom it was nearest to their second.

    Args:
        hamming: Hamming distances of at least 3 masks.
    """
    n = len(hamming)
    apart = _apart(hamming)
    first = apart.argmin(axis=1)
    two = np.partition(apart, 1, axis=1)[:, :2]
    longer = np.zeros(n)
    np.add.at(longer, first, two[:, 1] - two[:, 0])
    without = (two[:, 0].sum() - two[:, 0] + longer) / (n - 1)
    return float(jackknife.variance(without))


def _apart(hamming: Float64[np.ndarray, "own own"]) -> Float64[np.ndarray, "own own"]:
    found = hamming.copy()
    np.fill_diagonal(found, np.inf)
    return found


def rows(group: groups.Group, size: int, observed: Counts, twins: Sequence[Counts]) -> list[groups.Row]:
    """One row per metric.

    Args:
        group: Whose masks.
        size: Weights of a mask.
        observed: Hamming distances of all members of the design, as numbers of bits.
        twins: Those of matched random masks.
    """
    parts = [groups.submatrix(observed, part) for part in group.parts]
    values = [_values(part, size) for part in parts]
    null = [
        np.mean([_values(groups.submatrix(twin, part), size) for part in group.parts], axis=0)
        for twin in twins
    ]
    found = []
    for at, metric in enumerate(METRICS):
        why = _why(group, metric)
        spreads = [math.nan if why else variance(part / size) for part in parts]
        method = "no interval" if metric in _NO_INTERVAL else METHOD
        estimate = groups.over_parts(group, [own[at] for own in values], spreads, method=method, why=why)
        found.append(groups.row(group, metric, estimate, [float(twin[at]) for twin in null]))
    return found


def _values(counts: Int64[np.ndarray, "own own"], size: int) -> list[float]:
    """The metrics of one part, in the order of `METRICS`."""
    distances = nearest(counts / size)
    _, sizes = np.unique(labels(counts), return_counts=True)
    return [float(distances.mean()), float(distances.min()), float(len(sizes)), float((sizes > 1).sum())]


def _why(group: groups.Group, metric: str) -> str:
    if min(len(part) for part in group.parts) < 2 and metric.startswith("nearest"):
        return _ALONE
    if metric in _NO_INTERVAL:
        return _NO_INTERVAL[metric]
    return groups.too_few(group)
