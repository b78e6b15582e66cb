"""Geodesic-swap: one weight leaves and one arrives at a time, so that every layer keeps as many as before.

In each layer every weight that only a keeps is paired at random with one that only b keeps; a pair moves
in one step. Where the members do not share gate and base weights, a weight that both keep with different
values moves by itself. All steps, of all layers, stand in one uniformly random order; at t the first
floor(t·S + ½) of the S steps are made. Hence kept counts of layers are constant along the path, and the
path is possible only where the members agree in them. From b to a the paths have the same distribution,
at 1 − t as here at t, but for where t·S ends in one half.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from masklab.landscape import mixing
from masklab.landscape.ends import End, Ends, State
from masklab.landscape.paths import Random, Rule

RANDOM = True


def why_not(ends: Ends, a: str, b: str) -> str | None:
    """The first layer of which the members keep different numbers of weights."""
    for own, other in zip(ends.archive.member(a).layers, ends.archive.member(b).layers, strict=True):
        if own.kept != other.kept:
            return (
                f"needs equal kept counts in every layer: of {own.name!r} {a} keeps {own.kept} weights, "
                f"{b} {other.kept}"
            )
    return None


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Mask under one gate and one set of base weights, else effective."""
    return mixing.rule(ends, a, b)


def states(ends: Ends, a: End, b: End, t: Float[Tensor, " points"], random: Random | None) -> State:
    """States at positions t."""
    steps = _steps(a, b)
    sizes = [(int(leaving.sum()), int(alone.sum())) for leaving, _, alone in steps.values()]
    total = sum(map(sum, sizes))
    numbers = mixing.stream(random)
    order, start, taken = numbers.permutation(total), 0, {}
    for (layer, (leaving, arriving, alone)), (swaps, single) in zip(steps.items(), sizes, strict=True):
        paired, start = order[start : start + swaps], start + swaps
        by_itself, start = order[start : start + single], start + single
        ranks = mixing.numbered(leaving, paired)
        ranks = ranks.minimum(mixing.numbered(arriving, numbers.permutation(paired)))
        taken[layer] = mixing.first(ranks.minimum(mixing.numbered(alone, by_itself)), total, t)
    return mixing.mixed(a, b, taken, t)


def _steps(
    a: End, b: End
) -> dict[str, tuple[Bool[Tensor, "*shape"], Bool[Tensor, "*shape"], Bool[Tensor, "*shape"]]]:
    """Layer → what leaves, what arrives, and what both keep with different values."""
    differs = mixing.differing(a, b)
    return {
        layer: (own & ~b.mask[layer], b.mask[layer] & ~own, own & b.mask[layer] & differs[layer])
        for layer, own in a.mask.items()
    }
