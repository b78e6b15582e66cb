import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masklab.analysis import chance

from .test_distances import counted, layered_masks


@st.composite
def kept_counts(draw, largest=60):
    size = draw(st.integers(1, largest))
    counts = draw(st.lists(st.integers(1, size), min_size=1, max_size=4))
    return size, np.array(counts)


def as_strata(size, counts):
    return np.array([size], dtype=np.int64), np.asarray(counts, dtype=np.int64)[None]


@given(kept_counts())
@settings(deadline=None)
def test_one_layer_agrees_with_the_hypergeometric_distribution(drawn):
    size, counts = drawn
    strata = as_strata(size, counts)
    for i, first in enumerate(counts):
        for j, second in enumerate(counts):
            support = np.arange(max(0, first + second - size), min(first, second) + 1)
            weight = stats.hypergeom.pmf(support, size, first, second)
            mean = (weight * support).sum()
            variance = (weight * (support - mean) ** 2).sum()
            jaccard = (weight * support / (first + second - support)).sum()
            hamming = (weight * (first + second - 2 * support)).sum() / size
            assert chance.expected_intersection(*strata)[i, j] == pytest.approx(mean, abs=1e-12)
            assert chance.intersection_variance(*strata)[i, j] == pytest.approx(variance, abs=1e-9)
            assert chance.expected_hamming(*strata)[i, j] == pytest.approx(hamming, abs=1e-12)
            assert chance.expected_jaccard_similarity(*strata)[i, j] == pytest.approx(jaccard, abs=1e-10)


def test_published_value():
    """N = 200, k = 100: 0.334079 exactly, where k/(2−k) says 1/3."""
    strata = as_strata(200, [100])
    assert chance.expected_jaccard_similarity(*strata)[0, 0] == pytest.approx(0.334079, abs=5e-7)


def test_second_order_expansion_meets_the_exact_sum(monkeypatch):
    strata = as_strata(999, [100, 500, 900])
    exact = chance.expected_jaccard_similarity(*strata)
    monkeypatch.setattr(chance, "EXACT_BELOW", 0)
    expanded = chance.expected_jaccard_similarity(*strata)
    np.testing.assert_allclose(expanded, exact, atol=2e-6)
    assert not (expanded == exact).all()


@pytest.mark.parametrize("size", [1000, 100_000])
def test_few_kept_weights_of_a_large_layer_are_summed_exactly(size):
    """Around the number kept below which the sum is exact, and with all and none kept."""
    first, second = np.array([0, 1, 5, 29, 30, 700]), np.array([0, 1, 3, 29, 30, 400, size])
    found = chance.expected_jaccard_similarity(np.array([size]), first[None], second[None])
    assert np.isnan(found[0, 0])
    for (i, one), (j, two) in itertools.product(enumerate(first), enumerate(second)):
        shared = np.arange(min(one, two) + 1)
        if one + two > 0 and min(one, two) < 30:
            law = stats.hypergeom.pmf(shared, size, one, two)
            assert found[i, j] == pytest.approx((law * shared / (one + two - shared)).sum(), rel=1e-7)


def test_layered_masks_agree_with_simulation():
    random = np.random.RandomState(0)
    sizes, first, second = (30, 200), (10, 20), (25, 120)
    kept = np.array([[10, 25], [20, 120]])
    shared = np.zeros((20_000, 2))
    for at, size in enumerate(sizes):
        shared[:, at] = random.hypergeometric(first[at], size - first[at], second[at], len(shared))
    total = shared.sum(axis=1)
    both = sum(first) + sum(second)
    strata = np.array(sizes), kept
    error = total.std() / np.sqrt(len(total))
    assert abs(total.mean() - chance.expected_intersection(*strata)[0, 1]) < 3 * error
    assert total.var() == pytest.approx(chance.intersection_variance(*strata)[0, 1], rel=0.04)
    jaccard = total / (both - total)
    expected = chance.expected_jaccard_similarity(*strata)[0, 1]
    assert abs(jaccard.mean() - expected) < 3 * jaccard.std() / np.sqrt(len(total))
    hamming = (both - 2 * total) / sum(sizes)
    assert abs(hamming.mean() - chance.expected_hamming(*strata)[0, 1]) < 2 * error


@given(layered_masks())
@settings(deadline=None)
def test_corrected_overlap_is_one_at_most_and_one_for_equal_masks(layers):
    found = counted(layers)
    corrected = chance.corrected(found.sizes, found.intersections)
    defined = ~np.isnan(corrected)
    whole = [layer.all(axis=1) for layer in layers]
    one_is_whole = np.all([np.logical_or.outer(full, full) for full in whole], axis=0)
    np.testing.assert_array_equal(defined, ~one_is_whole)
    assert (corrected[defined] <= 1 + 1e-12).all()
    np.testing.assert_allclose(corrected.diagonal()[defined.diagonal()], 1, atol=1e-12)


