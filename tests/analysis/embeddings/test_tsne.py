import numpy as np
import pytest

from masklab.analysis.embeddings import tsne

from .points import apart, measured, two_groups


def test_groups_are_apart_and_runs_differ_by_their_start():
    _, hamming = measured(two_groups())
    shown, again, other = (tsne.fit(hamming, seed, run) for seed, run in ((0, 0), (1, 0), (0, 1)))
    assert apart(shown.points) > 2
    np.testing.assert_array_equal(shown.points, again.points)
    assert shown.parameters["init"] == "pcoa" and other.parameters["init"] == "random"
    assert not np.allclose(shown.points, other.points)


@pytest.mark.parametrize(("members", "perplexity"), [(4, 1.0), (12, 11 / 3), (120, 30.0)])
def test_the_perplexity_is_bounded_by_the_number_of_members(members, perplexity):
    _, hamming = measured(np.random.default_rng(0).random((members, 60)) < 0.5)
    found = tsne.fit(hamming, 0)
    assert found.parameters["perplexity"] == pytest.approx(perplexity)
    assert np.isfinite(found.points).all()


def test_masks_that_span_no_plane_start_at_random():
    found = tsne.fit(np.zeros((5, 5)), 0)
    assert found.parameters["init"] == "random" and np.isfinite(found.points).all()
