"""A checkpoint of hidden-networks (Edge-Popup): `*.scores` beside `*.weight`, ranked layer by layer.

Its files do not hold the fraction kept, so it is asked for. `prune_rate` of that code is the fraction kept,
too. Masks are those of that code: of n weights the n − ⌊(1 − k)·n⌋ with the largest |scores|, which can be
one more or less than masklab's own rule keeps. Which of equal scores it keeps depends on its sort; here it is
the lower index.

Source: Ramanujan et al., What's Hidden in a Randomly Weighted Neural Network?, CVPR 2020
(github.com/allenai/hidden-networks).
"""

import numpy as np
from jaxtyping import Bool, Float32

from masklab.archive.exchange import source
from masklab.archive.exchange.source import Asked, Found, Source
from masklab.errors import ArchiveError, ConfigError

NAME = "hidden-networks"

GATE = "edge-popup"
"""How these networks use their masks."""

_SCORES, _WEIGHT = ".scores", ".weight"


def scored(foreign: Source) -> list[str]:
    """Modules that have scores beside a weight, in the file's order."""
    modules = [name.removesuffix(_SCORES) for name in foreign.arrays if name.endswith(_SCORES)]
    return [module for module in modules if module + _WEIGHT in foreign.arrays]


def claims(foreign: Source) -> bool:
    """Whether there are scores, and nothing that only Biprop's checkpoints hold."""
    return bool(scored(foreign)) and "conv_type" not in foreign.reported


def read(foreign: Source, asked: Asked) -> Found:
    """Masks cut from the scores, with weights and scores.

    Raises:
        ArchiveError: There are no scores, or they do not fit their weights.
        ConfigError: The fraction kept is not given, given twice, or no fraction.
    """
    return cut(foreign, _density(asked), GATE)


def _density(asked: Asked) -> float:
    density = given(asked)
    if density is None:
        raise ConfigError(
            f"a {NAME} checkpoint does not hold the fraction of weights kept: give --density, or "
            "--prune-rate as that code takes it (also the fraction kept)"
        )
    return density


def given(asked: Asked) -> float | None:
    """The fraction kept by either of its names.

    Raises:
        ConfigError: Both are given, or it is no fraction.
    """
    if asked.density is not None and asked.prune_rate is not None:
        raise ConfigError("--density and --prune-rate both say the fraction kept; give one of them")
    name, value = ("density", asked.density) if asked.prune_rate is None else ("prune-rate", asked.prune_rate)
    if value is not None and not 0 < value <= 1:
        raise ConfigError(f"--{name} {value:g}; allowed: a fraction above 0 and at most 1, of weights kept")
    return value


def cut(foreign: Source, density: float, gate: str) -> Found:
    """Masks of the largest |scores| of every layer.

    Args:
        foreign: The checkpoint.
        density: Fraction kept.
        gate: How the network uses its masks.

    Raises:
        ArchiveError: There are no scores, or they do not fit their weights.
    """
    modules = scored(foreign)
    if not modules:
        raise ArchiveError(f"{foreign.place}: no '*{_SCORES}' beside '*{_WEIGHT}', so no masks in it")
    masks, weights, scores = {}, {}, {}
    for module in modules:
        tensor = module + _WEIGHT
        source.same_shape(foreign, module + _SCORES, tensor)
        scores[tensor], weights[tensor] = (
            source.float32(foreign, module + part) for part in (_SCORES, _WEIGHT)
        )
        masks[tensor] = largest(scores[tensor], density)
    used = {module + part for module in modules for part in (_SCORES, _WEIGHT)}
    rest = {name: array for name, array in foreign.arrays.items() if name not in used}
    return Found(masks, weights, scores, whole=True, gate=gate, density=density, rest=rest)


def largest(scores: Float32[np.ndarray, "*shape"], density: float) -> Bool[np.ndarray, "*shape"]:
    """Mask of the n − ⌊(1 − density)·n⌋ largest |scores|; of equal ones the lower index is kept.

    Examples:
        >>> largest(np.array([[1, -3], [3, 2]], dtype=np.float32), 0.5).tolist()
        [[False, True], [True, False]]
    """
    order = np.argsort(-np.abs(scores.reshape(-1)), kind="stable")
    mask = np.zeros(scores.size, dtype=bool)
    mask[order[: scores.size - int((1 - density) * scores.size)]] = True
    return mask.reshape(scores.shape)
