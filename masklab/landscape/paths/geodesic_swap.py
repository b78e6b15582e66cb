"""Geodesic-swap: one weight leaves and one arrives at a time, so that every layer keeps as many as before.

In each layer every weight that only a keeps is paired at random with one that only b keeps; a pair moves
in one step. Where the members do not share gate and base weights, a weight that both keep with different
values moves by itself. All steps, of all layers, stand in one uniformly random order; at t the first
floor(t·S + ½) of the S steps are made. Hence kept counts of layers are constant along the path, and the
path is possible only where the members agree in them. From b to a the paths have the same distribution,
at 1 − t as here at t, but for where t·S ends in one half.
"""

from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from masklab.landscape import mixing
from masklab.landscape.ends import End, Ends, State
from masklab.landscape.paths import Random, Rule

RANDOM = True


def why_not(ends: Ends, a: str, b: str) -> str | None:
    """The first layer of which the members keep different numbers of weights."""
    other = ends.card(b).kept
    for layer, own in ends.card(a).kept.items():
        if own != other[layer]:
            return (
                f"needs equal kept counts in every layer: of {layer!r} {a} keeps {own} weights, "
                f"{b} {other[layer]}"
            )
    return None


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Mask under one gate and one set of base weights, else effective."""
    return mixing.rule(ends, a, b)


def states(ends: Ends, a: End, b: End, t: Float[Tensor, " points"], random: Random | None) -> State:
    """States at positions t."""
    ranks, total = mixing.kept(random, partial(_ranks, a, b))
    return mixing.mixed(a, b, {layer: mixing.first(own, total, t) for layer, own in ranks.items()}, t)


def _ranks(a: End, b: End, numbers: np.random.RandomState) -> tuple[dict[str, Int32[Tensor, "*shape"]], int]:
    """Layer → step in which each weight moves, and how many steps there are."""
    steps = _steps(a, b)
    sizes = [(int(leaving.sum()), int(alone.sum())) for leaving, _, alone in steps.values()]
    total = sum(map(sum, sizes))
    order, start, ranks = numbers.permutation(total), 0, {}
    for (layer, (leaving, arriving, alone)), (swaps, single) in zip(steps.items(), sizes, strict=True):
        paired, start = order[start : start + swaps], start + swaps
        by_itself, start = order[start : start + single], start + single
        own = mixing.numbered(leaving, paired)
        own = own.minimum(mixing.numbered(arriving, numbers.permutation(paired)))
        ranks[layer] = own.minimum(mixing.numbered(alone, by_itself))
    return ranks, total


def _steps(
    a: End, b: End
) -> dict[str, tuple[Bool[Tensor, "*shape"], Bool[Tensor, "*shape"], Bool[Tensor, "*shape"]]]:
    """Layer → what leaves, what arrives, and what both keep with different values."""
    differs = mixing.differing(a, b)
    return {
        layer: (own & ~b.mask[layer], b.mask[layer] & ~own, own & b.mask[layer] & differs[layer])
        for layer, own in a.mask.items()
    }
