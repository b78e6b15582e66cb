"""Codecs of masks and origins: bytes in, bytes out, every size checked before memory is taken.

* `bitmap`: the packed row (least significant bit first, zero padded), zstd.
* `gaps`: run lengths between kept weights, one byte each, 255 = add 255 and continue, zstd. Above
  density ½ the runs are those between *pruned* weights.
* `golomb`: the same run lengths, Golomb-coded (see `masklab.archive.golomb`), nothing else.
* origins: unsigned little-endian integers, one byte plane after the other, zstd.

Between them the size stays within 2 % of the entropy of independent bits for densities from 0.01 to 0.5 and
layers from 10⁵ weights, and masks with structure become smaller still.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import zstandard
from jaxtyping import Bool, Integer, UInt8

from masklab import bits
from masklab.archive import golomb
from masklab.errors import ArchiveError

CODECS = ("bitmap", "gaps", "golomb")
"""Names of the mask codecs."""

_LEVEL = 1  # higher levels are slower and not smaller on independent bits
_ESCAPE = 255
_BLOCK = 2**16  # codes that are decoded at a time: what they unpack to stays in the cache
_SAMPLE = 8, 2**12  # slices, and weights in each, that tell which codecs are worth trying
_HOPELESS = 1.03  # a codec that is so much larger than the best one on the sample is not tried
_WORTH = 1.003, 4  # a bitmap decodes several times faster: it stays unless it is larger by so much
_DENSE = 0.3  # share of listed weights from which a bitmap is the smallest


def encode_mask(mask: Bool[np.ndarray, " size"]) -> tuple[str, bytes]:
    """Name of the smallest codec and its frame; a bitmap stays unless it is more than 0.3 % larger.

    Examples:
        >>> codec, frame = encode_mask(np.arange(4096) % 100 == 0)
        >>> codec, len(frame) < 50
        ('gaps', True)
    """
    kept = int(np.count_nonzero(mask))
    if min(kept, mask.size - kept) > _DENSE * mask.size:
        return "bitmap", _compress(bits.pack(mask).tobytes())
    complement = 2 * kept > mask.size
    listed = ~mask if complement else mask
    frames = _frames(mask, listed, _promising(mask, listed, mask.size - kept if complement else kept))
    smallest = min(frames, key=lambda codec: len(frames[codec]))
    factor, more = _WORTH
    if "bitmap" in frames and len(frames["bitmap"]) <= factor * len(frames[smallest]) + more:
        smallest = "bitmap"
    return smallest, frames[smallest]


def _promising(
    mask: Bool[np.ndarray, " size"], listed: Bool[np.ndarray, " size"], number: int
) -> Sequence[str]:
    """Codecs that come close to the smallest on slices of a large mask.

    A Golomb frame's length follows from the number of gaps alone, however they lie.
    """
    slices, width = _SAMPLE
    if mask.size <= 4 * slices * width:
        return CODECS
    starts = np.linspace(0, mask.size - width, slices).astype(int)
    own, others = (np.concatenate([row[start : start + width] for start in starts]) for row in (mask, listed))
    lengths = {codec: len(frame) for codec, frame in _frames(own, others, ("bitmap", "gaps")).items()}
    lengths["golomb"] = golomb.length(number, mask.size) * own.size // mask.size
    return [codec for codec in CODECS if lengths[codec] <= _HOPELESS * min(lengths.values())]


def _frames(
    mask: Bool[np.ndarray, " size"], listed: Bool[np.ndarray, " size"], tried: Sequence[str]
) -> dict[str, bytes]:
    frames = {"bitmap": _compress(bits.pack(mask).tobytes())} if "bitmap" in tried else {}
    if "gaps" in tried or "golomb" in tried:
        gaps = np.diff(_true_at(listed), prepend=-1)
        gaps -= 1
        if "gaps" in tried:
            frames["gaps"] = _compress(_escaped(gaps).tobytes())
        if "golomb" in tried:
            frames["golomb"] = golomb.encode(gaps)
    return frames


def _true_at(mask: Bool[np.ndarray, " size"]) -> Integer[np.ndarray, " true"]:
    """`np.flatnonzero`, twice as fast where few are true: eight falsehoods are skipped at once."""
    whole = mask.size // 8 * 8
    eights = np.ascontiguousarray(mask[:whole]).view(np.uint64)
    some = np.flatnonzero(eights != 0)
    within = np.flatnonzero(eights[some].view(np.bool_))
    some <<= 3
    found = some[within >> 3]
    within &= 7
    found += within
    return np.concatenate([found, whole + np.flatnonzero(mask[whole:])])


def decode_mask(codec: str, frame: bytes, size: int, kept: int) -> UInt8[np.ndarray, " bytes"]:
    """Packed row of an encoded mask; takes no more memory than the row, the frame and a few MB.

    Args:
        codec: One of `CODECS`.
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
        found = int(bits.count(packed))
        if found != kept:
            raise ArchiveError(f"mask keeps {found} weights, its description says {kept}")
        return packed
    complement = 2 * kept > size
    listed = size - kept if complement else kept
    if codec == "gaps":
        limit = listed + size // _ESCAPE + 1
        coded = np.frombuffer(_decompress(frame, limit), dtype=np.uint8)
        packed = _marked(_positions(coded, listed, size), size)
    elif codec == "golomb":
        packed = _marked(golomb.positions(np.frombuffer(frame, dtype=np.uint8), listed, size), size)
    else:
        raise ArchiveError(f"unknown codec {codec!r}; known: {', '.join(CODECS)}")
    if complement:
        np.invert(packed, out=packed)
        if size % 8:
            packed[-1] &= (1 << size % 8) - 1
    return packed


