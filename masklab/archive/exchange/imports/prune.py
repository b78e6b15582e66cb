"""A state dict under `torch.nn.utils.prune`: `*_mask` beside `*_orig`.

The unpruned tensor of a masked `conv.weight` stands in `conv.weight_orig`, whole: pruned weights are known.
Masks of biases are no layers: the biases are taken as they act, pruned ones as 0.

Source: torch.nn.utils.prune, BasePruningMethod.apply.
"""

from masklab.archive.exchange import source
from masklab.archive.exchange.source import Asked, Found, Source

NAME = "prune"

_MASK, _ORIGINAL = "_mask", "_orig"


def claims(foreign: Source) -> bool:
    """Whether a mask stands beside its original tensor, or there are masks alone."""
    masked = [name.removesuffix(_MASK) for name in foreign.arrays if name.endswith(_MASK)]
    return any(f"{name}{_ORIGINAL}" in foreign.arrays for name in masked) or (
        0 < len(masked) == len(foreign.arrays)
    )


def read(foreign: Source, asked: Asked) -> Found:
    """Masks, original tensors as base weights, and everything else.

    Raises:
        ArchiveError: A mask is not of 0 and 1, or has another shape than its tensor.
    """
    del asked
    used, masks, weights, biases = set(), {}, {}, {}
    for name in foreign.arrays:
        if not name.endswith(_MASK):
            continue
        tensor, original = name.removesuffix(_MASK), name.removesuffix(_MASK) + _ORIGINAL
        if f"{tensor}{_ORIGINAL}" in foreign.arrays:
            source.same_shape(foreign, name, original)
            whole = source.float32(foreign, original)
            if whole.ndim < 2:
                biases[tensor] = whole * source.binary(foreign, name)
                used |= {name, original}
                continue
            weights[tensor] = whole
        elif foreign.arrays[name].dtype.kind == "f" and not source.is_binary(foreign.arrays[name]):
            continue  # a buffer that happens to be called so
        masks[tensor] = source.binary(foreign, name)
        used |= {name, original}
    rest = {name: array for name, array in foreign.arrays.items() if name not in used} | biases
    return Found(masks, weights, whole=True, rest=rest)
