"""Plain arrays: booleans, 0/1 integers, or float weights in which zero means pruned.

The first of these that a file holds are its masks: booleans; floats of two axes or more (masks where they are
all 0 and 1, else weights); integers; other floats. With weights, what was pruned is not known. In a study
that is there, the arrays of its layers are taken, and other weights are left unmasked.
"""

import numpy as np

from masklab.archive.exchange import source
from masklab.archive.exchange.source import Arrays, Asked, Found, Source
from masklab.errors import ArchiveError

NAME = "arrays"

FALLBACK = True
"""Other formats go first."""


def claims(foreign: Source) -> bool:
    """Whether there are arrays."""
    return bool(foreign.arrays)


def read(foreign: Source, asked: Asked) -> Found:
    """Masks, and weights where zero means pruned.

    Raises:
        ArchiveError: No array can be a mask, or one has other values than its kind allows.
    """
    arrays = {name: array for name, array in foreign.arrays.items() if array.ndim}
    chosen = _of_layers(_chosen(arrays), asked)
    if not chosen:
        raise ArchiveError(f"{foreign.place}: no masks in it: no booleans, 0/1 integers or float weights")
    rest = {name: array for name, array in foreign.arrays.items() if name not in chosen}
    if next(iter(chosen.values())).dtype.kind != "f" or all(map(source.is_binary, chosen.values())):
        masks = {name: source.binary(foreign, name) for name in chosen}
        return _beside(foreign, masks, rest)
    weights = {name: source.float32(foreign, name) for name in chosen}
    masks = {name: foreign.arrays[name] != 0 for name in chosen}
    if not asked.forced and all(mask.all() for mask in masks.values()):
        raise ArchiveError(
            f"{foreign.place}: no masks in it: no weight is zero (--format {NAME} takes all of them as kept)"
        )
    return Found(masks, {name: np.where(masks[name], weights[name], 0) for name in masks}, rest=rest)


def _chosen(arrays: Arrays) -> dict[str, np.ndarray]:
    """Arrays of the first kind that there is."""
    kinds = (("b", 1), ("f", 2), ("iu", 1), ("f", 1))
    found = (
        {name: array for name, array in arrays.items() if array.dtype.kind in kind and array.ndim >= axes}
        for kind, axes in kinds
    )
    return next((chosen for chosen in found if chosen), {})


def _of_layers(chosen: dict[str, np.ndarray], asked: Asked) -> dict[str, np.ndarray]:
    """Those of the study's layers, if it has any of them."""
    own = {name: array for name, array in chosen.items() if source.layer_name(name) in (asked.layers or ())}
    return own or chosen


def _beside(foreign: Source, masks: dict[str, np.ndarray], rest: dict[str, np.ndarray]) -> Found:
    """Masks that are named by layer, with the weights that stand beside them as `<layer>.weight`."""
    weights = {
        name: source.float32(foreign, f"{name}.weight")
        for name in masks
        if f"{name}.weight" in rest and rest[f"{name}.weight"].dtype.kind == "f"
    }
    for name in weights:
        source.same_shape(foreign, name, f"{name}.weight")
    others = {name: array for name, array in rest.items() if name.removesuffix(".weight") not in weights}
    return Found(masks, weights, whole=True, rest=others)
