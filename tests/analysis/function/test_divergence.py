import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance

from masklab.analysis.function import divergence, predictions

from . import studies


@given(
    st.integers(0, 2**31),
    st.integers(1, 5),
    st.integers(1, 7),
    st.integers(2, 6),
    st.sampled_from([1, 9, 10**6]),
)
@settings(deadline=None)
def test_agrees_with_scipy(seed, members, images, classes, at_once):
    random = np.random.RandomState(seed)
    raw = random.random_sample((members, images, classes)) ** 4
    raw[random.random_sample(raw.shape) < 0.3] = 0
    raw[..., 0] += 1e-3
    given_ = (raw / raw.sum(axis=2, keepdims=True)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(divergence, "_AT_ONCE", at_once)
        found, _ = divergence.measure(given_, 0)
    for i in range(members):
        for j in range(members):
            expected = np.mean(
                [distance.jensenshannon(p, q, base=2) ** 2 for p, q in zip(given_[i], given_[j], strict=True)]
            )
            assert found[i, j] == pytest.approx(expected, abs=2e-6)
    assert (found.diagonal() == 0).all()


def test_opposite_certainties_are_one_bit_apart():
    certain = np.zeros((2, 30, 2), dtype=np.float32)
    certain[0, :, 0] = certain[1, :, 1] = 1
    found, unrelated = divergence.measure(certain, 0)
    assert found[0, 1] == pytest.approx(1) and unrelated[0, 1] == pytest.approx(1)


def test_chance_level_pairs_different_images():
    """Both members predict the truth: they are equal, and by chance they agree on one image in five."""
    truth = np.random.RandomState(0).randint(0, 5, 4000)
    certain = np.repeat(np.eye(5, dtype=np.float32)[truth][None], 2, axis=0)
    found, unrelated = divergence.measure(certain, 3)
    assert found[0, 1] == 0
    assert unrelated[0, 1] == pytest.approx(0.8, abs=0.03)


def test_work_and_memory_are_bounded(tmp_path):
    random = np.random.RandomState(1)
    truth = random.randint(0, 4, 60)
    archive = studies.build(tmp_path, {"a": studies.guesses(random, 4, truth, 4)}, truth, 4)
    from masklab.analysis import design

    found = predictions.read(archive, design.of(archive))
    assert divergence.images(found, 0).tolist() == list(range(60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(divergence, "OPERATIONS", 4 * 4 * 4 * 25 + 3)
        few = divergence.images(found, 0)
        assert len(few) == 25 == len(set(few.tolist())) and (np.diff(few) > 0).all()
        np.testing.assert_array_equal(few, divergence.images(found, 0))
        assert few.tolist() != divergence.images(found, 1).tolist()
        patch.setattr(divergence, "_HELD", 4 * 4 * 7)
        assert len(divergence.images(found, 0)) == 7
