"""Geodesic: the coordinates in which two members differ move to b one after the other, in a random order.

Coordinates that differ are, under one gate and one set of base weights, those whose bits differ;
otherwise those whose effective weights do. One uniformly random order runs over all D of them, whatever
their layers; at t the first floor(t·D + ½) have moved. The Hamming distance to a therefore grows by
exactly so many, and the path is a shortest one between two corners of the hypercube. Densities of layers
vary along it even where those of the ends are equal (see geodesic-swap). From b to a the paths have the
same distribution, at 1 − t as here at t, but for where t·D ends in one half, which is rounded away from
the beginning.
"""

from jaxtyping import Float
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
    differs = mixing.differing(a, b)
    numbers = [int(own.sum()) for own in differs.values()]
    total = sum(numbers)
    order, start, taken = mixing.stream(random).permutation(total), 0, {}
    for (layer, own), number in zip(differs.items(), numbers, strict=True):
        ranks = mixing.numbered(own, order[start : start + number])
        taken[layer] = mixing.first(ranks, total, t)
        start += number
    return mixing.mixed(a, b, taken, t)
