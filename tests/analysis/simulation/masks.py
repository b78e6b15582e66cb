"""Masks with known properties: exact kept counts, a shared preference, paired seeds."""

import numpy as np

from masklab import bits


def masks(
    random: np.random.Generator,
    members: int,
    size: int,
    density: float,
    *,
    common: np.ndarray | None = None,
    strength: float = 0.0,
    seeds: np.ndarray | None = None,
    pairing: float = 0.0,
) -> np.ndarray:
    """Boolean masks `[members, size]`; each keeps the largest `kept_count(size, density)` of its scores.

    score = strength · common + pairing · seeds[i] + rest · noise; the squares of the three weights sum to
    1. Given `common` and `seeds` the members are independent; without both they are at chance level.

    Args:
        random: Source of the noise.
        members: Number of masks.
        size: Number of weights.
        density: Fraction kept.
        common: Standard normal preference that all members share, `[size]`.
        strength: Its weight: 0 gives masks at chance level, 1 equal masks.
        seeds: Standard normal preference of each member, `[members, size]`; the same array in two populations
            pairs their members.
        pairing: Its weight.
    """
    scores = np.sqrt(1 - strength**2 - pairing**2) * random.standard_normal((members, size))
    if common is not None:
        scores += strength * common
    if seeds is not None:
        scores += pairing * seeds
    kept = bits.kept_count(size, density)
    chosen = np.zeros((members, size), dtype=bool)
    np.put_along_axis(chosen, np.argpartition(scores, size - kept, axis=1)[:, size - kept :], True, axis=1)
    return chosen


def intersections(found: np.ndarray) -> np.ndarray:
    """Intersection counts `[members, members]` of boolean masks, the plain way."""
    counts = found.astype(np.float64)
    return (counts @ counts.T).astype(np.int64)