@given(layered_masks())
@settings(deadline=None)
def test_corrected_overlap_agrees_with_its_definition(layers):
    found = counted(layers)
    corrected = chance.corrected(found.sizes, found.intersections)
    kept = [layer.sum(axis=1) for layer in layers]
    for i in range(len(found.ids)):
        for j in range(len(found.ids)):
            if np.isnan(corrected[i, j]):
                continue
            expected = sum(k[i] * k[j] / size for k, size in zip(kept, found.sizes, strict=True))
            most = sum(min(k[i], k[j]) for k in kept)
            value = (found.intersection_count()[i, j] - expected) / (most - expected)
            assert corrected[i, j] == pytest.approx(value, abs=1e-9)


def test_nothing_can_be_corrected_where_every_weight_is_kept():
    full = np.array([[[5, 3], [3, 3]]])
    np.testing.assert_array_equal(
        np.isnan(chance.corrected(np.array([5]), full)), [[True, True], [True, False]]
    )


def test_chance_is_stratified_by_layer():
    """Two layers of unequal density: pooling them would take their densities for agreement."""
    sizes, kept = np.array([100, 100]), np.array([[90, 90], [10, 10]])
    assert chance.expected_intersection(sizes, kept)[0, 1] == 81 + 1
    assert 100 * 100 / 200 == 50  # what pooling would expect


@st.composite
def two_masks(draw):
    """Sizes of up to three small strata and what two masks keep of each."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    kept = [[draw(st.integers(0, size)) for size in sizes] for _ in range(2)]
    return np.array(sizes), np.array(kept[0]), np.array(kept[1])


def enumerated(sizes, first, second):
    """Probability of each number of shared weights, over all masks of the second."""
    shared = np.zeros(int(np.minimum(first, second).sum()) + 1)
    every = [itertools.combinations(range(size), kept) for size, kept in zip(sizes, second, strict=True)]
    number = 0
    for mask in itertools.product(*every):
        shared[sum(at < kept for own, kept in zip(mask, first, strict=True) for at in own)] += 1
        number += 1
    return shared / number


@given(two_masks())
@settings(deadline=None)
def test_distribution_agrees_with_full_enumeration(drawn):
    sizes, first, second = drawn
    expected = enumerated(sizes, first, second)
    pmf = chance.intersection_pmf(sizes, first, second)
    np.testing.assert_allclose(pmf, expected, atol=1e-12)
    strata = sizes, np.stack([first, second], axis=1)
    mean = pmf @ np.arange(len(pmf))
    variance = pmf @ (np.arange(len(pmf)) - mean) ** 2
    assert mean == pytest.approx(chance.expected_intersection(*strata)[0, 1], abs=1e-10)
    assert variance == pytest.approx(chance.intersection_variance(*strata)[0, 1], abs=1e-10)
    both, shared = first.sum() + second.sum(), np.arange(len(expected))
    similarity = chance.expected_jaccard_similarity(*strata)[0, 1]
    if both:
        assert similarity == pytest.approx((expected * shared / (both - shared)).sum(), abs=1e-10)
    else:
        assert np.isnan(similarity)


@given(kept_counts(999))
@settings(deadline=None, max_examples=30)
def test_distribution_of_one_layer_agrees_with_scipy(drawn):
    size, counts = drawn
    first, second = counts[:1], counts[-1:]
    law = (size, int(first[0]), int(second[0]))
    pmf = chance.intersection_pmf(np.array([size]), first, second)
    shared = np.arange(len(pmf))
    assert len(pmf) == min(first[0], second[0]) + 1
    np.testing.assert_allclose(pmf, stats.hypergeom.pmf(shared, *law), rtol=1e-8, atol=1e-14)
    assert pmf @ shared == pytest.approx(first[0] * second[0] / size)


def test_rows_and_columns_may_be_other_members():
    random = np.random.default_rng(0)
    sizes = np.array([30, 2000])
    kept = np.stack([random.integers(0, size + 1, 7) for size in sizes])
    for name in ("expected_intersection", "intersection_variance", "room", "expected_jaccard_similarity"):
        function = getattr(chance, name)
        for strata in (slice(0, 1), slice(None)):
            whole = function(sizes[strata], kept[strata])
            part = function(sizes[strata], kept[strata, :3], kept[strata, 3:])
            np.testing.assert_array_equal(part, whole[:3, 3:])


def test_several_small_layers_are_summed_exactly_while_that_is_cheap(monkeypatch):
    sizes, kept = np.array([40, 300]), np.array([[10, 20, 39], [30, 150, 30]])
    exact = chance.expected_jaccard_similarity(sizes, kept)
    monkeypatch.setattr(chance, "_EXACT_WORK", 0)
    expanded = chance.expected_jaccard_similarity(sizes, kept)
    np.testing.assert_allclose(expanded, exact, atol=1e-4)
    assert (expanded != exact).all()


def test_nothing_to_vary_has_no_z():
    assert np.isnan(chance.z_of_mean(np.zeros(3), np.zeros(3)))
