"""Geodesic: the coordinates in which two members differ move to b one after the other, in a random order.

Coordinates that differ are, under one gate and one set of base weights, those whose bits differ;
otherwise those whose effective weights do. One uniformly random order runs over all D of them, whatever
their layers; at t the first floor(t·D + ½) have moved. The Hamming distance to a therefore grows by
exactly so many, and the path is a shortest one between two corners of the hypercube. Densities of layers
vary along it even where those of the ends are equal (see geodesic-swap). From b to a the paths have the
same distribution, at 1 − t as here at t, but for where t·D ends in one half, which is rounded away from
the beginning.
"""

from functools import partial

import numpy as np
from jaxtyping import Float, Int32
from torch import Tensor

from masklab.landscape import mixing
from masklab.landscape.ends import End, Ends, State
from masklab.landscape.paths import Random, Rule

RANDOM = True


def why_not(ends: Ends, a: str, b: str) -> str | None:
    """None: this path runs between any two members."""


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Mask under one gate and one set of base weights, else effective."""
    return mixing.rule(ends, a, b)


def states(ends: Ends, a: End, b: End, t: Float[Tensor, " points"], random: Random | None) -> State:
    """States at positions t."""
    ranks, total = mixing.kept(random, partial(_ranks, a, b))
    return mixing.mixed(a, b, {layer: mixing.first(own, total, t) for layer, own in ranks.items()}, t)


def _ranks(a: End, b: End, numbers: np.random.RandomState) -> tuple[dict[str, Int32[Tensor, "*shape"]], int]:
    """Layer → place of each coordinate in the order, and how many coordinates move."""
    differs = mixing.differing(a, b)
    sizes = [int(own.sum()) for own in differs.values()]
    order, start, ranks = numbers.permutation(sum(sizes)), 0, {}
    for (layer, own), size in zip(differs.items(), sizes, strict=True):
        ranks[layer] = mixing.numbered(own, order[start : start + size])
        start += size
    return ranks, sum(sizes)
