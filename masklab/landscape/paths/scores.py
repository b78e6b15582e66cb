"""Scores: scores on the straight line between the members', (1 − t)·s_A + t·s_B, selected as in training.

The ranking is the recipe's: |score| or the score, layer by layer with the kept counts of a's mask, or
over the whole network with its kept count. Along the path these counts are constant and nothing is
random; the path from b to a is this one walked backwards. Bits on which the members agree may flip and
flip back where scores have opposite signs, so that the path can be longer than the Hamming distance. It
runs only between members of one gate and one set of base weights, whose scores were stored, and whose
recipes select alike.

Source: Sreenivasan et al., Rare Gems: Finding Lottery Tickets at Initialization, NeurIPS 2022 (arXiv
2202.12002), the linear branch of `connect_mask` in the code of Gem-Miner, which rounds the interpolated
scores instead.
"""

from jaxtyping import Float
from torch import Tensor

from masklab.landscape import mixing
from masklab.landscape.ends import End, Ends, Masks, State, blend
from masklab.landscape.paths import Random, Rule
from masklab.training import selection

RANDOM = False


def why_not(ends: Ends, a: str, b: str) -> str | None:
    """Base weights that are not shared, scores that were not stored, or recipes that select differently."""
    if not ends.shares(a, b):
        return f"needs one gate and one set of base weights, which {a} and {b} do not share"
    if text := mixing.without_scores(ends, a, b):
        return text
    first, last = ends.card(a), ends.card(b)
    for field in ("rank", "selection"):
        mine, theirs = getattr(first, field), getattr(last, field)
        if mine != theirs:
            return f"needs one {field}: {a} has {mine!r}, {b} has {theirs!r}"
    own, other = first.kept, last.kept
    if first.selection == "global":
        own, other = {"the network": sum(own.values())}, {"the network": sum(other.values())}
    for part, kept in own.items():
        if kept != other[part]:
            return f"needs equal kept counts: of {part} {a} keeps {kept} weights, {b} {other[part]}"
    return None


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Mask."""
    return "mask"


def states(ends: Ends, a: End, b: End, t: Float[Tensor, " points"], random: Random | None) -> State:
    """States at positions t."""
    return mixing.masked(a, b, masks(ends, a, b, t), t)


def masks(ends: Ends, a: End, b: End, t: Float[Tensor, " points"]) -> Masks:
    """Masks that the scores at positions t select."""
    card = ends.card(a.id)
    keys = {
        layer: selection.rank_key(scores, card.rank).flatten(1)
        for layer, scores in blend(ends.scores(a.id), ends.scores(b.id), t).items()
    }
    if card.selection == "global":
        found = selection.global_masks(list(keys.values()), sum(a.kept.values()))
    else:
        found = [selection.top_mask(key, a.kept[layer]) for layer, key in keys.items()]
    return {
        layer: mask.reshape(len(t), *a.mask[layer].shape) for layer, mask in zip(keys, found, strict=True)
    }
