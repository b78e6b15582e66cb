"""One member: a mask, how to get its base weights, and what it does (member file, format 1)."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Integer, UInt8

from masklab import bits, weights
from masklab.archive import codec, container, files
from masklab.errors import ArchiveError

FORMAT = 1


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
        return weights.initial_weights(
            self.seed, self.level, layer.name, layer.shape, self.init, self.factor
        )

    def event(self, layer: Layer, event: int) -> Float32[np.ndarray, " size"]:
        """Fresh draw of one refresh event for a layer, flat."""
        return weights.refresh_weights(
            self.seed, self.refresh_level, layer.name, event, layer.shape, self.init, self.factor
        )[0]


@dataclass(frozen=True)
class Content:
    """Everything that a member file holds, in memory.

    Attributes:
        facts: JSON-able description: population, index, levels, pruner, options, accuracies, history …
        recipe: Where the initial base weights come from.
        masks: Layer name → boolean array of the weight's shape, in the network's forward order.
        gains: Layer name → gain, for gates that have one.
        base: Layer name → float32 base weights at the end, of the weight's shape.
        origins: Layer name → flat integers, for layers whose base weights were changed.
        origin_kind: `"event"` or `"position"` when there are origins.
        scores: Layer name → float32 final scores; empty when they are not kept.
        prediction: Predicted class of each test image.
        probability: Softmax output for each test image, float16.
    """

    facts: Mapping[str, Any]
    recipe: Recipe
    masks: Mapping[str, Bool[np.ndarray, "*shape"]]
    gains: Mapping[str, float]
    base: Mapping[str, Float32[np.ndarray, "*shape"]]
    origins: Mapping[str, Integer[np.ndarray, " size"]] = field(default_factory=dict)
    origin_kind: str | None = None
    scores: Mapping[str, Float32[np.ndarray, "*shape"]] = field(default_factory=dict)
    prediction: Integer[np.ndarray, " images"] = field(default_factory=lambda: np.zeros(0, np.uint8))
    probability: Float[np.ndarray, "images classes"] = field(
        default_factory=lambda: np.zeros((0, 0), np.float16)
    )


def member_digest(base: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over float32 little-endian base weights and packed masks, layer by layer in mask order."""
    hasher = hashlib.sha256()
    for name, mask in masks.items():
        hasher.update(np.ascontiguousarray(base[name], dtype="<f4").tobytes())
        hasher.update(bits.pack(mask.reshape(-1)).tobytes())
    return hasher.hexdigest()


def encode(content: Content) -> bytes:
    """Bytes of a member file; equal content gives equal bytes."""
    tensors: dict[str, np.ndarray] = {}
    layers = []
    for name, mask in content.masks.items():
        used, frame = codec.encode_mask(mask.reshape(-1))
        tensors[f"mask/{name}"] = np.frombuffer(frame, dtype=np.uint8)
        entry: dict[str, Any] = {
            "name": name,
            "shape": list(mask.shape),
            "kept": int(mask.sum()),
            "codec": used,
            "gain": content.gains.get(name),
            "origin": None,
        }
        if name in content.origins:
            width, frame = codec.encode_origin(content.origins[name])
            tensors[f"origin/{name}"] = np.frombuffer(frame, dtype=np.uint8)
            entry["origin"] = {"kind": content.origin_kind, "width": width}
        if name in content.scores:
            tensors[f"score/{name}"] = content.scores[name].astype("<f4", copy=False)
        layers.append(entry)
    classes = content.probability.shape[1] if content.probability.ndim == 2 else 0
    tensors["prediction/class"] = content.prediction.astype("u1" if classes <= 256 else "<u2")
    tensors["prediction/probability"] = content.probability.astype("<f2", copy=False)
    recipe = content.recipe
    document = {
        **content.facts,
        "format": FORMAT,
        "digest": member_digest(content.base, content.masks),
        "base": {
            "seed": recipe.seed,
            "level": recipe.level,
            "refresh_level": recipe.refresh_level,
            "init": recipe.init,
            "factor": recipe.factor,
        },
        "layers": layers,
        "tensors": container.describe(tensors),
    }
    return container.encode(document, tensors)


def write(path: Path, content: Content) -> None:
    """Write a member file atomically.

    Raises:
        ArchiveError: The file system refuses.
    """
    files.write_atomic(path, encode(content))


