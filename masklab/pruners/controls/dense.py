"""Dense training of the weights, nothing pruned: the accuracy reference, outside every overlap.

Source: the dense baselines of Ramanujan et al. (CVPR 2020, arXiv 1911.13299) and of Gorbett & Whitley
(arXiv 2303.15953).
"""

import numpy as np
from jaxtyping import Bool, Float

from masklab.pruners import options

TRAINS = True
COMPARED = False
DENSITY = 1.0
"""The only density there is."""


class Options(options.TrainedOptions):
    """Options of a population of this control."""


def draw_mask(
    random: np.random.RandomState,
    weight: Float[np.ndarray, " size"],
    kept: int,
    source: Bool[np.ndarray, " size"] | None,
) -> Bool[np.ndarray, " size"]:
    """Every weight."""
    return np.ones(weight.size, dtype=bool)
