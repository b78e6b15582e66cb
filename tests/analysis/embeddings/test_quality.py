import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from masklab.analysis.embeddings import quality

from .points import measured, noise


def by_definition(hamming, xy, near):
    """Venna and Kaski: 1 minus the scaled sum of the ranks by which near points are too far as masks."""
    n, plane, total = len(hamming), distance.squareform(distance.pdist(xy)), 0
    for at in range(n):
        others = [other for other in range(n) if other != at]
        rank = {
            other: 1 + place for place, other in enumerate(sorted(others, key=lambda one: hamming[at, one]))
        }
        close = sorted(others, key=lambda one: plane[at, one])[:near]
        total += sum(max(0, rank[other] - near) for other in close)
    return 1 - 2 * total / (n * near * (2 * n - 3 * near - 1))


@given(st.integers(4, 25), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_trustworthiness_and_correlation_agree_with_their_definitions(members, seed):
    random = np.random.default_rng(seed)
    full = random.random((members, members))
    hamming = (full + full.T) / 2
    np.fill_diagonal(hamming, 0)
    xy = random.standard_normal((members, 2))
    near = quality.neighbours(members)
    assert 1 <= near < members / 2
    assert quality.trustworthiness(hamming, xy) == pytest.approx(by_definition(hamming, xy, near))
    triangle = np.triu_indices(members, 1)
    expected, _ = stats.spearmanr(hamming[triangle], distance.pdist(xy))
    assert quality.shepard(hamming, xy) == pytest.approx(expected, abs=1e-12)


def test_points_that_are_the_masks_are_trusted():
    random = np.random.default_rng(0)
    xy = random.standard_normal((20, 2))
    hamming = distance.squareform(distance.pdist(xy)) ** 2
    found = quality.measure(hamming, xy, [xy, 3 * xy + 1], alone="")
    assert found == {"trustworthiness": 1, "shepard": pytest.approx(1), "stability": 1, "neighbors": 5}


def test_unrelated_runs_have_few_neighbours_in_common():
    random = np.random.default_rng(0)
    found = quality.common_neighbours([random.standard_normal((100, 2)) for _ in range(3)])
    assert found == pytest.approx(5 / 99, abs=0.02)


def test_what_is_undefined_has_a_reason():
    xy = np.random.default_rng(0).standard_normal((6, 2))
    equal = quality.measure(np.zeros((6, 6)), xy, [], alone="nothing is random")
    assert equal["trustworthiness"] is None and equal["shepard"] is None and equal["stability"] is None
    assert equal["why"] == f"{quality.EQUAL}; stability: nothing is random"
    _, equidistant = measured(np.eye(6))
    found = quality.measure(equidistant, xy, [xy, xy], alone="")
    assert found["shepard"] is None and found["why"] == quality.CONSTANT
    assert np.isnan(quality.shepard(noise(6, 0), np.zeros((6, 2))))
