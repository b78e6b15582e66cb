"""The Golomb code, held against a decoder that reads docs/format.md bit by bit."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab import bits
from masklab.archive import codec, golomb
from masklab.errors import ArchiveError


def _slow_gaps(frame: bytes, number: int) -> list[int]:
    """Gaps of a frame, as the document says it: one bit at a time, no NumPy, nothing of masklab."""

    def bit(bitmap: bytes, at: int) -> int:
        return bitmap[at // 8] >> at % 8 & 1

    m, rest = int.from_bytes(frame[:4], "little"), frame[4:]
    width = 0
    while 1 << width < m:
        width += 1
    short = (1 << width) - m
    planes = width if short == 0 else width - 1
    row = (number + 7) // 8
    first = [
        sum(bit(rest[plane * row :], at) << (planes - 1 - plane) for plane in range(planes))
        for at in range(number)
    ]
    long = [short > 0 and part >= short for part in first]
    last = rest[planes * row :]
    unary = last[(sum(long) + 7) // 8 :]
    gaps, at, used = [], 0, 0
    for part, is_long in zip(first, long, strict=True):
        remainder = part
        if is_long:
            remainder, used = 2 * part - short + bit(last, used), used + 1
        quotient = 0
        while not bit(unary, at):
            quotient, at = quotient + 1, at + 1
        at += 1
        gaps.append(quotient * m + remainder)
    return gaps


def _positions(frame: bytes, listed: int, size: int) -> list[int]:
    blocks = list(golomb.positions(np.frombuffer(frame, dtype=np.uint8), listed, size))
    return np.concatenate(blocks).tolist() if blocks else []


GAPS = st.one_of(
    *(st.lists(st.integers(0, largest), max_size=60) for largest in (0, 1, 4, 40, 1000, 2**16, 2**20))
)


@settings(deadline=None)
@given(GAPS)
def test_any_gaps_survive_and_the_slow_decoder_reads_them(gaps: list[int]) -> None:
    frame = golomb.encode(np.array(gaps, dtype=np.int64))
    assert _slow_gaps(frame, len(gaps)) == gaps
    positions = (np.cumsum(np.array(gaps, dtype=np.int64) + 1) - 1).tolist()
    assert _positions(frame, len(gaps), 2**26) == positions


@pytest.mark.parametrize("m", [*range(1, 40), 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 2**20, 2**31])
def test_every_parameter_is_read_as_the_document_says(m: int) -> None:
    """Whatever m a writer chose: 0 to 20 gaps with random bits in every place."""
    random = np.random.RandomState(m % 2**32)
    planes, short = golomb._split(m)
    for number in (0, 1, 7, 8, 9, 20):
        first = random.randint(0, 2, (planes, number))
        joined = [int("".join(map(str, column)), 2) if planes else 0 for column in first.T.tolist()]
        long = sum(part >= short for part in joined) if short < 1 << planes else 0
        unary = "".join("0" * quotient + "1" for quotient in random.randint(0, 3, number).tolist())
        parts = [*first, random.randint(0, 2, long), np.array(list(unary), dtype=int)]
        frame = m.to_bytes(4, "little") + b"".join(bits.pack(part.astype(bool)).tobytes() for part in parts)
        gaps = _slow_gaps(frame, number)
        size = sum(gaps) + number
        positions = (np.cumsum(np.array(gaps, dtype=np.int64) + 1) - 1).tolist()
        assert _positions(frame, number, size) == positions
        if number:
            with pytest.raises(
                ArchiveError, match=f"gap list reaches weight {size - 1} of a layer of|goes on"
            ):
                _positions(frame, number, size - 1)


@pytest.mark.parametrize("listed", [2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16 + 5])
@pytest.mark.parametrize("largest", [2, 7, 300])
def test_gaps_beyond_one_block_survive(listed: int, largest: int) -> None:
    gaps = np.random.RandomState(listed).randint(0, largest, listed)
    frame = golomb.encode(gaps)
    assert _positions(frame, listed, int(gaps.sum()) + listed) == (np.cumsum(gaps + 1) - 1).tolist()


def test_one_gap_in_a_layer_of_any_size() -> None:
    for gap in (0, 1, 2**26, 2**27 - 1):
        frame = golomb.encode(np.array([gap]))
        assert _slow_gaps(frame, 1) == [gap]
        assert _positions(frame, 1, 2**27) == [gap]
    assert len(frame) < 40


def test_bytes_of_gaps_never_change() -> None:
    """The two worked examples of docs/format.md, and a frame without gaps."""
    cubes = np.array([0, 0, 6, 18, 36])  # between 0, 1, 8, 27 and 64: m = 8, three planes
    assert golomb.encode(cubes).hex() == "08000000" + "14" + "0c" + "00" + "2704"
    others = np.array([0, 4, 2, 8, 5])  # between 0, 5, 8, 17 and 23: m = 3, one plane and last bits
    assert golomb.encode(others).hex() == "03000000" + "1e" + "0e" + "4d01"
    assert _slow_gaps(bytes.fromhex("030000001e0e4d01"), 5) == others.tolist()
    assert golomb.encode(np.zeros(0, dtype=np.int64)).hex() == "01000000"


@pytest.mark.parametrize("density", [1e-12, 1e-6, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.38, 0.4, 0.49])
def test_the_parameter_is_nearly_the_best(density: float) -> None:
    """Against the expected length of every m near the chosen one, summed term by term."""

    def expected(m: int) -> float:
        width = (m - 1).bit_length()
        short = (1 << width) - m
        shares = density * (1 - density) ** np.arange(m) / (1 - (1 - density) ** m)
        quotient = 1 / (1 - (1 - density) ** m)
        return quotient + float(shares @ np.where(np.arange(m) < short, width - 1, width))

    chosen = golomb.parameter(density)
    if chosen > 2**20:
        assert density == 1e-12
        assert chosen == 2**31
        return
    tried = {*range(1, 40), *(round(chosen * factor) for factor in np.linspace(0.5, 2, 31))} - {0}
    assert expected(chosen) <= 1.0061 * min(map(expected, tried))


@pytest.mark.parametrize("density", [-1.0, 0.0, 0.5, 0.9, 1.0])
def test_without_long_gaps_the_parameter_is_one(density: float) -> None:
    assert golomb.parameter(density) == 1


@pytest.mark.parametrize("density", [0.001, 0.01, 0.1, 0.25, 0.45])
def test_the_length_of_a_frame_is_known_before_it_is_made(density: float) -> None:
    size = 200_000
    mask = np.random.RandomState(0).permutation(size) < density * size
    frame = golomb.encode(np.diff(np.flatnonzero(mask), prepend=-1) - 1)
    assert golomb.length(int(mask.sum()), size) == pytest.approx(len(frame), rel=0.01, abs=16)
    assert golomb.length(0, 0) == golomb.length(0, 100) == 4


GOOD = bytes.fromhex("030000001e0e4d01")
BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "golomb frame without a parameter from 1 to 2³¹"),
    "three bytes": (GOOD[:3], "golomb frame without a parameter from 1 to 2³¹"),
    "m of zero": (b"\0" * 4 + GOOD[4:], "golomb frame without a parameter from 1 to 2³¹"),
    "m beyond a layer": (b"\xff" * 4 + GOOD[4:], "golomb frame without a parameter from 1 to 2³¹"),
    "no planes": (GOOD[:4], "golomb frame of 4 bytes is too short for 5 gaps"),
    "no last bits": (GOOD[:5], "golomb frame does not hold 5 gaps"),
    "no quotients": (GOOD[:6], "golomb frame does not hold 5 gaps"),
    "a quotient less": (GOOD[:-1] + b"\0", "golomb frame does not hold 5 gaps"),
    "a quotient more": (GOOD[:-1] + b"\3", "golomb frame does not hold 5 gaps"),
    "a bit behind a plane": (GOOD[:4] + b"\x3e" + GOOD[5:], "bits set beyond a bitmap's end"),
    "a bit behind the last bits": (GOOD[:5] + b"\x1e" + GOOD[6:], "bits set beyond a bitmap's end"),
    "a byte behind": (GOOD + b"\0", "goes on after its last gap"),
    "zeros before the last": (GOOD[:-1] + b"\0\0\0\0\1", "goes on after its last gap"),
    "too far": (GOOD[:-1] + b"\2", "gap list reaches weight 26 of a layer of 26"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_frame_of_other_gaps_is_refused(name: str) -> None:
    assert _positions(GOOD, 5, 26) == [0, 5, 8, 17, 23]
    frame, message = BAD[name]
    with pytest.raises(ArchiveError, match=message):
        _positions(frame, 5, 26)


@settings(deadline=None, max_examples=300)
@given(
    m=st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1)),
    rest=st.binary(max_size=40),
    listed=st.integers(0, 30),
    size=st.integers(1, 500),
)
def test_any_frame_is_so_many_gaps_or_refused(m: int, rest: bytes, listed: int, size: int) -> None:
    frame = m.to_bytes(4, "little") + rest
    try:
        positions = _positions(frame, listed, size)
    except ArchiveError:
        return
    assert len(positions) == listed
    assert np.cumsum(np.array(_slow_gaps(frame, listed), dtype=np.int64) + 1).tolist() == [
        at + 1 for at in positions
    ]
    assert all(at < size for at in positions)


def test_a_long_frame_takes_no_more_memory_than_itself() -> None:
    listed, size = 2**20, 2**23
    mask = np.random.RandomState(0).permutation(size) < listed
    frame = golomb.encode(np.diff(np.flatnonzero(mask), prepend=-1) - 1)
    tracemalloc.start()
    try:
        packed = codec.decode_mask("golomb", frame, size, listed)
        assert tracemalloc.get_traced_memory()[1] < packed.nbytes + 2 * len(frame) + 4 * 2**20
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(packed, np.packbits(mask, bitorder="little"))
