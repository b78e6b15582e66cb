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
