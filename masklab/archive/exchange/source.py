"""What stands in a foreign file, and what a format's reader makes of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from masklab.archive import description
from masklab.errors import ArchiveError

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Source:
    """A foreign file, read.

    Attributes:
        place: The file, for messages.
        container: `"torch"`, `"safetensors"` or `"npz"`.
        arrays: Name → array, in the file's order; prefixes of wrappers are gone.
        reported: Plain values that stand beside the arrays: epoch, accuracy … as found.
    """

    place: str
    container: str
    arrays: Arrays
    reported: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a reader is told beside the file.

    Attributes:
        density: Fraction kept, for files that hold scores; None: not given.
        prune_rate: The same by the name of the reference repositories, in which it means the fraction kept.
        layers: Layers of the study that the masks join; None: any.
        forced: Whether the user named the format, so that weights without a zero are masks, too.
    """

    density: float | None = None
    prune_rate: float | None = None
    layers: Collection[str] | None = None
    forced: bool = False


@dataclass(frozen=True)
class Found:
    """Masks of a foreign file, by the names of the tensors that they mask.

    Attributes:
        masks: Tensor name → boolean mask.
        weights: Tensor name → float32 weights, where the file has them.
        scores: Tensor name → float32 scores, where the file has them.
        whole: Whether the weights are known where they are pruned, too.
        gate: The gate that the format implies; None: kept weights act as they are.
        density: Fraction kept, where it was asked for.
        rest: What else the file holds, by name.
    """

    masks: Mapping[str, Bool[np.ndarray, "..."]]
    weights: Mapping[str, Float32[np.ndarray, "..."]] = field(default_factory=dict)
    scores: Mapping[str, Float32[np.ndarray, "..."]] = field(default_factory=dict)
    whole: bool = False
    gate: str | None = None
    density: float | None = None
    rest: Arrays = field(default_factory=dict)


def layer_name(tensor: str) -> str:
    """Name of the layer whose tensor this is.

    Examples:
        >>> layer_name("layer1.0.conv1.weight"), layer_name("fc.bias"), layer_name("weight")
        ('layer1.0.conv1', 'fc.bias', 'weight')
    """
    return tensor.removesuffix(".weight")


def is_binary(array: np.ndarray) -> bool:
    """Whether every value is 0 or 1 (or a boolean); False for an array without values."""
    if array.dtype.kind == "b":
        return array.size > 0
    return array.dtype.kind in "iuf" and array.size > 0 and bool(((array == 0) | (array == 1)).all())


def binary(source: Source, name: str) -> Bool[np.ndarray, "..."]:
    """An array of 0 and 1 as a mask.

    Raises:
        ArchiveError: It has other values.
    """
    array = source.arrays[name]
    if not is_binary(array):
        wrong = array[(array != 0) & (array != 1)] if array.dtype.kind in "iuf" else array.reshape(-1)
        value = f"the value {wrong.reshape(-1)[0]}" if wrong.size else "no value"
        raise ArchiveError(
            f"{source.place}: mask {name!r} of {array.dtype} has {value}; allowed: booleans, 0 and 1"
        )
    return array.astype(bool)


def float32(source: Source, name: str) -> Float32[np.ndarray, "..."]:
    """An array of finite floating-point numbers, as float32.

    Raises:
        ArchiveError: It holds something else, or numbers that float32 cannot hold.
    """
    array = source.arrays[name]
    if array.dtype.kind != "f":
        raise ArchiveError(f"{source.place}: {name!r} is {array.dtype}; allowed: floating-point numbers")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)
    if not np.isfinite(values).all():
        raise ArchiveError(f"{source.place}: {name!r} holds numbers that are not finite in float32")
    return values


def same_shape(source: Source, name: str, other: str) -> None:
    """Raise an ArchiveError when two arrays differ in shape."""
    first, second = (list(source.arrays[key].shape) for key in (name, other))
    if first != second:
        raise ArchiveError(f"{source.place}: {name!r} has shape {first}, {other!r} has {second}")


def check_layers(place: str, masks: Mapping[str, Bool[np.ndarray, "..."]]) -> None:
    """Hold layers against the limits of a member file, before anything is written.

    Args:
        place: The file, for the message.
        masks: Layer name → mask.

    Raises:
        ArchiveError: There are none, all of them are empty, or a name or a size is not allowed.
    """
    if not masks:
        raise ArchiveError(f"{place}: no masks in it")
    entries = [
        {
            "name": name,
            "shape": list(mask.shape),
            "kept": int(mask.sum()),
            "codec": "bitmap",
            "gain": None,
            "origin": {"kind": description.ABSENT, "width": 0},
        }
        for name, mask in masks.items()
    ]
    try:
        description.read_layers({"layers": entries, "base": None})
    except ValueError as error:
        raise ArchiveError(f"{place}: {error}") from error
    if not any(entry["kept"] for entry in entries):
        raise ArchiveError(f"{place}: the mask keeps no weight at all")
