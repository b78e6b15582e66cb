"""What a member file says of its layers and base weights, checked before anything relies on it."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from masklab import weights
from masklab.archive import container, study_file

LAYER_LIMIT, NETWORK_LIMIT = 2**27, 2**30
"""Weights that a layer, and all layers together, may have: what they need is bounded before it is taken."""

TENSOR_LIMIT = 4 * LAYER_LIMIT
"""Bytes that a tensor of a member file may have."""

TRAINED = "trained"
"""Origin of base weights that were trained: no recipe gives them, so the file holds them."""

STORED = "stored"
"""Origin of base weights that came from another tool: the file holds them."""

ABSENT = "absent"
"""Origin of base weights that are not known: the file holds a mask alone."""

HELD = (TRAINED, STORED)
"""Origins of base weights that the file holds as they are."""

_LAYER_NAME = re.compile(r"[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,255}")


@dataclass(frozen=True)
class Layer:
    """What a member file says of one masked layer.

    Attributes:
        name: The module's name in the network.
        shape: Shape of its weight, outputs first.
        kept: Number of kept weights.
        codec: Codec of its mask (see `masklab.archive.codec`).
        gain: Factor that the gate puts on kept weights, or None for a gate without one.
        origin: None while the base weights are the recipe's; otherwise what the origin's integers mean:
            `"event"` (number of the refresh event that drew the value, 0 = never) or `"position"`
            (1 + position in the initial layer that the value came from, 0 = its own). Three kinds have no
            integers: `"trained"` and `"stored"` (the file holds the weights, which were trained, or came
            from another tool), `"absent"` (the weights are not known).
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


Snapshots = dict[int, dict[str, Layer]]
"""Epochs done → layer name → layer as it was then."""


