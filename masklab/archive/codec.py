"""Codecs of masks and origins: bytes in, bytes out, every size checked before memory is taken.

* `bitmap`: the packed row (least significant bit first, zero padded), zstd.
* `gaps`: run lengths between kept weights, one byte each, 255 = add 255 and continue, zstd. Above
  density ½ the runs are those between *pruned* weights.
* origins: unsigned little-endian integers, one byte plane after the other, zstd.

The smaller of the two mask codecs is stored; both stay close to the entropy of independent bits.
"""

import numpy as np
import zstandard
from jaxtyping import Bool, Integer, UInt8

from masklab import bits
from masklab.errors import ArchiveError

_LEVEL = 1  # higher levels are slower and not smaller on independent bits
_ESCAPE = 255


def encode_mask(mask: Bool[np.ndarray, " size"]) -> tuple[str, bytes]:
    """Name of the smaller codec and its frame.

    Examples:
        >>> codec, frame = encode_mask(np.arange(4096) % 100 == 0)
        >>> codec, len(frame) < 40
        ('gaps', True)
    """
    frames = {
        "bitmap": _compress(bits.pack(mask).tobytes()),
        "gaps": _compress(_gaps(_listed_positions(mask)).tobytes()),
    }
    codec = min(frames, key=lambda name: len(frames[name]))
    return codec, frames[codec]


def decode_mask(codec: str, frame: bytes, size: int, kept: int) -> UInt8[np.ndarray, " bytes"]:
    """Packed row of an encoded mask.

    Args:
        codec: `"bitmap"` or `"gaps"`.
        frame: What `encode_mask` returned.
        size: Number of weights.
        kept: Number of kept weights, which the decoded mask must have.

    Raises:
        ArchiveError: The frame is damaged, has another length, or keeps another number of weights.
    """
    if codec == "bitmap":
        packed = np.frombuffer(_decompress(frame, bits.packed_size(size), exact=True), dtype=np.uint8)
        spare = packed.size * 8 - size
        if spare and packed[-1] >> (8 - spare):
            raise ArchiveError("bitmap has bits set beyond its last weight")
    elif codec == "gaps":
        complement = 2 * kept > size
        listed = size - kept if complement else kept
        limit = listed + size // _ESCAPE + 1
        mask = np.full(size, complement)
        mask[_positions(np.frombuffer(_decompress(frame, limit), dtype=np.uint8), listed, size)] ^= True
        packed = bits.pack(mask)
    else:
        raise ArchiveError(f"unknown codec {codec!r}; known: bitmap, gaps")
    if int(bits.count(packed)) != kept:
        raise ArchiveError(f"mask keeps {int(bits.count(packed))} weights, its description says {kept}")
    return packed


def _listed_positions(mask: Bool[np.ndarray, " size"]) -> Integer[np.ndarray, " listed"]:
    complement = 2 * int(mask.sum()) > mask.size
    return np.flatnonzero(~mask if complement else mask)


def _gaps(positions: Integer[np.ndarray, " listed"]) -> UInt8[np.ndarray, " bytes"]:
    gaps = np.diff(positions, prepend=-1) - 1
    escapes = gaps // _ESCAPE
    ends = np.cumsum(escapes + 1) - 1
    coded = np.full(int(ends[-1]) + 1 if ends.size else 0, _ESCAPE, dtype=np.uint8)
    coded[ends] = (gaps % _ESCAPE).astype(np.uint8)
    return coded


def _positions(coded: UInt8[np.ndarray, " bytes"], listed: int, size: int) -> Integer[np.ndarray, " listed"]:
    ends = np.flatnonzero(coded != _ESCAPE)
    if ends.size != listed or (coded.size and coded[-1] == _ESCAPE):
        raise ArchiveError(f"gap list names {ends.size} weights, its description says {listed}")
    positions = np.cumsum(coded, dtype=np.int64)[ends] + np.arange(listed)
    if listed and positions[-1] >= size:
        raise ArchiveError(f"gap list reaches weight {positions[-1]} of a layer of {size}")
    return positions


def encode_origin(origin: Integer[np.ndarray, " size"]) -> tuple[int, bytes]:
    """Bytes per entry and frame of non-negative integers below 2³².

    Examples:
        >>> width, frame = encode_origin(np.array([0, 0, 300]))
        >>> width, decode_origin(frame, 3, width).tolist()
        (2, [0, 0, 300])
    """
    largest = int(origin.max(initial=0))
    width = next(width for width in (1, 2, 4) if largest < 256**width)
    planes = origin.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T
    return width, _compress(planes.tobytes())


def decode_origin(frame: bytes, size: int, width: int) -> Integer[np.ndarray, " size"]:
    """Inverse of `encode_origin`.

    Raises:
        ArchiveError: The frame is damaged, or `width` is not 1, 2 or 4.
    """
    if width not in (1, 2, 4):
        raise ArchiveError(f"origin entries of {width} bytes; allowed: 1, 2, 4")
    planes = np.frombuffer(_decompress(frame, size * width, exact=True), dtype=np.uint8)
    return np.ascontiguousarray(planes.reshape(width, size).T).view(f"<u{width}").reshape(size)


def _compress(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def _decompress(frame: bytes, limit: int, *, exact: bool = False) -> bytes:
    """Content of one zstd frame whose declared size is within (or equal to) `limit` bytes."""
    try:
        declared = zstandard.frame_content_size(frame)
        if declared < 0 or declared > limit or (exact and declared != limit):
            raise ArchiveError(
                f"frame declares {declared} bytes; {'exactly' if exact else 'at most'} {limit}"
            )
        if declared == 0:
            return b""
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ArchiveError(f"damaged frame: {error}") from error
