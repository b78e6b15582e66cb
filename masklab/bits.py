"""Boolean masks as packed rows, and exact counts on them."""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int64, Integer, UInt8, UInt32


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


Counts = Integer[np.ndarray, "rows others"]

_BLOCK_BYTES, _GROUP = 4096, 256
"""Bytes × rows of a kernel call: both sides stay in a core's second-level cache, which makes the count two to
three times faster than on whole rows."""

_TILE = 2048
"""Rows of a tile: each thread has its own counts of one tile at a time."""


def intersections(
    packed: UInt8[np.ndarray, "rows bytes"],
    other: UInt8[np.ndarray, "others bytes"] | None = None,
    *,
    threads: int = 1,
    out: Counts | None = None,
) -> Counts:
    """Exact intersection counts of all pairs of rows.

    Beyond its arguments and the result it takes about 25 MB per thread.

    Args:
        packed: One packed mask per row, padding bits zero; rows of less than 2³² bits.
        other: Rows to compare with; by default `packed` itself: the counts are then symmetric, and the
            diagonal holds each row's own count.
        threads: Processor cores to use.
        out: Where the counts go, of any integer type that holds them; by default a new array of int64.

    Examples:
        >>> rows = pack(np.array([[1, 1, 0, 0], [0, 1, 1, 0]], dtype=bool))
        >>> intersections(rows).tolist()
        [[2, 1], [1, 2]]
    """
    columns = packed if other is None else other
    total = np.empty((len(packed), len(columns)), dtype=np.int64) if out is None else out
    try:
        import numkong  # noqa: F401
    except ImportError:  # platforms without its wheel: same counts, slower
        total[:] = numpy_intersections(packed, other)
        return total
    total[:] = 0
    shares = [slice(at, None, max(1, threads)) for at in range(max(1, threads))]
    with ThreadPoolExecutor(max_workers=len(shares)) as pool:
        for row in range(0, len(packed), _TILE):
            for column in range(0 if other is not None else row, len(columns), _TILE):
                same = other is None and row == column
                left, right = packed[row : row + _TILE], columns[column : column + _TILE]
                tile = total[row : row + _TILE, column : column + _TILE]
                for counts in pool.map(partial(_tile, left, None if same else right), shares):
                    tile += counts.astype(total.dtype)
    if other is None:
        _mirror(total)
    return total


def numpy_intersections(
    packed: UInt8[np.ndarray, "rows bytes"], other: UInt8[np.ndarray, "others bytes"] | None = None
) -> Int64[np.ndarray, "rows others"]:
    """`intersections` in plain NumPy: the fallback, and the oracle in tests."""
    columns = packed if other is None else other
    total = np.empty((len(packed), len(columns)), dtype=np.int64)
    for row, mask in enumerate(packed):
        total[row] = count(columns & mask)
    return total


def _tile(
    left: UInt8[np.ndarray, "rows bytes"], right: UInt8[np.ndarray, "others bytes"] | None, share: slice
) -> UInt32[np.ndarray, "rows others"]:
    """Counts over a share of the blocks of columns; only the upper triangle where `right` is None."""
    import numkong

    columns = left if right is None else right
    total = np.zeros((len(left), len(columns)), dtype=np.uint32)
    counts = np.empty(_GROUP * _GROUP, dtype=np.uint32)  # used again: fresh memory costs page faults
    for start in range(0, left.shape[1], _BLOCK_BYTES)[share]:
        stop = start + _BLOCK_BYTES
        rows = np.ascontiguousarray(left[:, start:stop])
        others = rows if right is None else np.ascontiguousarray(right[:, start:stop])
        views = [_view(rows[row : row + _GROUP], "uint1") for row in range(0, len(rows), _GROUP)]
        for column in range(0, len(others), _GROUP):
            group = others[column : column + _GROUP]
            own = total[:, column : column + _GROUP]
            before = range(0, column if right is None else len(rows), _GROUP)
            prepared: Any = numkong.dots_pack(group, dtype="uint1") if before else None
            for number, row in enumerate(before):
                found = counts[: views[number].shape[0] * len(group)].reshape(-1, len(group))
                numkong.dots_packed(views[number], prepared, out=_view(found, "uint32"))
                own[row : row + _GROUP] += found
            if right is None:  # the kernel leaves what is below its diagonal undefined
                found = counts[: len(group) ** 2].reshape(-1, len(group))
                numkong.dots_symmetric(group, dtype="uint1", out=_view(found, "uint32"))
                own[column : column + _GROUP] += np.triu(found)
    return total


def _view(array: np.ndarray, kind: Literal["uint1", "uint32"]) -> Any:
    """The kernel's view of an array, without a copy."""
    import numkong

    return numkong.from_pointer(array.ctypes.data, array.shape, kind, owner=array)


def _mirror(total: Counts) -> None:
    """Copy the upper triangle to the lower one, in place."""
    for start in range(0, len(total), _GROUP):
        stop = start + _GROUP
        total[stop:, start:stop] = total[start:stop, stop:].T
        corner = total[start:stop, start:stop]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
