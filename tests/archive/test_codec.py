import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from masklab import bits
from masklab.archive import codec
from masklab.errors import ArchiveError


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def _round_trip(mask: np.ndarray) -> str:
    used, frame = codec.encode_mask(mask)
    packed = codec.decode_mask(used, frame, mask.size, int(mask.sum()))
    np.testing.assert_array_equal(packed, np.packbits(mask, bitorder="little"))
    return used


def _mask(size: int, kept: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).permutation(size) < kept


@settings(deadline=None)
@given(arrays.arrays(np.bool_, st.integers(1, 600)))
def test_any_mask_survives(mask: np.ndarray) -> None:
    _round_trip(mask)


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
        frame = codec._compress(codec._gaps(np.array(positions)).tobytes())
        mask = ~mask if pruned else mask
        packed = codec.decode_mask("gaps", frame, mask.size, int(mask.sum()))
        np.testing.assert_array_equal(bits.unpack(packed, mask.size), mask)


@pytest.mark.parametrize("density", [0.01, 0.05, 0.2, 0.5, 0.8, 0.99])
def test_the_smaller_codec_wins(density: float) -> None:
    mask = _mask(100_000, round(100_000 * density))
    listed = np.flatnonzero(~mask if density > 0.5 else mask)
    sizes = {
        "bitmap": len(codec._compress(np.packbits(mask, bitorder="little").tobytes())),
        "gaps": len(codec._compress(codec._gaps(listed).tobytes())),
    }
    used, frame = codec.encode_mask(mask)
    assert len(frame) == min(sizes.values()) == sizes[used]


def test_both_codecs_are_used_and_stay_near_the_entropy() -> None:
    for density, used, bits_per_weight in (
        (0.5, "bitmap", 1.0),
        (0.02, "gaps", 0.1414),
        (0.98, "gaps", 0.1414),
    ):
        mask = _mask(100_000, round(100_000 * density))
        found, frame = codec.encode_mask(mask)
        assert found == used
        assert len(frame) * 8 / mask.size < 1.25 * bits_per_weight


def test_bytes_of_a_mask_never_change() -> None:
    mask = np.zeros(12, dtype=bool)
    mask[[0, 3, 8, 9, 11]] = True
    assert codec.encode_mask(mask) == ("bitmap", bytes.fromhex("28b52ffd2002110000090b"))
    one = np.arange(600) == 300
    assert codec.encode_mask(one) == ("gaps", bytes.fromhex("28b52ffd2002110000ff2d"))


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
        ("runs", b"\0", 12, 1, "unknown codec 'runs'; known: bitmap, gaps"),
    ],
)
def test_a_frame_that_contradicts_its_description_is_refused(
    used: str, content: bytes, size: int, kept: int, message: str
) -> None:
    with pytest.raises(ArchiveError, match=message):
        codec.decode_mask(used, _zstd(content), size, kept)


@settings(deadline=None)
@given(data=st.binary(max_size=20), used=st.sampled_from(["bitmap", "gaps"]), kept=st.integers(0, 40))
def test_any_frame_is_a_mask_with_the_count_described_or_refused(data: bytes, used: str, kept: int) -> None:
    try:
        packed = codec.decode_mask(used, _zstd(data), 40, kept)
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
