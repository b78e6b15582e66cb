"""Boolean masks as packed rows, and exact counts on them."""

import math

import numpy as np
from jaxtyping import Bool, Int64, UInt8


def kept_count(size: int, density: float) -> int:
    """Number of weights that a layer keeps: `floor(size·density + ½)`, at least 1.

    This is the only rounding rule of masklab.

    Args:
        size: Number of weights in the layer.
        density: Fraction kept, in (0, 1].

    Examples:
        >>> kept_count(144, 0.3), kept_count(3, 0.01), kept_count(7, 1.0)
        (43, 1, 7)
    """
    return max(1, math.floor(size * density + 0.5))


def packed_size(size: int) -> int:
    """Bytes of a packed row of `size` bits."""
    return (size + 7) // 8


def pack(mask: Bool[np.ndarray, "*rows size"]) -> UInt8[np.ndarray, "*rows bytes"]:
    """Pack the last axis, least significant bit first, padded with zeros.

    Examples:
        >>> pack(np.array([True, False, False, True, False, False, False, False, True])).tolist()
        [9, 1]
    """
    return np.packbits(mask, axis=-1, bitorder="little")


def unpack(packed: UInt8[np.ndarray, "*rows bytes"], size: int) -> Bool[np.ndarray, "*rows size"]:
    """Inverse of `pack`: the first `size` bits of each row as booleans."""
    return np.unpackbits(packed, axis=-1, count=size, bitorder="little").view(np.bool_)


def count(packed: UInt8[np.ndarray, "*rows bytes"]) -> Int64[np.ndarray, "*rows"]:
    """Number of set bits in each row."""
    whole = packed.shape[-1] // 8 * 8
    if whole < 64 or packed.strides[-1] != 1:  # words of eight bytes are counted four times faster
        return np.asarray(np.bitwise_count(packed).sum(axis=-1, dtype=np.int64))
    words = np.bitwise_count(packed[..., :whole].view(np.uint64)).sum(axis=-1, dtype=np.int64)
    return np.asarray(words + np.bitwise_count(packed[..., whole:]).sum(axis=-1, dtype=np.int64))


_BLOCK_BYTES = 8192  # a block of columns stays in cache: 2–3 times faster than whole rows


def intersections(packed: UInt8[np.ndarray, "rows bytes"]) -> Int64[np.ndarray, "rows rows"]:
    """Exact intersection counts of all pairs of rows; the diagonal holds each row's own count.

    Args:
        packed: One packed mask per row, padding bits zero.

    Examples:
        >>> rows = pack(np.array([[1, 1, 0, 0], [0, 1, 1, 0]], dtype=bool))
        >>> intersections(rows).tolist()
        [[2, 1], [1, 2]]
    """
    rows, width = packed.shape
    total = np.zeros((rows, rows), dtype=np.int64)
    for start in range(0, width, _BLOCK_BYTES):
        total += _block_intersections(np.ascontiguousarray(packed[:, start : start + _BLOCK_BYTES]))
    return total


def _block_intersections(block: UInt8[np.ndarray, "rows bytes"]) -> Int64[np.ndarray, "rows rows"]:
    try:
        import numkong
    except ImportError:  # platforms without its wheel: same counts, slower
        return numpy_intersections(block)
    upper = np.triu(np.asarray(numkong.dots_symmetric(block, dtype="uint1")).astype(np.int64))
    return upper + np.triu(upper, 1).T


def numpy_intersections(packed: UInt8[np.ndarray, "rows bytes"]) -> Int64[np.ndarray, "rows rows"]:
    """`intersections` in plain NumPy: the fallback, and the oracle in tests."""
    total = np.empty((len(packed), len(packed)), dtype=np.int64)
    for row, mask in enumerate(packed):
        total[row] = np.bitwise_count(packed & mask).sum(axis=1, dtype=np.int64)
    return total