def _marked(blocks: Iterator[Integer[np.ndarray, " some"]], size: int) -> UInt8[np.ndarray, " bytes"]:
    """Packed row with a bit at each position; the positions ascend, block after block."""
    packed = np.zeros(bits.packed_size(size), dtype=np.uint8)
    for positions in blocks:
        for part in np.split(positions, _far_apart(positions)):
            begin = int(part[0]) // 8
            scratch = np.zeros(int(part[-1]) + 1 - 8 * begin, dtype=bool)
            scratch[part - 8 * begin] = True
            marked = bits.pack(scratch)
            packed[begin : begin + marked.size] |= marked
    return packed


def _far_apart(positions: Integer[np.ndarray, " some"]) -> list[int]:
    """Where to cut positions so that each part spans few weights (or is a single one)."""
    span = 32 * _BLOCK
    if int(positions[-1]) - int(positions[0]) <= span:
        return []
    steps = np.arange(int(positions[0]) + span, int(positions[-1]) + 1, span)
    return sorted(set(np.searchsorted(positions, steps).tolist()) - {0, positions.size})


def _escaped(gaps: Integer[np.ndarray, " listed"]) -> UInt8[np.ndarray, " bytes"]:
    """Gaps as bytes; 255 = add 255 and continue."""
    if gaps.max(initial=0) < _ESCAPE:
        return gaps.astype(np.uint8)
    escapes = gaps // _ESCAPE
    ends = np.cumsum(escapes + 1) - 1
    coded = np.full(int(ends[-1]) + 1, _ESCAPE, dtype=np.uint8)
    coded[ends] = (gaps - escapes * _ESCAPE).astype(np.uint8)
    return coded


def _positions(
    coded: UInt8[np.ndarray, " bytes"], listed: int, size: int
) -> Iterator[Integer[np.ndarray, " some"]]:
    """Positions that coded gaps lead to, in blocks."""
    named = int(np.count_nonzero(coded != _ESCAPE))
    if named != listed or (coded.size and coded[-1] == _ESCAPE):
        raise ArchiveError(f"gap list names {named} weights, its description says {listed}")
    reached = -1
    for start in range(0, coded.size, _BLOCK):
        block = coded[start : start + _BLOCK]
        ends = block != _ESCAPE
        steps = np.cumsum(np.add(block, ends, dtype=np.int64))
        positions = steps[ends]
        positions += reached
        reached += int(steps[-1])
        if reached >= size:
            raise ArchiveError(f"gap list reaches weight {reached} of a layer of {size}")
        if positions.size:
            yield positions


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