class Member:
    """A stored member, read piece by piece, each piece checked.

    Raises:
        ArchiveError: The file is missing, damaged, foreign, or of another format.
    """

    def __init__(self, path: Path) -> None:
        self._reader = container.Reader(path)
        self.path = path
        self.facts: dict[str, Any] = self._reader.document
        try:
            self.layers = [_layer(entry) for entry in self.facts["layers"]]
            base = self.facts["base"]
            self.recipe = Recipe(
                base["seed"], base["level"], base["refresh_level"], base["init"], base["factor"]
            )
            self.id = f"{self.facts['population']}/{self.facts['index']:04d}"
        except (KeyError, TypeError, ValueError) as error:
            raise ArchiveError(f"{path}: incomplete description ({type(error).__name__}: {error})") from error
        self._by_name = {layer.name: layer for layer in self.layers}

    def layer(self, name: str) -> Layer:
        """Description of one layer.

        Raises:
            ArchiveError: The member has no such layer.
        """
        if name not in self._by_name:
            raise ArchiveError(f"{self.path} has no layer {name!r}; it has {', '.join(self._by_name)}")
        return self._by_name[name]

    def packed(self, name: str) -> UInt8[np.ndarray, " bytes"]:
        """Packed mask of one layer; no other layer is touched."""
        layer = self.layer(name)
        frame = self._reader.tensor(f"mask/{name}").tobytes()
        try:
            return codec.decode_mask(layer.codec, frame, layer.size, layer.kept)
        except ArchiveError as error:
            raise ArchiveError(f"{self.path}: layer {name!r}: {error}") from error

    def mask(self) -> dict[str, Bool[np.ndarray, "*shape"]]:
        """Layer name → boolean mask of the weight's shape, in forward order."""
        return {
            layer.name: bits.unpack(self.packed(layer.name), layer.size).reshape(layer.shape)
            for layer in self.layers
        }

    def scores(self) -> dict[str, Float32[np.ndarray, "*shape"]]:
        """Layer name → final scores; empty when the study did not keep them."""
        names = set(self._reader.names())
        return {
            layer.name: self._reader.tensor(f"score/{layer.name}")
            for layer in self.layers
            if f"score/{layer.name}" in names
        }

    def weights(self, *, verify: bool = True) -> dict[str, Float32[np.ndarray, "*shape"]]:
        """Layer name → float32 base weights as they were at the end of training.

        Args:
            verify: Compare them, with the mask, against the stored digest.

        Raises:
            ArchiveError: The digest differs.
        """
        base = {layer.name: self._base(layer).reshape(layer.shape) for layer in self.layers}
        if verify and member_digest(base, self.mask()) != self.facts["digest"]:
            raise ArchiveError(f"{self.path}: rebuilt weights and mask do not have the stored digest")
        return base

    def _base(self, layer: Layer) -> Float32[np.ndarray, " size"]:
        initial = self.recipe.initial(layer)
        if layer.origin is None:
            return initial
        frame = self._reader.tensor(f"origin/{layer.name}").tobytes()
        origin = codec.decode_origin(frame, layer.size, layer.origin_width).astype(np.int64)
        if layer.origin == "position":
            if origin.max(initial=0) > layer.size:
                raise ArchiveError(f"{self.path}: layer {layer.name!r}: origin outside the layer")
            return initial[np.where(origin == 0, np.arange(layer.size), origin - 1)]
        if layer.origin == "event":
            values = initial.copy()
            for event in np.unique(origin[origin > 0]):
                redrawn = origin == event
                values[redrawn] = self.recipe.event(layer, int(event))[redrawn]
            return values
        raise ArchiveError(f"{self.path}: unknown origin {layer.origin!r}; known: event, position")

    def prediction(self) -> UInt8[np.ndarray, " images"] | Integer[np.ndarray, " images"]:
        """Predicted class of each test image."""
        return self._reader.tensor("prediction/class")

    def probability(self) -> Float[np.ndarray, "images classes"]:
        """Softmax output for each test image, float16."""
        return self._reader.tensor("prediction/probability")

    def verify(self) -> None:
        """Read and check every tensor and the digest.

        Raises:
            ArchiveError: Anything is damaged.
        """
        for name in self._reader.names():
            self._reader.tensor(name)
        self.weights()


def _layer(entry: Mapping[str, Any]) -> Layer:
    origin = entry["origin"] or {"kind": None, "width": 0}
    return Layer(
        name=entry["name"],
        shape=tuple(entry["shape"]),
        kept=entry["kept"],
        codec=entry["codec"],
        gain=entry["gain"],
        origin=origin["kind"],
        origin_width=origin["width"],
    )
