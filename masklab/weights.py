"""Initial values of weights and scores, drawn from streams with NumPy alone.

Every layer has a stream of its own, so equal-shaped layers do not receive equal weights, and a value
depends on nothing but its study seed, level, layer, event and rule.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float32

from masklab import seeds
from masklab.errors import ConfigError, unknown

Draw = Float32[np.ndarray, " size"]


def fan_in(shape: tuple[int, ...]) -> int:
    """Inputs of one output: product of all axes but the first.

    Examples:
        >>> fan_in((64, 3, 3, 3)), fan_in((10, 256))
        (27, 256)
    """
    return math.prod(shape[1:])


def fan_factor(fan_scale: str, density: float) -> float:
    """Factor on the fan before the standard deviation is taken.

    Args:
        fan_scale: `"none"` (1), `"kept"` (the kept fraction, so that the masked layer keeps the variance of
            its input), or `"reference"` (the fraction removed, as the published code of Edge-Popup, Biprop
            and Recycle has it: right only at density 0.5, for replication only).
        density: Fraction kept.

    Raises:
        ConfigError: `fan_scale` is not one of those, or `"reference"` at density 1, where it is 0.

    Examples:
        >>> fan_factor("kept", 0.25), fan_factor("reference", 0.25)
        (0.25, 0.75)
    """
    if fan_scale not in FAN_SCALES:
        raise ConfigError(unknown("fan_scale", fan_scale, FAN_SCALES))
    if fan_scale == "reference" and density == 1:
        raise ConfigError("fan_scale 'reference' multiplies the fan by 1 − density, which is 0 at density 1")
    return {"none": 1.0, "kept": density, "reference": 1.0 - density}[fan_scale]


FAN_SCALES = ("none", "kept", "reference")


def _kaiming_normal(random: np.random.RandomState, size: int, fan: float) -> np.ndarray:
    return random.standard_normal(size) * math.sqrt(2.0 / fan)


def _kaiming_uniform(random: np.random.RandomState, size: int, fan: float) -> np.ndarray:
    return (2.0 * random.random_sample(size) - 1.0) * math.sqrt(6.0 / fan)


def _signed_constant(random: np.random.RandomState, size: int, fan: float) -> np.ndarray:
    return np.where(random.standard_normal(size) < 0, -1.0, 1.0) * math.sqrt(2.0 / fan)


WEIGHT_INITS: dict[str, Callable[[np.random.RandomState, int, float], np.ndarray]] = {
    "kaiming-normal": _kaiming_normal,
    "kaiming-uniform": _kaiming_uniform,
    "signed-constant": _signed_constant,
    "uniform": lambda random, size, fan: 2.0 * random.random_sample(size) - 1.0,
}
"""Rule by name: (stream, size, scaled fan) → float64 values. N(0, 2/fan), U(±√(6/fan)), ±√(2/fan), U(±1)."""

_PIECE = 2**20
"""Values drawn at a time: float64 takes twice the memory of the weights themselves."""

SCORE_INITS: dict[str, Callable[[int], float]] = {
    "uniform": lambda fan: 1.0 / math.sqrt(fan),
    "kaiming-uniform": lambda fan: math.sqrt(6.0 / fan),
}
"""Half width of the uniform score distribution by name: a = √5 of the reference code, and ReLU gain."""


def draw_weights(random: np.random.RandomState, shape: tuple[int, ...], init: str, factor: float) -> Draw:
    """Base weights of one layer from an open stream, flat.

    Args:
        random: Stream to draw from; it advances by what the rule needs.
        shape: Shape of the layer's weight, outputs first.
        init: A key of `WEIGHT_INITS`.
        factor: Factor on the fan (see `fan_factor`).

    Raises:
        ConfigError: `init` is unknown.

    Source: He et al. (ICCV 2015) for the scale; Ramanujan et al. (CVPR 2020) for signed constants.
    """
    if init not in WEIGHT_INITS:
        raise ConfigError(unknown("weight_init", init, WEIGHT_INITS))
    size, fan = math.prod(shape), fan_in(shape) * factor
    values = np.empty(size, dtype=np.float32)
    for start in range(0, size, _PIECE):  # the stream goes on where it was, whatever the pieces
        piece = values[start : start + _PIECE]
        piece[:] = WEIGHT_INITS[init](random, piece.size, fan)
    return values


def initial_weights(
    seed: int, level: int, layer: str, shape: tuple[int, ...], init: str, factor: float
) -> Draw:
    """Base weights of one layer as the recipe gives them, flat (see `draw_weights`)."""
    return draw_weights(seeds.stream(seed, "weights", level, layer), shape, init, factor)


def refresh_weights(
    seed: int, level: int, layer: str, event: int, shape: tuple[int, ...], init: str, factor: float
) -> tuple[Draw, np.random.RandomState]:
    """The fresh draw of one refresh event, flat, and its stream, for what else the event draws."""
    random = seeds.stream(seed, "refresh", level, layer, event)
    return draw_weights(random, shape, init, factor), random


def initial_scores(seed: int, level: int, layer: str, shape: tuple[int, ...], init: str) -> Draw:
    """Initial scores of one layer, flat.

    Args:
        seed: The study's seed.
        level: Draw of the `scores` source.
        layer: Name of the layer.
        shape: Shape of its weight.
        init: A key of `SCORE_INITS`.

    Raises:
        ConfigError: `init` is unknown.
    """
    if init not in SCORE_INITS:
        raise ConfigError(unknown("score_init", init, SCORE_INITS))
    random = seeds.stream(seed, "scores", level, layer)
    values = (2.0 * random.random_sample(math.prod(shape)) - 1.0) * SCORE_INITS[init](fan_in(shape))
    return values.astype(np.float32)
