"""Golomb coding of gaps, in planes of bits that NumPy reads at memory speed.

A gap g is written as quotient q = g div m and remainder r = g mod m. With b = ⌈log₂ m⌉ and c = 2ᵇ − m, a
remainder below c takes b − 1 bits and any other b bits (truncated binary), which for independent bits is
within 1 % of their entropy, without a table that small layers would pay for. A frame holds, one after the
other:

* m: four bytes, little-endian;
* the first bits of all remainders, most significant first, one bitmap of n bits per bit (b of them when m
  is a power of two, else b − 1). A first part f ≥ c stands for r = 2f − c + (its last bit);
* the last bits of those remainders, one bitmap;
* the quotients: q zeros and a one for each gap, one bitmap.

Bitmaps are packed least significant bit first, padded with zeros to whole bytes.

Source: Golomb (1966), Run-length encodings; Gallager & van Voorhis (1975) for the choice of m.
"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64, Integer, UInt8

from masklab import bits
from masklab.errors import ArchiveError

_MOST = 2**31
"""Largest m: no layer has longer gaps."""

_BLOCK = 2**16
"""Gaps that are decoded at a time: whatever is unpacked stays in the cache."""


def _split(m: int) -> tuple[int, int]:
    """Planes of first bits, and first value of those parts that have a last bit."""
    width = (m - 1).bit_length()
    short = (1 << width) - m
    return (width - 1, short) if short else (width, 1 << width)


def length(listed: int, size: int) -> int:
    """Bytes of a frame, nearly: what independent bits of that density are expected to take.

    Args:
        listed: Number of gaps.
        size: Number of weights.

    Examples:
        >>> length(1000, 100_000)
        1018
    """
    density = listed / size if size else 0.0
    return 4 + math.ceil(listed * _expected(density, parameter(density)) / 8)


def parameter(density: float) -> int:
    """The m for gaps between independent bits.

    The best one, or a power of two, which is faster, where that costs at most 0.6 % more.

    Source: Gallager & van Voorhis (1975): the least m with (1 − p)ᵐ + (1 − p)ᵐ⁺¹ ≤ 1.

    Examples:
        >>> [parameter(density) for density in (0.5, 0.2, 0.1, 0.05, 0.01, 1e-12)]
        [1, 3, 7, 16, 64, 2147483648]
    """
    if not 0 < density < 0.5:
        return 1
    best = min(_MOST, math.ceil(-math.log(2 - density) / math.log1p(-density)))
    power = 1 << (best.bit_length() - 1)
    even = min((power, min(_MOST, 2 * power)), key=lambda m: _expected(density, m))
    return even if _expected(density, even) <= 1.006 * _expected(density, best) else best


def _expected(density: float, m: int) -> float:
    """Expected bits for one geometric gap."""
    if not density:
        return 0.0
    planes, short = _split(m)
    falls = math.exp(m * math.log1p(-density)) if density < 1 else 0.0
    within = math.exp(short * math.log1p(-density)) if density < 1 else 0.0
    last = (within - falls) / (1 - falls) if short < 1 << planes else 0.0
    return 1 + planes + last + falls / (1 - falls)


def encode(gaps: Integer[np.ndarray, " n"]) -> bytes:
    """Frame of non-negative gaps."""
    m = parameter(gaps.size / (int(gaps.sum()) + gaps.size)) if gaps.size else 1
    planes, short = _split(m)
    gaps = gaps.astype(np.int32, copy=False)
    narrow = np.uint8 if m <= 128 else np.int32
    if short < 1 << planes:
        quotients = gaps // np.int32(m)  # by a scalar this is vectorised, `divmod` is not
        remainders = (gaps - quotients * m).astype(narrow)
        long = remainders >= short
        remainders += short
        last = np.packbits(remainders[long] & 1, bitorder="little")
        first = np.where(long, remainders >> 1, remainders - short)
    else:
        quotients, first, last = gaps >> planes, (gaps & (m - 1)).astype(narrow), np.zeros(0, np.uint8)
    parts = [np.array([m], dtype="<u4").view(np.uint8)]
    parts += [np.packbits(first & (1 << plane), bitorder="little") for plane in reversed(range(planes))]
    quotients += 1
    ends = np.cumsum(quotients)
    unary = np.zeros(int(ends[-1]) if ends.size else 0, dtype=bool)
    ends -= 1
    unary[ends] = True
    return b"".join(part.tobytes() for part in (*parts, last, bits.pack(unary)))


def positions(
    frame: UInt8[np.ndarray, " bytes"], listed: int, size: int
) -> Iterator[Int64[np.ndarray, " some"]]:
    """Ascending positions that a frame's gaps lead to, in blocks.

    Args:
        frame: What `encode` returned.
        listed: Number of gaps.
        size: Number of weights, beyond which no position may lie.

    Raises:
        ArchiveError: The frame is not one of so many gaps; nothing larger than the frame is unpacked.
    """
    if frame.size < 4 or not 1 <= (m := int(frame[:4].view("<u4")[0])) <= _MOST:
        raise ArchiveError("golomb frame without a parameter from 1 to 2³¹")
    count, (planes, short) = bits.packed_size(listed), _split(m)
    if frame.size < 4 + planes * count:
        raise ArchiveError(f"golomb frame of {frame.size} bytes is too short for {listed} gaps")
    first = frame[4 : 4 + planes * count].reshape(planes, count)
    rest = frame[4 + planes * count :]
    long = 0
    if short < 1 << planes:
        long = sum(
            int(np.count_nonzero(_joined(first, start, listed) >= short))
            for start in range(0, listed, _BLOCK)
        )
    last, unary = rest[: bits.packed_size(long)], rest[bits.packed_size(long) :]
    if last.size < bits.packed_size(long) or int(bits.count(unary)) != listed:
        raise ArchiveError(f"golomb frame does not hold {listed} gaps")
    for row in first:
        _check_padding(row, listed)
    _check_padding(last, long)
    if (unary.size and not unary[-1]) or unary.size > bits.packed_size(listed + size // m):
        raise ArchiveError("golomb frame goes on after its last gap")
    yield from _decoded(first, last, unary, m, listed, size)


def _check_padding(packed: UInt8[np.ndarray, " bytes"], used: int) -> None:
    if used % 8 and packed[-1] >> (used % 8):
        raise ArchiveError("golomb frame has bits set beyond a bitmap's end")


def _joined(
    planes: UInt8[np.ndarray, "planes bytes"], start: int, listed: int
) -> Integer[np.ndarray, " some"]:
    """First parts of the remainders from `start`, a multiple of eight, one block long."""
    stop = min(listed, start + _BLOCK)
    kind = np.uint8 if len(planes) <= 7 else np.int64
    joined = np.zeros(stop - start, dtype=kind)
    for plane in planes:
        joined <<= 1
        joined |= bits.unpack(plane[start // 8 : (stop + 7) // 8], stop - start).view(np.uint8)
    return joined


class _Bits:
    """A bitmap that is unpacked piece by piece."""

    def __init__(self, packed: UInt8[np.ndarray, " bytes"]) -> None:
        self._packed, self._at = packed, 0

    def take(self, number: int) -> UInt8[np.ndarray, " number"]:
        begin, end = self._at, self._at + number
        self._at = end
        piece = np.unpackbits(self._packed[begin // 8 : (end + 7) // 8], bitorder="little")
        return piece[begin % 8 : begin % 8 + number]


def _decoded(
    first: UInt8[np.ndarray, "planes first"],
    last: UInt8[np.ndarray, " last"],
    unary: UInt8[np.ndarray, " unary"],
    m: int,
    listed: int,
    size: int,
) -> Iterator[Int64[np.ndarray, " some"]]:
    planes, short = _split(m)
    last_bits, ends, position = _Bits(last), _Ends(unary), -1
    for start in range(0, listed, _BLOCK):
        remainders = _joined(first, start, listed)
        if short < 1 << planes:
            long = np.flatnonzero(remainders >= short)
            remainders[long] += remainders[long] - short + last_bits.take(long.size)
        steps = ends.lengths(remainders.size)  # q + 1; a step is q·m + r + 1
        steps *= m
        steps += remainders
        steps -= m - 1
        steps[0] += position
        found = np.cumsum(steps, out=steps)
        position = int(found[-1])
        if position >= size:
            raise ArchiveError(f"gap list reaches weight {position} of a layer of {size}")
        yield found


class _Ends:
    """Runs of zeros that are ended by a one, from a bitmap."""

    def __init__(self, packed: UInt8[np.ndarray, " bytes"]) -> None:
        self._packed, self._at = packed, 0
        self._found = np.zeros(0, dtype=np.int64)
        self._end = -1

    def lengths(self, number: int) -> Int64[np.ndarray, " number"]:
        """Bits of the next runs, their ones included; as many runs must be there."""
        while self._found.size < number:
            piece = self._packed[self._at : self._at + _BLOCK // 8]
            ends = np.flatnonzero(np.unpackbits(piece, bitorder="little").view(np.bool_)) + 8 * self._at
            self._found = np.concatenate([self._found, ends]) if self._found.size else ends
            self._at += piece.size
        taken, self._found = self._found[:number], self._found[number:]
        lengths = np.empty(number, dtype=np.int64)
        lengths[0] = taken[0] - self._end
        np.subtract(taken[1:], taken[:-1], out=lengths[1:])
        self._end = int(taken[-1])
        return lengths
