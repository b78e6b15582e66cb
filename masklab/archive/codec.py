"""Codecs of masks and origins: bytes in, bytes out, every size checked before memory is taken.

* `bitmap`: the packed row (least significant bit first, zero padded), zstd.
* `gaps`: run lengths between kept weights, one byte each, 255 = add 255 and continue, zstd. Above
  density ½ the runs are those between *pruned* weights.
* `golomb`: the same run lengths, Golomb-coded (see `masklab.archive.golomb`), nothing else.
* origins: unsigned little-endian integers, one byte plane after the other, zstd.

Between them the size stays within 2 % of the entropy of independent bits for densities from 0.01 to 0.5 and
layers from 10⁵ weights, and masks with structure become smaller still.
"""

import math
import threading
from collections.abc import Collection, Iterator, Mapping

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
_SPAN = 2**21  # weights whose booleans are written at a time
_SAMPLE = 8, 2**11  # slices, and weights in each, that tell which codecs are worth trying
_WHOLE = 2**16  # weights up to which all codecs are tried on the whole mask
_MAYBE = 1.1  # slices make a bitmap look larger than it is, by the table that each frame brings
_HOPELESS = 1.03  # a codec that is so much larger than the best one on the sample is not tried
_DENSE = 0.3  # share of listed weights from which only a bitmap is tried
_NEAR, _WORTH = 1.019, 1.02  # a bitmap near the entropy stays, unless another codec is that much smaller


def entropy_bound(size: int, kept: int) -> float:
    """Bytes that tell one of all masks of `size` weights of which `kept` are kept.

    Examples:
        >>> round(entropy_bound(1000, 500)), round(entropy_bound(1000, 0))
        (124, 0)
    """
    nats = math.lgamma(size + 1) - math.lgamma(kept + 1) - math.lgamma(size - kept + 1)
    return max(0.0, nats / math.log(2) / 8)


def encode_mask(mask: Bool[np.ndarray, " size"]) -> tuple[str, bytes]:
    """Name of a codec and its frame, the smallest as far as slices of a large mask tell.

    A bitmap, which decodes several times faster than the others, stays where it is within 1.9 % of the
    entropy bound and no other codec is more than 2 % smaller.

    Examples:
        >>> codec, frame = encode_mask(np.arange(4096) % 100 == 0)
        >>> codec, len(frame) < 50
        ('gaps', True)
    """
    kept = int(np.count_nonzero(mask))
    bound = entropy_bound(mask.size, kept)
    if min(kept, mask.size - kept) >= _DENSE * mask.size:
        return "bitmap", _bitmap(mask, bound)
    complement = 2 * kept > mask.size
    listed = ~mask if complement else mask
    least, frames = float("inf"), {}
    tried = set(CODECS)
    if mask.size > _WHOLE:
        lengths = _estimates(mask, listed, mask.size - kept if complement else kept)
        least = float(min(lengths.values()))
        tried = {codec for codec in CODECS if lengths[codec] <= _HOPELESS * least}
        if lengths["bitmap"] <= _MAYBE * least:
            frames["bitmap"] = _bitmap(mask, bound)
    if not _stays(frames, bound, least):
        frames |= _frames(mask, listed, tried - frames.keys())
        least = float(min(map(len, frames.values())))
    stays = _stays(frames, bound, least)
    codec = "bitmap" if stays else min(frames, key=lambda codec: (len(frames[codec]), codec))
    return codec, frames[codec]


def _stays(frames: Mapping[str, bytes], bound: float, least: float) -> bool:
    """Whether a bitmap is good enough."""
    return "bitmap" in frames and len(frames["bitmap"]) <= min(_NEAR * bound, _WORTH * least)


def _estimates(
    mask: Bool[np.ndarray, " size"], listed: Bool[np.ndarray, " size"], number: int
) -> dict[str, float]:
    """Bytes that each codec takes, from slices of a large mask.

    A Golomb frame's length follows from the number of gaps alone, however they lie.
    """
    slices, width = _SAMPLE
    starts = range(0, mask.size - width + 1, (mask.size - width) // (slices - 1))
    own = np.concatenate([mask[start : start + width] for start in starts])
    frames = _frames(own, own if listed is mask else ~own, {"bitmap", "gaps"})
    lengths = {codec: mask.size / own.size * len(frame) for codec, frame in frames.items()}
    return lengths | {"golomb": golomb.length(number, mask.size)}


def _bitmap(mask: Bool[np.ndarray, " size"], bound: float) -> bytes:
    packed = bits.pack(mask).tobytes()
    frame = _compress(packed)
    if bound and len(frame) > _NEAR * bound and len(frame) > 0.98 * len(packed):
        # the fast levels do not code what they shrink by less than 1.6 %; this one does
        thorough = zstandard.ZstdCompressionParameters.from_level(
            _LEVEL, strategy=zstandard.STRATEGY_BTULTRA, search_log=1, min_match=7, chain_log=6, hash_log=6
        )
        frame = min(frame, zstandard.ZstdCompressor(compression_params=thorough).compress(packed), key=len)
    return frame


def _frames(
    mask: Bool[np.ndarray, " size"], listed: Bool[np.ndarray, " size"], tried: Collection[str]
) -> dict[str, bytes]:
    frames = {"bitmap": _compress(bits.pack(mask).tobytes())} if "bitmap" in tried else {}
    if "gaps" in tried or "golomb" in tried:
        found = _true_at(listed).astype(np.int32)  # no layer is so large that this would not hold them
        gaps = found.copy()
        gaps[1:] -= found[:-1]
        gaps[1:] -= 1
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
        first, last = int(positions[0]), int(positions[-1])
        if last - first <= _SPAN:
            _mark(packed, positions)
        else:  # few weights far apart: no more is unpacked at a time than where they are dense
            starts = np.searchsorted(positions, np.arange(first, last + 1, _SPAN))
            for part in np.split(positions, np.unique(starts[1:])):
                if part.size:
                    _mark(packed, part)
    return packed


def _mark(packed: UInt8[np.ndarray, " bytes"], positions: Integer[np.ndarray, " some"]) -> None:
    begin = int(positions[0]) // 8
    scratch = np.zeros(int(positions[-1]) + 1 - 8 * begin, dtype=np.bool_)
    scratch[positions - 8 * begin if begin else positions] = True
    marked = bits.pack(scratch)
    packed[begin : begin + marked.size] |= marked


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


class _Contexts(threading.local):
    """Contexts of each thread: they take longer to make than a small frame takes to code."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def _compress(data: bytes) -> bytes:
    return _contexts.compressor.compress(data)


def _decompress(frame: bytes, limit: int, *, exact: bool = False) -> bytes:
    """Content of one zstd frame whose declared size is within (or equal to) `limit` bytes."""
    try:
        declared = zstandard.frame_content_size(frame)
        if declared < 0 or declared > limit or (exact and declared != limit):
            raise ArchiveError(
                f"frame declares {declared} bytes; {'exactly' if exact else 'at most'} {limit}"
            )
        if declared == 0:  # the library returns nothing then, whatever else stands there
            unpacking = zstandard.ZstdDecompressor().decompressobj()
            whole = frame.startswith(zstandard.FRAME_HEADER) and unpacking.decompress(frame) == b""
            if not whole or not unpacking.eof or unpacking.unused_data:
                raise ArchiveError("damaged frame: it declares 0 bytes and goes on or stops short")
            return b""
        return _contexts.decompressor.decompress(frame, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ArchiveError(f"damaged frame: {error}") from error
