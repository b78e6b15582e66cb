"""How far an embedding in the plane can be trusted.

Source: Venna and Kaski, Neighborhood preservation in nonlinear projection methods (ICANN 2001) for
trustworthiness; Shepard, The analysis of proximities (Psychometrika 27, 1962).
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from masklab.analysis import estimates
from masklab.analysis.embeddings import plane

NEIGHBORS = 5
"""Neighbours that count, in studies of at least 11 members; below, nearly half of the others."""

EQUAL = "all masks are equal"
CONSTANT = "all distances are equal, so that their ranks say nothing"


def neighbours(members: int) -> int:
    """Neighbours that count: fewer than half of all, as trustworthiness asks for.

    Examples:
        >>> neighbours(4), neighbours(84)
        (1, 5)
    """
    return min(NEIGHBORS, (members - 1) // 2)


def trustworthiness(hamming: plane.Square, points: plane.Points) -> float:
    """1 where all near points are near masks, about ½ where nearness says nothing; NaN if masks are equal.

    Args:
        hamming: Hamming distances, as fractions.
        points: The embedding.
    """
    from sklearn import manifold

    if not hamming.any():
        return np.nan
    return float(
        manifold.trustworthiness(
            np.sqrt(hamming), points, n_neighbors=neighbours(len(hamming)), metric="precomputed"
        )
    )


def shepard(hamming: plane.Square, points: plane.Points) -> float:
    """Spearman correlation of the distances in the plane with those of the masks, over all pairs.

    NaN where all of either are equal.

    Args:
        hamming: Hamming distances, as fractions.
        points: The embedding.
    """
    from scipy import stats
    from scipy.spatial import distance

    first = stats.rankdata(hamming[np.triu_indices(len(hamming), 1)])
    second = stats.rankdata(distance.pdist(points))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])


def common_neighbours(runs: Sequence[plane.Points]) -> float:
    """Share of the nearest points that two runs have in common, mean over members and pairs of runs.

    Args:
        runs: Embeddings of the same members.
    """
    near = [_nearest(points) for points in runs]
    shared = [(first & second).sum() / first.sum() for first, second in itertools.combinations(near, 2)]
    return float(np.mean(shared))


def _nearest(points: plane.Points) -> np.ndarray:
    """Which members are among the nearest ones of each, as a boolean matrix."""
    from scipy.spatial import distance

    apart = distance.squareform(distance.pdist(points))
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, : neighbours(len(points))]
    found = np.zeros(apart.shape, dtype=bool)
    np.put_along_axis(found, order, True, axis=1)
    return found


def measure(
    hamming: plane.Square, points: plane.Points, runs: Sequence[plane.Points], *, alone: str
) -> dict[str, Any]:
    """The field `quality` of an embedding: what is undefined is None, with a `why`.

    `stability` is `common_neighbours`, which for unrelated embeddings is `neighbors` ÷ (members − 1).

    Args:
        hamming: Hamming distances, as fractions.
        points: The embedding.
        runs: Embeddings by further runs, or none.
        alone: Why there are no further runs, if there are none.
    """
    trust, correlation = trustworthiness(hamming, points), shepard(hamming, points)
    stable = common_neighbours(runs) if runs else np.nan
    reasons = [
        EQUAL if not np.isfinite(trust) else "",
        CONSTANT if np.isfinite(trust) and not np.isfinite(correlation) else "",
        f"stability: {alone}" if not runs else "",
    ]
    found = {
        "trustworthiness": estimates.number(trust),
        "shepard": estimates.number(correlation),
        "stability": estimates.number(stable),
        "neighbors": neighbours(len(points)),
    }
    why = "; ".join(reason for reason in reasons if reason)
    return {**found, "why": why} if why else found
