"""One member: a mask, how to get its base weights, and what it does (member file, format 1)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Integer, UInt8

from masklab import bits
from masklab.archive import codec, container, description, files
from masklab.archive.description import Layer, Recipe
from masklab.errors import ArchiveError

FORMAT = 1


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


def member_id(population: str, index: int) -> str:
    """Id of a member: `<population>/<index>`, the index with at least four digits.

    Examples:
        >>> member_id("biprop-d0.5", 3)
        'biprop-d0.5/0003'
    """
    return f"{population}/{index:04d}"


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


def base_weights(
    recipe: Recipe, layer: Layer, origin: Integer[np.ndarray, " size"]
) -> Float32[np.ndarray, " size"]:
    """Base weights of a layer whose values came from elsewhere, flat.

    Args:
        recipe: Where the initial weights and each event's draw come from.
        layer: The layer; its `origin` says what the integers mean.
        origin: Number of the event that drew each value, or 1 + its initial position; 0 = untouched.

    Raises:
        ArchiveError: An origin lies outside the layer, or of an unknown kind.
    """
    values = recipe.initial(layer)
    if layer.origin == "position":
        if origin.max(initial=0) > layer.size:
            raise ArchiveError(f"an origin points at weight {origin.max()} of {layer.size}")
        return values[np.where(origin == 0, np.arange(layer.size), origin.astype(np.int64) - 1)]
    if layer.origin == "event":
        for event in np.unique(origin[origin > 0]):
            redrawn = origin == event
            values[redrawn] = recipe.event(layer, int(event))[redrawn]
        return values
    raise ArchiveError(f"unknown origin {layer.origin!r}; known: event, position")


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
            self.layers = [description.read_layer(entry) for entry in self.facts["layers"]]
            self.recipe = description.read_recipe(self.facts["base"])
            self.id = member_id(self.facts["population"], self.facts["index"])
            description.check_tensors(self.layers, self.facts["tensors"])
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
        """Packed mask of one layer; no other layer is touched.

        Raises:
            ArchiveError: The member has no such layer, or its mask is damaged.
        """
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
        if verify and member_digest(base, self.mask()) != self.facts.get("digest"):
            raise ArchiveError(f"{self.path}: rebuilt weights and mask do not have the stored digest")
        return base

    def _base(self, layer: Layer) -> Float32[np.ndarray, " size"]:
        if layer.origin is None:
            return self.recipe.initial(layer)
        frame = self._reader.tensor(f"origin/{layer.name}").tobytes()
        try:
            origin = codec.decode_origin(frame, layer.size, layer.origin_width)
            return base_weights(self.recipe, layer, origin)
        except ArchiveError as error:
            raise ArchiveError(f"{self.path}: layer {layer.name!r}: {error}") from error

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
