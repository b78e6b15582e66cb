import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from masklab import bits
from masklab.archive import codec, golomb
from masklab.errors import ArchiveError


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def _run_lengths(listed: np.ndarray) -> bytes:
    """Content of a `gaps` frame for a mask of the listed weights, gap by gap."""
    coded, reached = bytearray(), -1
    for position in np.flatnonzero(listed).tolist():
        gap, reached = position - reached - 1, position
        coded += b"\xff" * (gap // 255) + bytes([gap % 255])
    return bytes(coded)


def _frames(mask: np.ndarray) -> dict[str, bytes]:
    """Frame of a mask in every codec."""
    listed = ~mask if 2 * mask.sum() > mask.size else mask
    return {
        "bitmap": codec._compress(np.packbits(mask, bitorder="little").tobytes()),
        "gaps": codec._compress(_run_lengths(listed)),
        "golomb": golomb.encode(np.diff(np.flatnonzero(listed), prepend=-1) - 1),
    }


def _round_trip(mask: np.ndarray) -> str:
    used, frame = codec.encode_mask(mask)
    packed = codec.decode_mask(used, frame, mask.size, int(mask.sum()))
    np.testing.assert_array_equal(packed, np.packbits(mask, bitorder="little"))
    return used


def _mask(size: int, kept: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).permutation(size) < kept


ANY_MASK = st.one_of(
    arrays.arrays(np.bool_, st.integers(1, 600)),
    arrays.arrays(np.bool_, st.integers(1, 3000), elements=st.just(False), fill=st.booleans()),
    st.builds(_mask, st.integers(1, 5000), st.integers(0, 300), st.integers(0, 99)),
)


@settings(deadline=None)
@given(mask=ANY_MASK, inverted=st.booleans())
def test_any_mask_survives(mask: np.ndarray, inverted: bool) -> None:
    mask = ~mask if inverted else mask
    _round_trip(mask)
    for used, frame in _frames(mask).items():
        packed = codec.decode_mask(used, frame, mask.size, int(mask.sum()))
        np.testing.assert_array_equal(packed, np.packbits(mask, bitorder="little"))


@pytest.mark.parametrize("size", [1, 7, 8, 9, 255, 256, 257, 4096, 50_000])
@pytest.mark.parametrize("density", [0.0, 1e-9, 0.001, 0.01, 0.1, 0.49, 0.5, 0.51, 0.9, 0.999, 1.0])
def test_every_density_survives(size: int, density: float) -> None:
    kept = bits.kept_count(size, density) if density else 0
    mask = _mask(size, kept)
    _round_trip(mask)
    _round_trip(~mask)


@pytest.mark.parametrize("first", [0, 1, 254, 255, 256, 509, 510, 511, 765, 255 * 40 - 1, 255 * 40])
@pytest.mark.parametrize("pruned", [False, True])
def test_gaps_longer_than_one_byte_survive(first: int, pruned: bool) -> None:
    for positions in ([first], [first, 255 * 40 + 1], [first, 255 * 40 + 1, 255 * 80]):
        mask = np.zeros(255 * 81, dtype=bool)
        mask[positions] = True
        coded = _run_lengths(mask)
        assert codec._escaped(np.diff(positions, prepend=-1) - 1).tobytes() == coded
        mask = ~mask if pruned else mask
        packed = codec.decode_mask("gaps", _zstd(coded), mask.size, int(mask.sum()))
        np.testing.assert_array_equal(bits.unpack(packed, mask.size), mask)


def _structured(size: int) -> dict[str, np.ndarray]:
    """Masks whose kept weights are not strewn at random."""
    at, random = np.arange(size), np.random.RandomState(1)
    return {
        "every hundredth": at % 100 == 0,
        "a block": (at > size // 3) & (at < size // 2),
        "rows": np.repeat(random.random_sample(size // 64 + 1) < 0.1, 64)[:size],
        "thinning": random.random_sample(size) < 0.4 * np.exp(-5 * at / size),
    }


DENSITIES = [0.0, 1e-4, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.28, 0.5, 0.8, 0.99, 1.0]
MASKS = {str(density): _mask(60_000, round(60_000 * density)) for density in DENSITIES} | _structured(60_000)


LARGE = _structured(400_001) | {
    str(density): _mask(400_001, round(400_001 * density)) for density in (0.01, 0.05, 0.1, 0.24, 0.9)
}


@pytest.mark.parametrize(
    "mask", [*MASKS.values(), *LARGE.values()], ids=[*MASKS, *(f"large {k}" for k in LARGE)]
)
def test_the_frame_is_nearly_the_smallest(mask: np.ndarray) -> None:
    """Slices tell which codec is worth trying, but not that gaps follow a drift."""
    used, frame = codec.encode_mask(mask)
    assert bits.count(codec.decode_mask(used, frame, mask.size, int(mask.sum()))) == mask.sum()
    frames = _frames(mask)
    if used != "bitmap":  # there a longer search may make it smaller
        assert frame == frames[used]
    tolerance = 1.15 if mask is LARGE["thinning"] else 1.03
    assert len(frame) <= tolerance * min(map(len, frames.values())) + 4


def test_a_bitmap_stays_near_the_entropy_alone_and_other_codecs_are_the_smallest() -> None:
    seen = set()
    for density in np.linspace(0.15, 0.32, 18):
        mask = _mask(400_000, round(400_000 * density))
        used, frame = codec.encode_mask(mask)
        frames, bound = _frames(mask), _entropy(mask.size, int(mask.sum())) / 8
        others = min(len(frames["gaps"]), len(frames["golomb"]))
        assert codec.entropy_bound(mask.size, int(mask.sum())) == pytest.approx(bound)
        if used == "bitmap":
            assert len(frame) <= min(1.0191 * bound, 1.03 * others)
        else:
            assert len(frame) == others
        seen.add((used, density < 0.3))
    assert seen == {("golomb", True), ("bitmap", True), ("bitmap", False)}


def test_every_codec_is_used() -> None:
    used = {name: codec.encode_mask(mask)[0] for name, mask in LARGE.items()}
    assert used["every hundredth"] == "gaps"
    assert used["0.01"] == used["0.1"] == used["0.9"] == "golomb"
    assert used["0.24"] == used["rows"] == "bitmap"


@pytest.mark.parametrize("share", [0.3, 0.3001, 0.6999, 0.7])
def test_only_a_bitmap_is_tried_when_many_weights_are_listed(share: float) -> None:
    """A mask that gaps would code with one byte: kept weights in front, alone."""
    size, kept = 10_000, round(10_000 * share)
    mask = np.arange(size) < kept
    used, frame = codec.encode_mask(mask)
    assert used == "bitmap"
    assert len(frame) < 40


def _entropy(size: int, kept: int) -> float:
    """Bits that masks of so many kept weights take at least, on average: log₂ of their number."""
    natural = math.lgamma(size + 1) - math.lgamma(kept + 1) - math.lgamma(size - kept + 1)
    return natural / math.log(2)


GRID = [0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.28, 0.3, 0.31, 0.4, 0.5]


@pytest.mark.parametrize("size", [10**5, 10**6])
def test_size_stays_within_two_percent_of_the_entropy(size: int) -> None:
    order = np.random.RandomState(0).permutation(size)
    for density in sorted({*GRID, *(1 - density for density in GRID)}):
        kept = round(size * density)
        _, frame = codec.encode_mask(order < kept)
        assert 8 * len(frame) <= 1.02 * _entropy(size, kept), density


def test_bytes_of_a_mask_never_change() -> None:
    mask = np.zeros(12, dtype=bool)
    mask[[0, 3, 8, 9, 11]] = True
    assert codec.encode_mask(mask) == ("bitmap", bytes.fromhex("28b52ffd2002110000090b"))
    regular = np.arange(4096) % 100 == 0
    assert codec.encode_mask(regular) == ("gaps", bytes.fromhex("28b52ffd202945000010006301004a8005"))
    one = np.arange(600) == 300
    frame = bytes.fromhex("28b52ffd2002110000ff2d")
    np.testing.assert_array_equal(bits.unpack(codec.decode_mask("gaps", frame, 600, 1), 600), one)
    cubes = np.isin(np.arange(100), np.arange(5) ** 3)
    assert codec.encode_mask(cubes) == ("golomb", bytes.fromhex("08000000140c002704"))


def test_an_empty_frame_is_whole_and_has_nothing_behind_it() -> None:
    """As all-kept masks were stored before there was a Golomb code."""
    empty, skippable = _zstd(b""), bytes.fromhex("502a4d18") + b"\0" * 4
    assert bits.count(codec.decode_mask("gaps", empty, 24, 24)) == 24
    for other in (empty + b"\0", empty * 2, empty + _zstd(b"\0"), empty[:-1], skippable, skippable[:4]):
        with pytest.raises(ArchiveError, match="damaged frame"):
            codec.decode_mask("gaps", other, 24, 24)


Decode = Callable[[bytes], object]
DECODERS: dict[str, Decode] = {
    "bitmap": lambda frame: codec.decode_mask("bitmap", frame, 24, 3),
    "gaps": lambda frame: codec.decode_mask("gaps", frame, 24, 3),
    "origin": lambda frame: codec.decode_origin(frame, 3, 1),
}
FRAMES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "damaged frame"),
    "no frame": (b"hello, this is no frame", "damaged frame"),
    "no declared size": (
        zstandard.ZstdCompressor(write_content_size=False).compress(b"\1\2\4"),
        "frame declares -1 bytes",
    ),
    "much too large": (_zstd(b"\0" * 10**8), "frame declares 100000000 bytes"),
    "too small": (_zstd(b""), r"declares 0 bytes|names 0 weights"),
    "two frames": (_zstd(b"\1\2\4") * 2, "damaged frame"),
    "trailing byte": (_zstd(b"\1\2\4") + b"\0", "damaged frame"),
    "truncated": (_zstd(b"\1\2\4")[:-1], "damaged frame"),
}


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("frame", FRAMES)
def test_a_bad_frame_is_refused_before_memory_is_taken(decoder: str, frame: str) -> None:
    data, message = FRAMES[frame]
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match=message):
            DECODERS[decoder](data)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("used", "content", "size", "kept", "message"),
    [
        ("bitmap", b"\xff\x1f", 12, 12, "bits set beyond its last weight"),
        ("bitmap", b"\xff\x0f", 12, 11, "mask keeps 12 weights, its description says 11"),
        ("bitmap", b"\xff", 12, 8, "frame declares 1 bytes; exactly 2"),
        ("gaps", b"\0\0", 12, 3, "gap list names 2 weights, its description says 3"),
        ("gaps", b"\0\0\xff", 600, 2, "gap list names 2 weights, its description says 2"),
        ("gaps", b"\0\0\x0a", 12, 3, "gap list reaches weight 12 of a layer of 12"),
        ("gaps", b"\xff\xff\xff\xff\0", 12, 1, "frame declares 5 bytes; at most 2"),
        ("runs", b"\0", 12, 1, "unknown codec 'runs'; known: bitmap, gaps, golomb"),
    ],
)
def test_a_frame_that_contradicts_its_description_is_refused(
    used: str, content: bytes, size: int, kept: int, message: str
) -> None:
    with pytest.raises(ArchiveError, match=message):
        codec.decode_mask(used, _zstd(content), size, kept)


