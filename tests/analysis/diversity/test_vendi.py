import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.analysis.diversity import groups, vendi

from .measured import distances_of, random_layers

ORDERS = list(vendi.ORDERS.values())


def equally_similar(n, similarity):
    return np.full((n, n), similarity) + (1 - similarity) * np.eye(n)


def kernel_of(layers):
    return vendi.kernel(*distances_of(layers).strata())


@st.composite
def layered_masks(draw):
    """Masks of one to three layers, with kept counts of their own."""
    members = draw(st.integers(1, 7))
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    sizes = draw(st.lists(st.integers(2, 30), min_size=1, max_size=3))
    return random_layers(random, [random.integers(0, size + 1, members) for size in sizes], sizes)


def test_the_published_example():
    example = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])
    assert vendi.score(example) == pytest.approx(2.1573, abs=5e-5)


@given(st.integers(1, 20), st.floats(0, 1))
@settings(deadline=None)
def test_equal_similarities_have_a_closed_form(n, similarity):
    large, small = (1 + (n - 1) * similarity) / n, (1 - similarity) / n
    shares = np.array([large] + [small] * (n - 1))
    entropy = -sum(share * math.log(share) for share in shares if share > 0)
    kernel = equally_similar(n, similarity)
    assert vendi.score(kernel) == pytest.approx(math.exp(entropy), rel=1e-6)
    assert vendi.score(kernel, 2.0) == pytest.approx(1 / (shares**2).sum(), rel=1e-6)
    assert vendi.score(kernel, math.inf) == pytest.approx(1 / large, rel=1e-6)


def test_fifteen_masks_as_alike_as_independent_halves_under_jaccard():
    assert vendi.score(equally_similar(15, 0.34)) == pytest.approx(9.891, abs=5e-4)


@given(layered_masks())
@settings(deadline=None)
def test_the_kernel_is_the_correlation_of_bits_centred_layer_by_layer(layers):
    kernel = kernel_of(layers)
    vectors = np.concatenate([layer - layer.mean(axis=1, keepdims=True) for layer in layers], axis=1)
    lengths = np.linalg.norm(vectors, axis=1)
    varied = lengths > 1e-9
    expected = (vectors @ vectors.T)[np.ix_(varied, varied)] / np.outer(lengths[varied], lengths[varied])
    np.testing.assert_allclose(kernel[np.ix_(varied, varied)], expected, atol=1e-12)
    assert np.isnan(kernel[~varied]).all() and np.isnan(kernel[:, ~varied]).all()
    if varied.all():
        assert (kernel.diagonal() == 1).all() and np.linalg.eigvalsh(kernel).min() > -1e-9
        scores = [vendi.score(kernel, order) for order in (0.5, *ORDERS)]
        assert len(kernel) + 1e-9 >= scores[0] and scores[-1] >= 1 - 1e-9
        assert (np.diff(scores) < 1e-9).all()
    else:
        assert math.isnan(vendi.score(kernel))


def test_unequal_densities_of_layers_are_no_agreement():
    random = np.random.default_rng(0)
    layers = random_layers(random, [np.full(8, 900), np.full(8, 100)], [1000, 1000])
    pooled = np.corrcoef(np.concatenate(layers, axis=1))
    assert vendi.score(pooled) < 6 and vendi.score(kernel_of(layers)) > 7.9


@pytest.mark.parametrize("copies", [[1, 1, 1], [5], [2, 3], [1, 4, 4]])
def test_copies_add_nothing(copies):
    orthogonal = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]], dtype=bool)[: len(copies)]
    kernel = kernel_of([np.repeat(orthogonal, copies, axis=0)])
    shares = np.array(copies) / sum(copies)
    assert vendi.score(kernel) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert vendi.score(kernel, math.inf) == pytest.approx(1 / shares.max())


def test_the_variance_leaves_out_one_mask_at_a_time():
    random = np.random.default_rng(1)
    masks = random.random((6, 80)) < 0.5
    kernel = kernel_of([masks])
    without = [vendi.score(kernel_of([np.delete(masks, at, axis=0)])) for at in range(6)]
    expected = np.var(without) * 6 * 6 * 5 / 4**2
    assert vendi.variance(kernel) == pytest.approx(expected, rel=1e-9)


def test_near_chance_the_variance_is_that_of_the_sum_over_pairs():
    random = np.random.default_rng(2)
    n, kernel = 9, kernel_of([random.random((9, 20_000)) < 0.5])
    squares = kernel**2 - np.eye(n)
    pairs = squares.sum() / 2
    means = (pairs - squares.sum(axis=1)) / ((n - 1) * (n - 2) / 2)
    jackknife = (n - 1) / n * ((means - means.mean()) ** 2).sum()
    assert vendi.score(kernel) == pytest.approx(n - pairs, abs=1e-4)
    assert vendi.variance(kernel) == pytest.approx((n * (n - 1) / 2) ** 2 * jackknife, rel=0.05)


@pytest.mark.parametrize(
    ("draws", "said"),
    [
        ([0], "at least 30 masks: with fewer"),
        ([0] * 29, "too narrow where masks differ in kind"),
        ([0] * 30 + [1] * 29, "at least 30 masks of each weight draw"),
        ([0] * 257, "up to 256 masks"),
        ([0] * 30, ""),
        ([0] * 30 + [1] * 31, ""),
    ],
)
def test_intervals_where_they_cover(draws, said):
    places = [np.flatnonzero(np.array(draws) == draw) for draw in sorted(set(draws))]
    group = groups.Group("a", "within", places)
    random = np.random.default_rng(0)
    observed = kernel_of([random.random((len(draws), 40)) < 0.5])
    shannon, second, largest = vendi.rows(group, observed, [])
    assert shannon["estimate"]["value"] == pytest.approx(
        np.mean([vendi.score(groups.submatrix(observed, part)) for part in places])
    )
    assert said in shannon["estimate"].get("why", "")
    assert (shannon["estimate"]["low"] is None) == bool(said)
    assert "for this order" in second["estimate"]["why"] and "for this order" in largest["estimate"]["why"]
    if not said:
        assert shannon["estimate"]["low"] < shannon["estimate"]["value"] < shannon["estimate"]["high"]
        assert shannon["estimate"]["method"].startswith("the score to be expected of as many masks; ")


def test_masks_that_keep_everything_have_no_score():
    group = groups.Group("a", "within", [np.arange(5)])
    kernel = kernel_of([np.ones((5, 40), dtype=bool)])
    for row in vendi.rows(group, kernel, [kernel]):
        assert row["estimate"]["value"] is None and "correlates with nothing" not in row["why"]
        assert "keeps every weight" in row["estimate"]["why"] and row["null"] is None