def read(document: Mapping[str, Any]) -> tuple[list[Layer], Recipe | None, Snapshots]:
    """Layers, recipe and snapshots of a member file's document, held against its tensors.

    Raises:
        ValueError: Something is missing, of another type, out of range, or contradicts something else.
    """
    try:
        _check_identity(document)
        layers, recipe = read_layers(document), read_recipe(document["base"])
        snapshots = read_snapshots(document, layers)
        check_tensors(layers, snapshots, document["tensors"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return layers, recipe, snapshots


def _check_identity(document: Mapping[str, Any]) -> None:
    population = _typed(document["population"], str, "population")
    if not study_file.POPULATION_NAME.fullmatch(population):
        raise ValueError(f"population {population!r:.80}; allowed: a-z 0-9 . + _ -, no dot in front")
    _whole(document["index"], "index", most=10**9 - 1)


def read_layer(entry: Mapping[str, Any]) -> Layer:
    """Layer of an entry in a member file's document.

    Raises:
        KeyError: Something is missing.
        TypeError: Something has another type.
        ValueError: Something has another type or is out of range.
    """
    shape, origin = _typed(entry["shape"], list, "shape"), entry["origin"]
    origin = {"kind": None, "width": 0} if origin is None else origin
    if len(shape) > container.AXES_LIMIT:
        raise ValueError(f"layer of {len(shape)} axes; at most {container.AXES_LIMIT}")
    layer = Layer(
        name=_typed(entry["name"], str, "layer name"),
        shape=tuple(_whole(length, "axis of a layer", least=1, most=LAYER_LIMIT) for length in shape),
        kept=_whole(entry["kept"], "kept count", most=LAYER_LIMIT),
        codec=_typed(entry["codec"], str, "codec"),
        gain=None if entry["gain"] is None else _finite(entry["gain"], "gain"),
        origin=origin["kind"],
        origin_width=_whole(origin["width"], "origin width"),
    )
    if not _LAYER_NAME.fullmatch(layer.name):
        raise ValueError(f"layer name {layer.name!r:.80}; 1 to 255 characters, no slash or control character")
    if layer.origin in (*HELD, ABSENT) and layer.origin_width:
        raise ValueError(
            f"layer {layer.name!r} has {layer.origin} weights and origins of {layer.origin_width} bytes"
        )
    if layer.size > LAYER_LIMIT or layer.kept > layer.size:
        raise ValueError(
            f"layer {layer.name!r} of {layer.size:.4g} weights, {layer.kept:.4g} kept; at most {LAYER_LIMIT}"
        )
    return layer


def read_layers(document: Mapping[str, Any]) -> list[Layer]:
    """Layers of a member file's document, in its order.

    Raises:
        KeyError: Something is missing.
        TypeError: Something has another type.
        ValueError: Something has another type or is out of range, a name stands twice, or the base weights
            come from a recipe that is not there.
    """
    layers = [read_layer(entry) for entry in _typed(document["layers"], list, "layers")]
    if len({layer.name for layer in layers}) < len(layers):
        raise ValueError("two layers have one name")
    if sum(layer.size for layer in layers) > NETWORK_LIMIT:
        raise ValueError(f"layers of more than {NETWORK_LIMIT} weights together")
    _typed(document.get("events", []), list, "events")
    if document["base"] is None:
        bare = [layer.name for layer in layers if layer.origin not in (*HELD, ABSENT)]
        if bare:
            raise ValueError(f"layer {bare[0]!r} has base weights from a recipe, and there is none")
    return layers


def read_snapshots(document: Mapping[str, Any], layers: Sequence[Layer]) -> Snapshots:
    """Epochs done → layer name → layer as it was then (kept count and codec), in ascending epochs.

    `snapshots` is absent from a document without any.

    Raises:
        KeyError: Something is missing.
        TypeError: Something has another type.
        ValueError: Something has another type or is out of range, or the epochs do not ascend.
    """
    if "snapshots" not in document:
        return {}
    entries, found, last = _typed(document["snapshots"], list, "snapshots"), {}, -1
    if not entries:
        raise ValueError("snapshots [] are none; the entry is left out then")
    for entry in entries:
        epoch, described = _whole(entry["epoch"], "epoch of a snapshot"), entry["layers"]
        if epoch <= last:
            raise ValueError(f"snapshot at epoch {epoch} after one at epoch {last}")
        if len(_typed(described, list, "layers of a snapshot")) != len(layers):
            raise ValueError(f"snapshot at epoch {epoch} has {len(described)} layers, not {len(layers)}")
        found[epoch] = {
            layer.name: _at_snapshot(layer, own) for layer, own in zip(layers, described, strict=True)
        }
        last = epoch
    return found


def _at_snapshot(layer: Layer, entry: Mapping[str, Any]) -> Layer:
    kept = _whole(entry["kept"], "kept count of a snapshot")
    if kept > layer.size:
        raise ValueError(f"snapshot keeps {kept} of the {layer.size} weights of layer {layer.name!r}")
    return replace(layer, kept=kept, codec=_typed(entry["codec"], str, "codec of a snapshot"))


def trained_tensor(layer: str) -> str:
    """Name of the tensor that holds a layer's trained base weights."""
    return f"parameter/{layer}.weight"


_FLOATS = re.compile(r"(buffer|parameter)/[^/]+")

_Kind = tuple[tuple[str, ...], list[int] | int | None]
"""Allowed types, and shape or number of axes; None = any."""


def check_tensors(
    layers: Sequence[Layer], epochs: Iterable[int], tensors: Mapping[str, Mapping[str, Any]]
) -> None:
    """Hold the tensors of a member file against the closed list of names, types and shapes.

    Args:
        layers: The member's layers.
        epochs: Epochs of its snapshots.
        tensors: Name → description with `dtype` and `shape`.

    Raises:
        ValueError: A tensor is missing, not in the list, or of another type or shape than its layer.
    """
    required: dict[str, _Kind] = {
        "prediction/class": (("U8", "U16"), 1),
        "prediction/probability": (("F16",), 2),
    }
    weights_of_layers = {trained_tensor(layer.name) for layer in layers}
    optional: dict[str, _Kind] = {
        name: (("F32",), None)
        for name in tensors
        if _FLOATS.fullmatch(name) and name not in weights_of_layers
    }
    masks = ["mask", *(f"snapshot/{epoch}" for epoch in epochs)]
    for layer in layers:
        required |= {f"{place}/{layer.name}": (("U8",), 1) for place in masks}
        optional[f"score/{layer.name}"] = (("F32",), list(layer.shape))
        if layer.origin in HELD:
            required[trained_tensor(layer.name)] = (("F32",), list(layer.shape))
        elif layer.origin not in (None, ABSENT):
            required[f"origin/{layer.name}"] = (("U8",), 1)
    for name in required:
        if name not in tensors:
            raise ValueError(f"tensor {name!r} is missing")
    allowed = optional | required
    for name, found in tensors.items():
        if name not in allowed:
            raise ValueError(f"tensor {name!r} does not belong in a member file of these layers")
        types, shape = allowed[name]
        fits = shape is None or shape in (found["shape"], len(found["shape"]))
        if found["dtype"] not in types or not fits:
            raise ValueError(f"tensor {name!r} is {found['dtype']} of shape {found['shape']}")
        if math.prod(found["shape"]) * container.DTYPES[found["dtype"]].itemsize > TENSOR_LIMIT:
            raise ValueError(f"tensor {name!r} of more than {TENSOR_LIMIT} bytes")


def read_recipe(base: Mapping[str, Any] | None) -> Recipe | None:
    """Recipe of the base weights in a member file's document; None where no recipe gives them.

    Raises:
        KeyError: Something is missing.
        TypeError: Something has another type.
        ValueError: Something has another type or is out of range.
    """
    if base is None:
        return None
    init, factor = _typed(base["init"], str, "init"), _finite(base["factor"], "factor")
    if init not in weights.WEIGHT_INITS or not 1e-30 <= factor <= 1e30:  # float32 holds their values
        raise ValueError(f"base weights drawn by {init!r:.40} with factor {factor}")
    draws = [_whole(base[key], key) for key in ("seed", "level", "refresh_level")]
    return Recipe(*draws, init=init, factor=factor)


def _typed(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{what} {value!r:.80} is not {kind.__name__}")
    return value


def _whole(value: Any, what: str, least: int = 0, most: int | None = None) -> int:
    if type(value) is not int or value < least:  # True is no number here
        raise ValueError(f"{what} {value!r:.80} is not a whole number from {least}")
    if most is not None and value > most:
        raise ValueError(f"{what} {value!r:.40} is more than {most}")
    return value


def _finite(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not -1e308 < value < 1e308:
        raise ValueError(f"{what} {value!r:.80} is not a finite number")
    return float(value)
