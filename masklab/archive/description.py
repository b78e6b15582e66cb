"""What a member file says of its layers and base weights, checked before anything relies on it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from masklab import weights

SIZE_LIMIT = 2**31
"""Weights that a layer may have; a description of a larger one is refused before memory is taken."""


@dataclass(frozen=True)
class Layer:
    """What a member file says of one masked layer.

    Attributes:
        name: The module's name in the network.
        shape: Shape of its weight, outputs first.
        kept: Number of kept weights.
        codec: Codec of its mask, `"bitmap"` or `"gaps"`.
        gain: Factor that the gate puts on kept weights, or None for a gate without one.
        origin: None while the base weights are the recipe's; otherwise what the origin's integers mean:
            `"event"` (number of the refresh event that drew the value, 0 = never) or `"position"`
            (1 + position in the initial layer that the value came from, 0 = its own).
        origin_width: Bytes per stored origin entry.
    """

    name: str
    shape: tuple[int, ...]
    kept: int
    codec: str = "bitmap"
    gain: float | None = None
    origin: str | None = None
    origin_width: int = 0

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Recipe:
    """How the initial base weights are drawn (see `masklab.weights`)."""

    seed: int
    level: int
    refresh_level: int
    init: str
    factor: float

    def initial(self, layer: Layer) -> Float32[np.ndarray, " size"]:
        """Initial base weights of a layer, flat."""
        return weights.initial_weights(self.seed, self.level, layer.name, layer.shape, self.init, self.factor)

    def event(self, layer: Layer, event: int) -> Float32[np.ndarray, " size"]:
        """Fresh draw of one refresh event for a layer, flat."""
        return weights.refresh_weights(
            self.seed, self.refresh_level, layer.name, event, layer.shape, self.init, self.factor
        )[0]


def read_layer(entry: Mapping[str, Any]) -> Layer:
    """Layer of an entry in a member file's document.

    Raises:
        KeyError: Something is missing.
        TypeError: Something has another type.
        ValueError: Something has another type or is out of range.
    """
    origin = entry["origin"] or {"kind": None, "width": 0}
    layer = Layer(
        name=_typed(entry["name"], str, "layer name"),
        shape=tuple(_whole(length, "axis of a layer", least=1) for length in entry["shape"]),
        kept=_whole(entry["kept"], "kept count"),
        codec=_typed(entry["codec"], str, "codec"),
        gain=None if entry["gain"] is None else _finite(entry["gain"], "gain"),
        origin=origin["kind"],
        origin_width=_whole(origin["width"], "origin width"),
    )
    if layer.size > SIZE_LIMIT or layer.kept > layer.size:
        raise ValueError(f"layer {layer.name!r} of {layer.size} weights, {layer.kept} kept")
    return layer


_OTHER_TENSORS = re.compile(r"snapshot/[0-9]+/.+|buffer/[^/]+|parameter/[^/]+")


def check_tensors(layers: Sequence[Layer], tensors: Mapping[str, Mapping[str, Any]]) -> None:
    """Hold the tensors of a member file against the closed list of names, types and shapes.

    Raises:
        ValueError: A tensor is missing, not in the list, or of another type or shape than its layer.
    """
    expected: dict[str, tuple[tuple[str, ...], list[int] | int]] = {}
    for layer in layers:
        expected[f"mask/{layer.name}"] = (("U8",), 1)
        expected[f"score/{layer.name}"] = (("F32",), list(layer.shape))
        if layer.origin is not None:
            expected[f"origin/{layer.name}"] = (("U8",), 1)
    expected["prediction/class"] = (("U8", "U16"), 1)
    expected["prediction/probability"] = (("F16",), 2)
    for name, (types, shape) in expected.items():
        found = tensors.get(name)
        if found is None:
            if not name.startswith("score/"):
                raise ValueError(f"tensor {name!r} is missing")
        elif found["dtype"] not in types or shape not in (found["shape"], len(found["shape"])):
            raise ValueError(f"tensor {name!r} is {found['dtype']} of shape {found['shape']}")
    for name in tensors:
        if name not in expected and not _OTHER_TENSORS.fullmatch(name):
            raise ValueError(f"tensor {name!r} does not belong in a member file")


def read_recipe(base: Mapping[str, Any]) -> Recipe:
    """Recipe of the base weights in a member file's document.

    Raises:
        KeyError: Something is missing.
        TypeError: Something has another type.
        ValueError: Something has another type or is out of range.
    """
    init, factor = _typed(base["init"], str, "init"), _finite(base["factor"], "factor")
    if init not in weights.WEIGHT_INITS or factor <= 0:
        raise ValueError(f"base weights drawn by {init!r} with factor {factor}")
    draws = [_whole(base[key], key) for key in ("seed", "level", "refresh_level")]
    return Recipe(*draws, init=init, factor=factor)


def _typed(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{what} {value!r} is not {kind.__name__}")
    return value


def _whole(value: Any, what: str, least: int = 0) -> int:
    if type(value) is not int or value < least:  # True is no number here
        raise ValueError(f"{what} {value!r} is not a whole number from {least}")
    return value


def _finite(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not -1e308 < value < 1e308:
        raise ValueError(f"{what} {value!r} is not a finite number")
    return value
