"""Untrained: a uniformly random mask with the same number of kept weights in every layer.

Over frozen random weights it scores near chance accuracy by nature; its overlap shows the chance level.

Source: Su et al., Sanity-Checking Pruning Methods, NeurIPS 2020 (arXiv 2009.11094), for the control.
"""

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from masklab.pruners import options

TRAINS = False
COMPARED = True


class Options(options.Options):
    """Options of a population of this control."""

    gate: str | None = Field(
        default=None, description="gate that turns the mask into effective weights; default the plain one"
    )


def draw_mask(
    random: np.random.RandomState,
    weight: Float[np.ndarray, " size"],
    kept: int,
    source: Bool[np.ndarray, " size"] | None,
) -> Bool[np.ndarray, " size"]:
    """Exactly `kept` weights, uniformly.

    Examples:
        >>> int(draw_mask(np.random.RandomState(0), np.zeros(100), 30, None).sum())
        30
    """
    mask = np.zeros(weight.size, dtype=bool)
    mask[random.permutation(weight.size)[:kept]] = True
    return mask
