import numpy as np
import pytest
from sklearn import manifold

from masklab.analysis.embeddings import embed, pcoa

from .points import measured, points, two_groups


def row_of(ids, hamming):
    row = embed("pcoa", ids, hamming, [], 0)
    assert row is not None
    return row


def test_principal_coordinates_agree_with_the_singular_values_of_the_bits():
    masks = two_groups()
    centred = masks - masks.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    row = row_of(*measured(masks))
    expected = left[:, :2] * singular[:2] / np.sqrt(masks.shape[1])
    np.testing.assert_allclose(np.abs(points(row)), np.abs(expected), atol=1e-9)
    assert row["explained"] == pytest.approx(singular[:2] ** 2 / (singular**2).sum(), abs=1e-12)
    assert "inertia" in row["axes"][0]


def test_principal_coordinates_agree_with_scikit_learn():
    _, hamming = measured(np.random.default_rng(0).random((30, 200)) < 0.3)
    scaling = manifold.ClassicalMDS(n_components=2, metric="precomputed")
    expected = scaling.fit_transform(np.sqrt(hamming))
    found, eigenvalues = pcoa.coordinates(hamming)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(eigenvalues, scaling.eigenvalues_, atol=1e-12)


def test_signs_are_fixed():
    xy = points(row_of(*measured(two_groups())))
    assert (xy[np.abs(xy).argmax(axis=0), [0, 1]] > 0).all()
    np.testing.assert_array_equal(pcoa.fixed_signs(-xy), xy)


def test_equal_masks_fall_on_one_point():
    row = row_of(*measured(np.ones((5, 40))))
    assert row["explained"] is None
    assert (points(row) == 0).all()


def test_two_distinct_masks_lie_on_a_line():
    ids, hamming = measured(np.repeat([[1, 1, 0, 0], [1, 0, 1, 0]], [2, 3], axis=0))
    row = row_of(ids, hamming)
    assert row["explained"] == pytest.approx([1, 0])
    xy = points(row)
    assert (xy[:, 1] == 0).all() and abs(xy[0, 0] - xy[4, 0]) == pytest.approx(np.sqrt(hamming[0, 4]))
    assert pcoa.start(hamming) is None
