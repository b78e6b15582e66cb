"""From a member in memory to the bytes of its file (see docs/format.md)."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Integer, UInt8

from masklab import bits
from masklab.archive import codec, container, description
from masklab.archive.description import Recipe
from masklab.errors import ArchiveError

FORMAT = container.FORMATS[-1]

READER = "0.1.0"
"""First version of masklab that reads `FORMAT`; every file says it, for readers that are older."""


@dataclass(frozen=True)
class Content:
    """Everything that a member file holds, in memory.

    Attributes:
        facts: JSON-able description: population, index, levels, pruner, options, accuracies, history …
        recipe: Where the initial base weights come from; None where no recipe gives them.
        masks: Layer name → boolean array of the weight's shape, in the network's forward order.
        gains: Layer name → gain, for gates that have one.
        base: Layer name → float32 base weights at the end, of the weight's shape; without a recipe they may
            be missing.
        origins: Layer name → flat integers, for layers whose base weights were changed.
        origin_kind: `"event"` or `"position"` when there are origins; `"trained"` when the base weights were
            trained and `"stored"` when they came from another tool, so that no recipe gives them and they
            are stored as they are.
        scores: Layer name → float32 final scores; empty when they are not kept.
        prediction: Predicted class of each test image.
        probability: Softmax output for each test image, float16.
        snapshots: Epochs done → layer name → mask at that time, for every layer.
        buffers: Full name → float32 values that the network needs and the recipe does not give, such as the
            running statistics of batch norm.
        parameters: Full name → float32 values of parameters that are not masked and that the recipe does
            not give.
    """

    facts: Mapping[str, Any]
    recipe: Recipe | None
    masks: Mapping[str, Bool[np.ndarray, "..."]]
    gains: Mapping[str, float]
    base: Mapping[str, Float32[np.ndarray, "..."]]
    origins: Mapping[str, Integer[np.ndarray, " size"]] = field(default_factory=dict)
    origin_kind: str | None = None
    scores: Mapping[str, Float32[np.ndarray, "..."]] = field(default_factory=dict)
    prediction: Integer[np.ndarray, " images"] = field(default_factory=lambda: np.zeros(0, np.uint8))
    probability: Float[np.ndarray, "images classes"] = field(
        default_factory=lambda: np.zeros((0, 0), np.float16)
    )
    snapshots: Mapping[int, Mapping[str, Bool[np.ndarray, "..."]]] = field(default_factory=dict)
    buffers: Mapping[str, Float32[np.ndarray, "..."]] = field(default_factory=dict)
    parameters: Mapping[str, Float32[np.ndarray, "..."]] = field(default_factory=dict)


Tensors = dict[str, np.ndarray]


def member_digest(base: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over float32 little-endian base weights and packed masks, layer by layer in mask order."""
    return packed_digest((base.get(name), bits.pack(mask.reshape(-1))) for name, mask in masks.items())


def packed_digest(
    layers: Iterable[tuple[Float32[np.ndarray, "..."] | None, UInt8[np.ndarray, " bytes"]]],
) -> str:
    """`member_digest` of base weights (None where they are not known) and packed masks, layer by layer."""
    hasher = hashlib.sha256()
    for weights, packed in layers:
        if weights is not None:
            hasher.update(np.ascontiguousarray(weights, dtype="<f4").data.cast("B"))
        hasher.update(packed.data)
    return hasher.hexdigest()


def encode(content: Content) -> bytes:
    """Bytes of a member file; equal content gives equal bytes.

    Raises:
        ArchiveError: Something does not belong to these masks, or is more or other than a file holds.
    """
    layers, tensors = _layers(content)
    listed = _snapshots(content, tensors)
    _check_parameters(content)
    for kind, named in (("buffer", content.buffers), ("parameter", content.parameters)):
        tensors |= {f"{kind}/{name}": _float32(kind, name, values) for name, values in named.items()}
    classes = content.probability.shape[1] if content.probability.ndim == 2 else 0
    tensors["prediction/class"] = content.prediction.astype("u1" if classes <= 256 else "<u2")
    tensors["prediction/probability"] = content.probability.astype("<f2", copy=False)
    recipe = content.recipe
    document = {
        **content.facts,
        "format": FORMAT,
        "reader": READER,
        "digest": member_digest(content.base, content.masks),
        "base": None if recipe is None else dataclasses.asdict(recipe),
        "layers": layers,
        **({"snapshots": listed} if listed else {}),
        "tensors": container.describe(tensors),
    }
    try:
        description.read(document)
    except ValueError as error:
        raise ArchiveError(f"a member that no file can hold: {error}") from error
    return container.encode(document, tensors)


