"""Untrained: the mask of member i of population `of`, permuted within each layer, on that member's weights.

It keeps what the source found about layers (how many weights, which values there are) and loses what it
found about weights; over frozen random weights it scores near chance accuracy by nature.

Source: Frankle et al., Pruning Neural Networks at Initialization: Why Are We Missing the Mark?, ICLR 2021
(arXiv 2009.08576), for the control.
"""

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from masklab.pruners import options

TRAINS = False
COMPARED = True


class Options(options.Options):
    """Options of a population of this control."""

    of: str = Field(description="name of the population whose masks are permuted")


def draw_mask(
    random: np.random.RandomState,
    weight: Float[np.ndarray, " size"],
    kept: int,
    source: Bool[np.ndarray, " size"] | None,
) -> Bool[np.ndarray, " size"]:
    """The source's mask in random order.

    Raises:
        ValueError: There is no source.

    Examples:
        >>> source = np.arange(100) < 30
        >>> int(draw_mask(np.random.RandomState(0), np.zeros(100), 1, source).sum())
        30
    """
    if source is None:
        raise ValueError("a shuffled mask needs a source")
    return source[random.permutation(source.size)]