@settings(deadline=None)
@given(
    data=st.binary(max_size=20),
    compressed=st.booleans(),
    used=st.sampled_from(codec.CODECS),
    kept=st.integers(0, 40),
)
def test_any_frame_is_a_mask_with_the_count_described_or_refused(
    data: bytes, compressed: bool, used: str, kept: int
) -> None:
    try:
        packed = codec.decode_mask(used, _zstd(data) if compressed else data, 40, kept)
    except ArchiveError:
        return
    assert bits.count(packed) == kept
    assert packed.size == 5


@settings(deadline=None)
@given(
    origin=arrays.arrays(
        np.int64, st.integers(1, 60), elements=st.one_of(*(st.integers(0, 2**n - 1) for n in (3, 8, 16, 32)))
    )
)
def test_any_origin_survives_at_the_smallest_width(origin: np.ndarray) -> None:
    width, frame = codec.encode_origin(origin)
    assert width == next(width for width in (1, 2, 4) if origin.max() < 256**width)
    np.testing.assert_array_equal(codec.decode_origin(frame, origin.size, width), origin)


@pytest.mark.parametrize(
    ("largest", "width"), [(0, 1), (255, 1), (256, 2), (65535, 2), (65536, 4), (2**32 - 1, 4)]
)
def test_widths_at_their_edges(largest: int, width: int) -> None:
    found, frame = codec.encode_origin(np.array([0, largest]))
    assert found == width
    assert codec.decode_origin(frame, 2, width).tolist() == [0, largest]


@pytest.mark.parametrize("width", [0, 3, 8, -1])
def test_other_widths_are_refused(width: int) -> None:
    with pytest.raises(ArchiveError, match=f"origin entries of {width} bytes; allowed: 1, 2, 4"):
        codec.decode_origin(_zstd(b"\0" * 24), 3, width)
