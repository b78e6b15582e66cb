import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial import distance
from sklearn import metrics

from masklab.analysis import pairwise

MASKS = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))


def plain(first, second):
    """Every function of `pairwise` from two boolean masks; NaN where undefined."""
    both, either = int((first & second).sum()), int((first | second).sum())
    kept, other = int(first.sum()), int(second.sum())
    agree = float((first == second).mean())
    by_chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    trivial = (first.all() and second.all()) or not (first.any() or second.any())
    constant = len(set(first)) == 1 or len(set(second)) == 1
    nan = float("nan")
    return {
        "hamming": float((first != second).mean()),
        "jaccard": 1 - both / either if either else nan,
        "jaccard_similarity": both / either if either else nan,
        "dice_similarity": 2 * both / (kept + other) if kept + other else nan,
        "overlap_coefficient": both / min(kept, other) if min(kept, other) else nan,
        "kappa": nan if trivial else (agree - by_chance) / (1 - by_chance),
        "phi": nan if constant else float(np.corrcoef(first, second)[0, 1]),
    }


def test_every_function_is_tested():
    public = {
        name
        for name, found in vars(pairwise).items()
        if callable(found)
        and not name.startswith("_")
        and getattr(found, "__module__", "") == pairwise.__name__
    }
    assert public == set(plain(np.array([True]), np.array([True])))


@given(MASKS)
@settings(deadline=None)
def test_agrees_with_plain_boolean_computation(masks):
    intersections = masks.astype(np.int64) @ masks.T.astype(np.int64)
    kept, size = masks.sum(axis=1), masks.shape[1]
    expected = [[plain(first, second) for second in masks] for first in masks]
    for name in expected[0][0]:
        found = getattr(pairwise, name)(intersections, kept, size)
        values = [[one[name] for one in row] for row in expected]
        np.testing.assert_allclose(found, values, atol=1e-12, equal_nan=True, err_msg=name)


def test_agrees_with_scipy_and_sklearn():
    random = np.random.default_rng(0)
    first, second = random.random((2, 300)) < [[0.3], [0.6]]
    intersections = np.array([[(first & second).sum()]])
    given_counts = intersections, np.array([first.sum()]), 300, np.array([second.sum()])
    for name, expected in (
        ("hamming", distance.hamming(first, second)),
        ("jaccard", distance.jaccard(first, second)),
        ("dice_similarity", 1 - distance.dice(first, second)),
        ("kappa", metrics.cohen_kappa_score(first, second)),
        ("phi", metrics.matthews_corrcoef(first, second)),
    ):
        assert getattr(pairwise, name)(*given_counts)[0, 0] == pytest.approx(expected)


@given(MASKS, st.integers(1, 3), st.sampled_from([np.int32, np.int64, np.uint32, np.float64]))
@settings(deadline=None)
def test_rows_columns_replicates_and_number_types(masks, cut, kind):
    intersections = masks.astype(np.int64) @ masks.T.astype(np.int64)
    kept, size = masks.sum(axis=1), masks.shape[1]
    part = np.stack([intersections[:cut, cut:]] * 2).astype(kind)
    for name in plain(masks[0], masks[0]):
        function = getattr(pairwise, name)
        whole = function(intersections, kept, size)
        found = function(part, kept[:cut], size, kept[cut:])
        assert found.shape == part.shape
        for replicate in found:
            np.testing.assert_array_equal(replicate, whole[:cut, cut:])


def test_counts_of_the_largest_masks_do_not_overflow():
    size = 2**30
    counts = np.full((1, 1), size // 2, dtype=np.int32), np.array([size // 2]), size
    for name in ("jaccard_similarity", "dice_similarity", "overlap_coefficient", "kappa", "phi"):
        assert getattr(pairwise, name)(*counts)[0, 0] == pytest.approx(1), name
    assert pairwise.hamming(*counts)[0, 0] == 0
