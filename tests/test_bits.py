import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from masklab import bits

masks = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=1, max_dims=3, max_side=40))
matrices = arrays.arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 90)))


@pytest.mark.parametrize(
    ("size", "density", "kept"),
    [
        (1, 1e-9, 1),
        (1, 1.0, 1),
        (2, 0.5, 1),
        (3, 0.5, 2),
        (5, 0.5, 3),
        (10, 0.04, 1),
        (10, 0.05, 1),
        (10, 0.149, 1),
        (10, 0.25, 3),
        (10, 0.949, 9),
        (10, 0.95, 10),
        (1728, 0.1, 173),
        (2_261_184, 0.5, 1_130_592),
        (10**9, 1e-12, 1),
    ],
)
def test_kept_count_at_its_edges(size: int, density: float, kept: int) -> None:
    assert bits.kept_count(size, density) == kept


@settings(deadline=None)
@given(size=st.integers(1, 10**7), thousandths=st.integers(1, 1000))
def test_kept_count_rounds_half_up_and_keeps_at_least_one(size: int, thousandths: int) -> None:
    exact = size * Fraction(thousandths, 1000)
    kept = bits.kept_count(size, thousandths / 1000)
    if (2 * exact).denominator == 1 and exact.denominator == 2:  # a float may fall on either side of ½
        assert kept in {max(1, math.floor(exact)), math.ceil(exact)}
    else:
        assert kept == max(1, math.floor(exact + Fraction(1, 2)))
    assert 1 <= kept <= size


@settings(deadline=None)
@given(masks)
def test_pack_puts_bit_i_of_a_row_at_i_modulo_8_and_pads_with_zeros(mask: np.ndarray) -> None:
    packed = bits.pack(mask)
    size = mask.shape[-1]
    assert packed.dtype == np.uint8
    assert packed.shape == (*mask.shape[:-1], bits.packed_size(size))
    for row, bytes_ in zip(mask.reshape(-1, size), packed.reshape(-1, packed.shape[-1]), strict=True):
        assert int.from_bytes(bytes_.tobytes(), "little") == sum(1 << int(i) for i in np.flatnonzero(row))


@settings(deadline=None)
@given(masks)
def test_unpack_undoes_pack(mask: np.ndarray) -> None:
    unpacked = bits.unpack(bits.pack(mask), mask.shape[-1])
    assert unpacked.dtype == np.bool_
    np.testing.assert_array_equal(unpacked, mask)


@settings(deadline=None)
@given(masks)
def test_count_is_the_sum(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(bits.count(bits.pack(mask)), mask.sum(axis=-1))


@settings(deadline=None)
@given(matrices)
def test_intersections_are_the_gram_matrix(mask: np.ndarray) -> None:
    counts = mask.astype(np.int64)
    packed = bits.pack(mask)
    np.testing.assert_array_equal(bits.intersections(packed), counts @ counts.T)
    np.testing.assert_array_equal(bits.numpy_intersections(packed), counts @ counts.T)


def _long_rows() -> np.ndarray:
    """Rows of two whole blocks and a part of a third, one full, one empty."""
    mask = np.random.RandomState(0).random_sample((5, 8 * (2 * 4096 + 3) + 5)) < 0.3
    mask[3], mask[4] = True, False
    return mask


def test_intersections_of_rows_longer_than_one_block() -> None:
    mask = _long_rows()
    counts = mask.astype(np.int64)
    np.testing.assert_array_equal(bits.intersections(bits.pack(mask)), counts @ counts.T)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("rows", "others", "width"), [(1, 300, 5), (257, 2, 4097), (600, 40, 33)])
def test_intersections_of_more_rows_than_one_group(rows: int, others: int, width: int, threads: int) -> None:
    random = np.random.RandomState(rows)
    first, second = (random.randint(0, 256, (n, width)).astype(np.uint8) for n in (rows, others))
    for other in (None, second):
        found = bits.intersections(first, other, threads=threads)
        np.testing.assert_array_equal(found, bits.numpy_intersections(first, other))


def test_intersections_in_tiles_go_to_the_given_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bits, "_TILE", 256)
    random = np.random.RandomState(0)
    first, second = (random.randint(0, 256, (n, 20)).astype(np.uint8) for n in (700, 300))
    for other in (None, second):
        out = np.full((700, 700 if other is None else 300), 7, dtype=np.uint32)
        assert bits.intersections(first, other, threads=2, out=out) is out
        np.testing.assert_array_equal(out, bits.numpy_intersections(first, other))


def test_intersections_use_numkong_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numkong")
    monkeypatch.setattr(bits, "numpy_intersections", lambda packed: pytest.fail("the fallback was used"))
    rows = bits.pack(np.array([[True, True, False], [False, True, True]]))
    assert bits.intersections(rows).tolist() == [[2, 1], [1, 2]]


def test_intersections_without_numkong_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = _long_rows()
    counts = mask.astype(np.int64)
    monkeypatch.setitem(sys.modules, "numkong", None)
    np.testing.assert_array_equal(bits.intersections(bits.pack(mask)), counts @ counts.T)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0)])
def test_intersections_of_nothing_are_zero(shape: tuple[int, int]) -> None:
    found = bits.intersections(np.zeros(shape, dtype=np.uint8))
    assert found.shape == (shape[0], shape[0])
    assert not found.any()
