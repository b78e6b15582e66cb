import numpy as np
import pytest
from scipy.spatial import distance

from masklab.analysis.embeddings import mds, pcoa

from .points import apart, measured, noise, two_groups


def stress(hamming, xy):
    triangle = np.triu_indices(len(hamming), 1)
    return ((distance.pdist(xy) - np.sqrt(hamming)[triangle]) ** 2).sum()


def test_the_stress_is_lower_than_that_of_principal_coordinates():
    hamming = noise(20, 0)
    found = mds.fit(hamming, 0)
    assert stress(hamming, found.points) < stress(hamming, pcoa.coordinates(hamming)[0])
    assert found.parameters["stress"] == pytest.approx(stress(hamming, found.points), rel=1e-9)
    assert found.parameters["init"] == "pcoa" and found.explained is None


def test_no_small_step_lowers_the_stress_much():
    hamming, random = noise(12, 1), np.random.default_rng(0)
    xy = mds.fit(hamming, 0).points
    steps = 1e-3 * random.standard_normal((50, *xy.shape))
    assert min(stress(hamming, xy + step) for step in steps) > stress(hamming, xy) * (1 - 1e-3)


def test_groups_are_apart_and_runs_differ_by_their_start():
    _, hamming = measured(two_groups())
    shown, again, other, third = (
        mds.fit(hamming, seed, run) for seed, run in ((0, 0), (1, 0), (0, 1), (0, 2))
    )
    assert apart(shown.points) > 2
    np.testing.assert_array_equal(shown.points, again.points)
    assert other.parameters["init"] == "random" and not np.allclose(other.points, third.points)


def test_equal_masks_fall_on_one_point():
    assert (mds.fit(np.zeros((5, 5)), 0).points == 0).all()
