"""One member: a mask, how to get its base weights, and what it does (member file, see docs/format.md)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Integer, UInt8

from masklab import bits
from masklab.archive import codec, container, description, encoding, files
from masklab.archive.description import Layer, Recipe
from masklab.errors import ArchiveError


def member_id(population: str, index: int) -> str:
    """Id of a member: `<population>/<index>`, the index with at least four digits.

    Examples:
        >>> member_id("biprop-d0.5", 3)
        'biprop-d0.5/0003'
    """
    return f"{population}/{index:04d}"


def write(path: files.Location, content: encoding.Content) -> None:
    """Write a member file atomically.

    Raises:
        ArchiveError: The file system refuses, or something in `content` cannot be stored.
    """
    files.write_atomic(path, encoding.encode(content))


DRAW_LIMIT = 2**33
"""Values that the events of all layers may draw together, minutes of work: what a file costs is bounded."""


def base_weights(
    recipe: Recipe, layer: Layer, origin: Integer[np.ndarray, " size"]
) -> Float32[np.ndarray, " size"]:
    """Base weights of a layer whose values came from elsewhere, flat.

    Args:
        recipe: Where the initial weights and each event's draw come from.
        layer: The layer; its `origin` says what the integers mean.
        origin: Number of the event that drew each value, or 1 + its initial position; 0 = untouched.

    Raises:
        ArchiveError: An origin lies outside the layer, or is of an unknown kind.
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

    def __init__(self, path: files.Location) -> None:
        self._reader = container.Reader(path)
        self.path = path
        self.facts: dict[str, Any] = self._reader.document
        try:
            self.layers, self.recipe, self._snapshots = description.read(self.facts)
        except ValueError as error:
            raise ArchiveError(f"{path}: incomplete description ({error})") from error
        self.id = member_id(self.facts["population"], self.facts["index"])
        self._by_name = {layer.name: layer for layer in self.layers}
        self._drawn: dict[str, int] = {}

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
        return self._decoded(f"mask/{name}", self.layer(name))

    def frame(self, name: str) -> tuple[int, int, str]:
        """Where the frame of a layer's mask begins in the file, its bytes, and its checksum.

        Raises:
            ArchiveError: The member has no such layer.
        """
        return self._reader.place(f"mask/{self.layer(name).name}")

    def _decoded(self, tensor: str, layer: Layer) -> UInt8[np.ndarray, " bytes"]:
        frame = self._reader.tensor(tensor).tobytes()
        try:
            return codec.decode_mask(layer.codec, frame, layer.size, layer.kept)
        except ArchiveError as error:
            raise ArchiveError(f"{self.path}: tensor {tensor!r}: {error}") from error

    def mask(self) -> dict[str, Bool[np.ndarray, "*shape"]]:
        """Layer name → boolean mask of the weight's shape, in forward order."""
        return {
            layer.name: bits.unpack(self.packed(layer.name), layer.size).reshape(layer.shape)
            for layer in self.layers
        }

    @property
    def snapshots(self) -> list[int]:
        """Epochs done when a snapshot of the mask was taken, ascending; empty when none were kept."""
        return list(self._snapshots)

    def packed_snapshot(self, epoch: int, name: str) -> UInt8[np.ndarray, " bytes"]:
        """Packed mask of one layer when `epoch` epochs were done; nothing else is touched.

        Raises:
            ArchiveError: The member has no snapshot at that epoch or no such layer, or it is damaged.
        """
        layers = self._snapshot_layers(epoch)
        return self._decoded(f"snapshot/{epoch}/{name}", layers[self.layer(name).name])

    def snapshot(self, epoch: int) -> dict[str, Bool[np.ndarray, "*shape"]]:
        """Layer name → boolean mask when `epoch` epochs were done, in forward order.

        Raises:
            ArchiveError: The member has no snapshot at that epoch, or it is damaged.
        """
        return {
            layer.name: bits.unpack(self.packed_snapshot(epoch, layer.name), layer.size).reshape(layer.shape)
            for layer in self._snapshot_layers(epoch).values()
        }

    def _snapshot_layers(self, epoch: int) -> dict[str, Layer]:
        if epoch not in self._snapshots:
            known = ", ".join(map(str, self._snapshots)) or "none"
            raise ArchiveError(f"{self.path} has no snapshot at epoch {epoch}; snapshots at epochs: {known}")
        return self._snapshots[epoch]

    def scores(self) -> dict[str, Float32[np.ndarray, "*shape"]]:
        """Layer name → final scores; empty when the study did not keep them."""
        names = set(self._reader.names())
        return {
            layer.name: self._reader.tensor(f"score/{layer.name}")
            for layer in self.layers
            if f"score/{layer.name}" in names
        }

    def buffers(self) -> dict[str, Float32[np.ndarray, "..."]]:
        """Full name → stored buffer, such as a running statistic of batch norm; by name."""
        return self._named("buffer/")

    def parameters(self) -> dict[str, Float32[np.ndarray, "..."]]:
        """Full name → stored parameter that is not masked; by name.

        Trained weights of masked layers are base weights: see `weights`.
        """
        return self._named("parameter/")

    def _named(self, kind: str) -> dict[str, Float32[np.ndarray, "..."]]:
        """Stored tensors of one kind, but for base weights, as arrays of their own."""
        base = {description.trained_tensor(layer.name) for layer in self.layers}
        names = sorted(name for name in self._reader.names() if name.startswith(kind) and name not in base)
        return {name.removeprefix(kind): self._reader.tensor(name).copy() for name in names}

    def weights(self, *, verify: bool = True) -> dict[str, Float32[np.ndarray, "*shape"]]:
        """Layer name → float32 base weights as they were at the end of training.

        Args:
            verify: Compare them, with the mask, against the stored digest.

        Raises:
            ArchiveError: The digest differs, or the base weights are not known.
        """
        missing = [layer.name for layer in self.layers if layer.origin == description.ABSENT]
        if missing:
            raise ArchiveError(f"{self.path}: the base weights of layer {missing[0]!r} are not known")
        base = {layer.name: self._base(layer).reshape(layer.shape) for layer in self.layers}
        if verify and self._digest(base.values()) != self.facts.get("digest"):
            raise ArchiveError(f"{self.path}: rebuilt weights and mask do not have the stored digest")
        return base

    def origins(self) -> dict[str, Integer[np.ndarray, " size"]]:
        """Layer name → where each changed base weight came from (see `Layer.origin`), flat; {} when none did.

        Raises:
            ArchiveError: An origin is damaged.
        """
        own = (None, description.ABSENT, *description.HELD)
        return {layer.name: self._origin(layer) for layer in self.layers if layer.origin not in own}

    def _origin(self, layer: Layer) -> Integer[np.ndarray, " size"]:
        frame = self._reader.tensor(f"origin/{layer.name}").tobytes()
        try:
            return codec.decode_origin(frame, layer.size, layer.origin_width)
        except ArchiveError as error:
            raise ArchiveError(f"{self.path}: layer {layer.name!r}: {error}") from error

    def _base(self, layer: Layer) -> Float32[np.ndarray, " size"]:
        if layer.origin in description.HELD:
            return self._reader.tensor(description.trained_tensor(layer.name)).reshape(-1).copy()
        if self.recipe is None:
            raise ArchiveError(f"{self.path}: layer {layer.name!r}: no recipe gives its base weights")
        if layer.origin is None:
            return self.recipe.initial(layer)
        try:
            origin = self._origin(layer)
            self._drawn[layer.name] = layer.size * np.unique(origin).size if layer.origin == "event" else 0
            if sum(self._drawn.values()) > DRAW_LIMIT:
                raise ArchiveError(f"events drew more than {DRAW_LIMIT} values in all")
            return base_weights(self.recipe, layer, origin)
        except ArchiveError as error:
            raise ArchiveError(f"{self.path}: layer {layer.name!r}: {error}") from error

    def prediction(self) -> UInt8[np.ndarray, " images"] | Integer[np.ndarray, " images"]:
        """Predicted class of each test image."""
        return self._reader.tensor("prediction/class")

    def probability(self) -> Float[np.ndarray, "images classes"]:
        """Softmax output for each test image, float16."""
        return self._reader.tensor("prediction/probability")

    @property
    def has_weights(self) -> bool:
        """Whether the base weights are known."""
        return all(layer.origin != description.ABSENT for layer in self.layers)

    def verify(self) -> None:
        """Read and check every tensor and the digest, layer by layer.

        Raises:
            ArchiveError: Anything is damaged.
        """
        self._reader.check()
        for epoch in self.snapshots:
            for layer in self.layers:
                self.packed_snapshot(epoch, layer.name)
        known = (None if layer.origin == description.ABSENT else self._base(layer) for layer in self.layers)
        if self._digest(known) != self.facts.get("digest"):
            raise ArchiveError(f"{self.path}: rebuilt weights and mask do not have the stored digest")

    def _digest(self, base: Iterable[Float32[np.ndarray, "..."] | None]) -> str:
        return encoding.packed_digest(
            (weights, self.packed(layer.name)) for layer, weights in zip(self.layers, base, strict=True)
        )
