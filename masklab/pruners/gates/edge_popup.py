"""Kept weights act as they are; pruned weights are zero.

Source: Ramanujan et al., What's Hidden in a Randomly Weighted Neural Network?, CVPR 2020 (arXiv 1911.13299).
"""

from typing import Any

from jaxtyping import Bool, Float

from masklab.pruners import masking

PLAIN = True
"""Kept weights act as they are: controls use this gate unless they are told another."""


def gain(weight: Float[Any, "members *weight"], mask: Bool[Any, "members *weight"]) -> None:
    """This gate scales nothing."""


def effective_weight(
    weight: Float[Any, "members *weight"],
    mask: Bool[Any, "members *weight"],
    gain: Float[Any, " members"] | None,
) -> Float[Any, "members *weight"]:
    """W ⊙ M."""
    return masking.keep(weight, mask)
