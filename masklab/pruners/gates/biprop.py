"""Kept weights act as their sign times one gain per layer, the mean magnitude of the kept weights.

Source: Diffenderfer & Kailkhura, Multi-Prize Lottery Ticket Hypothesis, ICLR 2021 (arXiv 2103.09377).
"""

from typing import Any

from jaxtyping import Bool, Float

from masklab.pruners import masking


def gain(weight: Float[Any, "members *weight"], mask: Bool[Any, "members *weight"]) -> Float[Any, " members"]:
    """‖W ⊙ M‖₁ ÷ number kept: the least-squares scale of W ⊙ M ≈ gain · sign(W) ⊙ M."""
    magnitude = masking.keep(weight, mask).flatten(1).norm(p=1, dim=1)
    return magnitude / mask.flatten(1).sum(1)


def effective_weight(
    weight: Float[Any, "members *weight"],
    mask: Bool[Any, "members *weight"],
    gain: Float[Any, " members"],
) -> Float[Any, "members *weight"]:
    """Gain · sign(W) ⊙ M."""
    scale = gain.to(weight.dtype).reshape(-1, *[1] * (weight.ndim - 1))  # ±1 times it is exact
    return masking.keep(weight.sign().mul_(scale), mask)


def caution(weight_init: str) -> str | None:
    """Warning for a weight distribution under which this gate shows nothing of its own."""
    if weight_init != "signed-constant":
        return None
    return "biprop on constant |w| is edge-popup up to rounding: its gain equals every |w|"
