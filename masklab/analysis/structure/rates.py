"""Keep rates along the axes of a layer: per filter, per input, per position of the kernel.

How unequal they are is said as a ratio: the variance of the keep rates over the positions of an axis ÷ its
expectation for a random mask with the same kept count. 1 is what random masks show, more means that kept
weights crowd on some positions.

Source: moments of the multivariate hypergeometric distribution (Johnson, Kotz and Balakrishnan, Discrete
multivariate distributions, 1997, chapter 39). Of N weights k are kept, and each of G positions has m = N/G
weights: the kept count c of a position has E[c] = k/G and Var[c] = m·(k/N)·(1 − k/N)·(N − m)/(N − 1), and the
mean of all G counts is k/G whatever the mask, so that E[Σ(c − k/G)²] = G·Var[c].
"""

import math

import numpy as np
from jaxtyping import Float64

from masklab.analysis.structure import axes, table

METRIC = "keep_rate_dispersion"
"""Variance of the keep rates over the positions of an axis ÷ its expectation for a random mask."""


def measure(layers: axes.Layers) -> table.Found:
    """Dispersion of the keep rates of one member, per layer and axis.

    Args:
        layers: Kept weights of each layer.
    """
    return {
        (name, METRIC, axis): _dispersion(counts, layer.size)
        for name, layer in layers.items()
        for axis, counts in layer.counts.items()
    }


def vectors(layers: axes.Layers) -> dict[tuple[str, str], Float64[np.ndarray, " _"]]:
    """Keep rates of one member, in [0, 1]: (layer, axis) → one per position.

    Args:
        layers: Kept weights of each layer.
    """
    return {
        (name, axis): counts * (len(counts) / layer.size)
        for name, layer in layers.items()
        for axis, counts in layer.counts.items()
    }


_FEWEST = 5
"""Positions from which a mean has an interval: dispersions over fewer are so skewed that, by simulation, a t
interval covers 83 to 92 %."""


def _dispersion(counts: axes.Counts, size: int) -> table.One:
    positions, kept = len(counts), int(counts.sum())
    if positions == 1:
        return table.One(math.nan, math.nan, "the axis has one position")
    if kept in (0, size):
        return table.One(math.nan, math.nan, "the mask keeps every weight of the layer, or none")
    each, density = size // positions, kept / size
    variance = each * density * (1 - density) * (size - each) / (size - 1)
    deviation = counts - kept / positions
    few = f"an interval needs an axis of at least {_FEWEST} positions; there are {positions}"
    found = float(deviation @ deviation) / (positions * variance)
    return table.One(found, 1.0, no_interval=few if positions < _FEWEST else "")
