"""Ranked: what a holds least dear leaves first, and what b holds dearest arrives first; nothing is random.

In each layer the weights that only a keeps leave in growing order of a's ranking key, those that only b
keeps arrive in falling order of b's, and, where the members do not share gate and base weights, those
that both keep with different values move in falling order of b's. The key is |score|, or the score, as
the population's `rank` says; on ties the lower index ranks higher, as in selection. At t the first
floor(t·n + ½) of each of the three, of n in that layer, have moved: equal kept counts stay equal. The
masks from b to a at 1 − t are those from a to b at t, but for where t·n ends in one half, which is
rounded away from the beginning.
"""

import torch
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from masklab.landscape import mixing
from masklab.landscape.ends import End, Ends, State
from masklab.landscape.paths import Random, Rule

RANDOM = False


def why_not(ends: Ends, a: str, b: str) -> str | None:
    """Which of the members has no scores."""
    return mixing.without_scores(ends, a, b)


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Mask under one gate and one set of base weights, else effective."""
    return mixing.rule(ends, a, b)


def states(ends: Ends, a: End, b: End, t: Float[Tensor, " points"], random: Random | None) -> State:
    """States at positions t."""
    keys_a, keys_b, differs = mixing.keys(ends, a.id), mixing.keys(ends, b.id), mixing.differing(a, b)
    taken = {}
    for layer, own in a.mask.items():
        other = b.mask[layer]
        leaving, arriving, alone = own & ~other, other & ~own, own & other & differs[layer]
        moved = _first(leaving, keys_a[layer], t, falling=False)
        moved |= _first(arriving, keys_b[layer], t, falling=True)
        moved |= _first(alone, keys_b[layer], t, falling=True)
        taken[layer] = moved
    return mixing.mixed(a, b, taken, t)


def _first(
    where: Bool[Tensor, "*shape"],
    key: Float[Tensor, "*shape"],
    t: Float[Tensor, " points"],
    *,
    falling: bool,
) -> Bool[Tensor, "points *shape"]:
    """Which of some weights have moved, in order of a key."""
    order = key[where].argsort(descending=True, stable=True)
    number = len(order)
    ranks: Int32[Tensor, " chosen"] = torch.empty_like(order, dtype=torch.int32)
    ranks[order] = torch.arange(number, dtype=torch.int32, device=order.device)
    return mixing.first(mixing.numbered(where, ranks if falling else number - 1 - ranks), number, t)