def _layers(content: Content) -> tuple[list[dict[str, Any]], Tensors]:
    """Entries of the masked layers, and their tensors."""
    tensors: Tensors = {}
    layers = []
    for name, mask in content.masks.items():
        kept, used = _add_mask(tensors, f"mask/{name}", mask)
        entry: dict[str, Any] = {
            "name": name,
            "shape": list(mask.shape),
            "kept": kept,
            "codec": used,
            "gain": content.gains.get(name),
            "origin": None,
        }
        if name not in content.base:
            entry["origin"] = {"kind": description.ABSENT, "width": 0}
        elif content.origin_kind in description.HELD:
            tensors[description.trained_tensor(name)] = content.base[name].astype("<f4", copy=False)
            entry["origin"] = {"kind": content.origin_kind, "width": 0}
        elif name in content.origins:
            width, frame = codec.encode_origin(content.origins[name])
            tensors[f"origin/{name}"] = np.frombuffer(frame, dtype=np.uint8)
            entry["origin"] = {"kind": content.origin_kind, "width": width}
        if name in content.scores:
            tensors[f"score/{name}"] = content.scores[name].astype("<f4", copy=False)
        layers.append(entry)
    return layers, tensors


def _snapshots(content: Content, tensors: Tensors) -> list[dict[str, Any]]:
    """Entries of the snapshots, by epoch; their frames are added to `tensors`."""
    shapes = [(name, mask.shape) for name, mask in content.masks.items()]
    entries = []
    for epoch, masks in sorted(content.snapshots.items()):
        if epoch < 0 or [(name, mask.shape) for name, mask in masks.items()] != shapes:
            raise ArchiveError(
                f"snapshot at epoch {epoch} of layers {', '.join(masks)}; it takes an epoch from 0 and the "
                f"mask's layers in their order: {', '.join(content.masks)}"
            )
        frames = [_add_mask(tensors, f"snapshot/{epoch}/{name}", mask) for name, mask in masks.items()]
        layers = [{"kept": kept, "codec": used} for kept, used in frames]
        entries.append({"epoch": epoch, "layers": layers})
    return entries


def _add_mask(tensors: Tensors, name: str, mask: Bool[np.ndarray, "..."]) -> tuple[int, str]:
    """Add the frame of a mask; kept count and codec."""
    used, frame = codec.encode_mask(mask.reshape(-1))
    tensors[name] = np.frombuffer(frame, dtype=np.uint8)
    return int(mask.sum()), used


def _check_parameters(content: Content) -> None:
    if content.origin_kind in description.HELD and content.origins:
        raise ArchiveError(f"{content.origin_kind} base weights have no origins; they are stored as they are")
    if content.recipe is not None and set(content.base) != set(content.masks):
        raise ArchiveError("base weights of other layers than the masks; only without a recipe may some lack")
    for layer in content.masks:
        if f"{layer}.weight" in content.parameters:
            raise ArchiveError(
                f"parameter {layer + '.weight'!r} is the weight of a masked layer; it belongs in `base`"
            )


def _float32(kind: str, name: str, values: np.ndarray) -> np.ndarray:
    if not name or "/" in name:
        raise ArchiveError(f"{kind} name {name!r}; a name is not empty and has no '/'")
    if values.dtype != np.float32:
        raise ArchiveError(f"{kind} {name!r} is {values.dtype}; a member file holds float32")
    return values.astype("<f4", copy=False)
