"""Networks between two members that take each coordinate from one of them."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from masklab.landscape.ends import End, Ends, State, blend
from masklab.landscape.paths import Rule

Taken = Mapping[str, Bool[Tensor, "points *shape"]]
"""Layer → which coordinates come from the second member."""


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Under one gate and one set of base weights a mask between the ends has effective weights of its own."""
    return "mask" if ends.shares(a, b) else "effective"


def mixed(ends: Ends, a: End, b: End, taken: Taken, t: Float[Tensor, " points"]) -> State:
    """States whose coordinates come from a, or from b where taken; what surrounds them is blended.

    Args:
        ends: The members of the study.
        a: Where the path begins.
        b: Where it ends.
        taken: Coordinates that come from b.
        t: Positions.
    """
    if rule(ends, a.id, b.id) == "mask":
        state = a.with_masks(
            {layer: torch.where(own, b.mask[layer], a.mask[layer]) for layer, own in taken.items()}
        )
    else:
        state = {
            f"{layer}.weight": torch.where(own, b.effective[layer], a.effective[layer])
            for layer, own in taken.items()
        }
    return state | blend(a.around, b.around, t)


def differing(ends: Ends, a: End, b: End) -> dict[str, Bool[Tensor, "*shape"]]:
    """Coordinates that must be taken from b: those whose bits differ, or whose effective values do."""
    if rule(ends, a.id, b.id) == "mask":
        return {layer: own != b.mask[layer] for layer, own in a.mask.items()}
    return {layer: own != b.effective[layer] for layer, own in a.effective.items()}
