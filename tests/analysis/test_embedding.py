import multiprocessing

import numpy as np
import pytest

from masklab.analysis import distances, embedding

from . import builder
from .test_distances import counted


def points(row):
    return np.array([[point["x"], point["y"]] for point in row["points"]])


def measured(masks):
    found = counted([np.asarray(masks, dtype=bool)])
    return found.ids, found.hamming()


def two_groups(size=6):
    random = np.random.RandomState(0)
    centres = random.random_sample((2, 300)) < 0.5
    return np.repeat(centres, size, axis=0) ^ (random.random_sample((2 * size, 300)) < 0.05)


def test_principal_coordinates_agree_with_the_singular_values_of_the_bits():
    masks = two_groups()
    centred = masks - masks.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    row = embedding.pcoa(*measured(masks))
    assert row is not None
    expected = left[:, :2] * singular[:2] / np.sqrt(masks.shape[1])
    np.testing.assert_allclose(np.abs(points(row)), np.abs(expected), atol=1e-9)
    assert row["explained"] == pytest.approx(singular[:2] ** 2 / (singular**2).sum(), abs=1e-12)
    assert "inertia" in row["axes"][0]


def test_signs_are_fixed():
    row = embedding.pcoa(*measured(two_groups()))
    assert row is not None
    xy = points(row)
    assert (xy[np.abs(xy).argmax(axis=0), [0, 1]] > 0).all()
    np.testing.assert_array_equal(embedding._fixed_signs(-xy), xy)


def test_equal_masks_fall_on_one_point():
    row = embedding.pcoa(*measured(np.ones((5, 40))))
    assert row is not None and row["explained"] is None
    assert (points(row) == 0).all()


def test_two_distinct_masks_lie_on_a_line():
    ids, hamming = measured(np.repeat([[1, 1, 0, 0], [1, 0, 1, 0]], [2, 3], axis=0))
    row = embedding.pcoa(ids, hamming)
    assert row is not None and row["explained"] == pytest.approx([1, 0])
    xy = points(row)
    assert (xy[:, 1] == 0).all() and abs(xy[0, 0] - xy[4, 0]) == pytest.approx(np.sqrt(hamming[0, 4]))


@pytest.mark.parametrize("members", [1, 2, 3])
def test_too_few_masks_are_not_embedded(members):
    ids, hamming = measured(np.eye(members, 8))
    assert embedding.pcoa(ids, hamming) is None
    assert embedding.umap(ids, hamming, 0) is None


def test_umap_separates_groups_and_is_reproducible_in_another_process(tmp_path):
    archive = builder.build(tmp_path, {"a": [{"fc": mask} for mask in two_groups()]})
    found = distances.measure(archive)
    arguments = (found.ids, found.hamming(), 3)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        row, again, degenerate = pool.starmap(
            embedding.umap,
            [arguments, arguments, (found.ids[:5], np.zeros((5, 5)), 3)],
        )
    assert row is not None and row == again
    xy = points(row)
    within = np.linalg.norm(xy[:6] - xy[:6].mean(axis=0), axis=1).max()
    between = np.linalg.norm(xy[:6].mean(axis=0) - xy[6:].mean(axis=0))
    assert between > 2 * within
    assert row["explained"] is None and row["parameters"]["n_neighbors"] == 11
    assert row["parameters"]["init"] == "pcoa"
    assert degenerate is not None and degenerate["parameters"]["init"] == "random"
    assert np.isfinite(points(degenerate)).all()
