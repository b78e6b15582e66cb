"""Dense training of the weights, then the largest trained weights of each layer are kept; no retraining.

Source: Han et al., Learning both Weights and Connections for Efficient Neural Networks, NeurIPS 2015
(arXiv 1506.02626), one round without retraining.
"""

import numpy as np
from jaxtyping import Bool, Float

from masklab.pruners import options

TRAINS = True
COMPARED = True


class Options(options.TrainedOptions):
    """Options of a population of this control."""


def draw_mask(
    random: np.random.RandomState,
    weight: Float[np.ndarray, " size"],
    kept: int,
    source: Bool[np.ndarray, " size"] | None,
) -> Bool[np.ndarray, " size"]:
    """The `kept` largest |w|; on ties the lower index wins.

    Examples:
        >>> draw_mask(np.random.RandomState(0), np.array([1.0, -3.0, 3.0, 3.0]), 2, None).tolist()
        [False, True, True, False]
    """
    mask = np.zeros(weight.size, dtype=bool)
    mask[np.argsort(-np.abs(weight), kind="stable")[:kept]] = True
    return mask
