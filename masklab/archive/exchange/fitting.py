"""Layers of a foreign file under the names, shapes and order of the study that its mask joins."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from masklab.archive import files
from masklab.archive.exchange import source
from masklab.archive.exchange.source import Found, Source
from masklab.errors import ArchiveError

Shapes = Mapping[str, tuple[int, ...]]
"""Layer name → shape of its weight, in order."""


@dataclass(frozen=True)
class Read:
    """A foreign file with what its format's reader found.

    Attributes:
        place: The file.
        foreign: Its content.
        format: Name of its format.
        found: Masks, by tensor name.
        sha256: Of its bytes.
    """

    place: files.Location
    foreign: Source
    format: str
    found: Found
    sha256: str


@dataclass(frozen=True)
class Fitted:
    """A foreign file whose layers are the study's.

    Attributes:
        read: The file.
        found: Masks, weights and scores by layer name, in order.
        tensors: Layer name → the file's tensor name.
        shapes: Layer name → the file's shape, where it is another one.
        renamed: Whether the file has other names or shapes.
    """

    read: Read
    found: Found
    tensors: dict[str, str]
    shapes: dict[str, list[int]]
    renamed: bool


def fit(read: Read, shapes: Shapes | None, against: str, *, by_order: bool) -> Fitted:
    """Rename, order and reshape the layers of a file.

    Args:
        read: The file.
        shapes: Layers that it must have; None: whatever it has.
        against: Whose layers these are, for messages.
        by_order: Match them by position, not by name.

    Raises:
        ArchiveError: A name or a size is not allowed, or the layers are others.
    """
    found = read.found
    tensors = {source.layer_name(tensor): tensor for tensor in found.masks}
    if len(tensors) < len(found.masks):
        raise ArchiveError(f"{read.place}: two masks are of one layer (a name with and without '.weight')")
    masks = {layer: found.masks[tensor] for layer, tensor in tensors.items()}
    source.check_layers(str(read.place), masks)
    own = {layer: mask.shape for layer, mask in masks.items()}
    if shapes is None:
        names = {layer: layer for layer in own}
    elif by_order:
        names = _by_order(read, own, shapes, against)
    else:
        _check_named(read, own, shapes, against)
        names = {layer: layer for layer in shapes}
    wanted = own if shapes is None else shapes
    tensors = {layer: tensors[name] for layer, name in names.items()}

    def moved(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {
            layer: values[tensor].reshape(wanted[layer])
            for layer, tensor in tensors.items()
            if tensor in values
        }

    reshaped = {layer: list(own[name]) for layer, name in names.items() if own[name] != tuple(wanted[layer])}
    return Fitted(
        read,
        replace(found, masks=moved(found.masks), weights=moved(found.weights), scores=moved(found.scores)),
        tensors,
        reshaped,
        renamed=bool(reshaped) or any(layer != name for layer, name in names.items()),
    )


def _check_named(read: Read, own: Shapes, shapes: Shapes, against: str) -> None:
    differing = [name for name in dict.fromkeys([*shapes, *own]) if own.get(name) != shapes.get(name)]
    if not differing:
        return
    name = differing[0]
    here, there = ("missing" if name not in of else str(list(of[name])) for of in (own, shapes))
    similar = len(own) == len(shapes) and all(map(_alike, own.values(), shapes.values()))
    raise ArchiveError(
        f"{read.place} has other layers than {against}: {name!r} is {here} in it, {there} there"
        + ("; --by-order matches layers by their position" if similar else "")
    )


def _by_order(read: Read, own: Shapes, shapes: Shapes, against: str) -> dict[str, str]:
    """Layer wanted → the file's layer at that position."""
    if len(own) != len(shapes):
        raise ArchiveError(
            f"{read.place} has {len(own)} masked layers, {against} {len(shapes)}; --by-order needs as many"
        )
    for (name, shape), (other, wanted) in zip(own.items(), shapes.items(), strict=True):
        if not _alike(shape, wanted):
            raise ArchiveError(
                f"{read.place}: layer {name!r} has shape {list(shape)}, {other!r} at that place of "
                f"{against} {list(wanted)}; --by-order lets only trailing axes of length 1 differ"
            )
    return dict(zip(shapes, own, strict=True))


def _alike(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two shapes differ in trailing axes of length 1 at most.

    Examples:
        >>> _alike((10, 4, 1, 1), (10, 4)), _alike((10, 4), (10, 4, 2)), _alike((4, 10), (10, 4))
        (True, False, False)
    """
    longer, shorter = sorted((tuple(first), tuple(second)), key=len, reverse=True)
    return longer[: len(shorter)] == shorter and math.prod(longer[len(shorter) :]) == 1
