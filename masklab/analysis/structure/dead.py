"""Dead filters, into which no kept weight leads, and dead inputs, out of which none leads.

Source: a random mask that keeps k of N weights misses m given ones with probability C(N − m, k) ÷ C(N, k)
(hypergeometric), so that the expected number of dead positions among G of m = N/G weights is exact.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from masklab.analysis.overlap import WHOLE
from masklab.analysis.structure import axes, table

COUNT, SHARE = "dead_count", "dead_share"
"""Dead filters (axis `output`) or inputs (axis `input`): their number, and as a share of all of the layer."""

METRICS = (COUNT, SHARE)

AXES = ("output", "input")


def measure(layers: axes.Layers) -> table.Found:
    """Dead filters and dead inputs of one member, per layer and in the whole mask (summed over layers).

    Args:
        layers: Kept weights of each layer.
    """
    found = {}
    for axis in AXES:
        whole = np.zeros(3)
        for name, layer in layers.items():
            counts = layer.counts[axis]
            each = layer.size // len(counts)
            expected = len(counts) * probability(layer.size, each, layer.kept)
            one = np.array([(counts == 0).sum(), expected, len(counts)])
            found |= dict(_pair(name, axis, *one.tolist()))
            whole += one
        found |= dict(_pair(WHOLE, axis, *whole.tolist()))
    return found


@lru_cache(maxsize=4096)
def probability(size: int, each: int, kept: int) -> float:
    """Probability that a random mask keeps none of some given weights of a layer.

    Args:
        size: Weights of the layer.
        each: How many of them are given.
        kept: Kept weights of the layer.

    Examples:
        >>> probability(4, 2, 2), probability(4, 2, 3)
        (0.16666666666666666, 0.0)
    """
    fewer, more = sorted((each, kept))  # C(N − m, k) ÷ C(N, k) is the same with m and k exchanged
    if fewer + more > size:
        return 0.0
    if fewer <= _TERMS:
        return float(np.prod((size - more - np.arange(fewer)) / (size - np.arange(fewer))))
    from scipy import special

    logarithms = special.gammaln(
        [size - more + 1.0, size - fewer + 1.0, size + 1.0, size - fewer - more + 1.0]
    )
    return float(np.exp(logarithms[0] + logarithms[1] - logarithms[2] - logarithms[3]))


_TERMS = 100_000
"""Factors that are multiplied out; above, differences of large logarithms are good to six digits."""


def _pair(
    name: str, axis: str, dead: float, expected: float, positions: float
) -> Iterator[tuple[table.Key, table.One]]:
    yield (name, COUNT, axis), table.One(dead, expected)
    yield (name, SHARE, axis), table.One(dead / positions, expected / positions)
