import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance

from masklab.analysis.diversity import groups, neighbours
from masklab.analysis.nulls import summary

from .measured import distances_of


@st.composite
def masks(draw):
    members, size = draw(st.integers(4, 9)), draw(st.integers(2, 12))
    return np.random.default_rng(draw(st.integers(0, 2**31))).random((members, size)) < 0.5


def hamming(found):
    return distance.squareform(distance.pdist(found.astype(float), "hamming"))


@given(masks())
@settings(deadline=None)
def test_the_variance_leaves_out_one_mask_at_a_time(found):
    n = len(found)
    without = [neighbours.nearest(hamming(np.delete(found, at, axis=0))).mean() for at in range(n)]
    expected = (n - 1) * np.var(without)
    assert neighbours.variance(hamming(found)) == pytest.approx(expected, abs=1e-12)


@given(masks())
@settings(deadline=None)
def test_copies_are_counted(found):
    group = groups.Group("a", "all", [np.arange(len(found))])
    counts = distances_of([found]).hamming_count()
    rows = {row["metric"]: row for row in neighbours.rows(group, found.shape[1], counts, [counts])}
    _, sizes = np.unique(found, axis=0, return_counts=True)
    assert tuple(rows) == neighbours.METRICS
    assert rows["distinct"]["estimate"]["value"] == len(sizes)
    assert rows["duplicate_groups"]["estimate"]["value"] == (sizes > 1).sum()
    apart = hamming(found) + np.diag(np.full(len(found), np.inf))
    assert rows["nearest_mean"]["estimate"]["value"] == pytest.approx(apart.min(axis=1).mean())
    assert rows["nearest_min"]["estimate"]["value"] == pytest.approx(apart.min())
    for row in rows.values():
        assert row["null"]["mean"] == pytest.approx(row["estimate"]["value"]) and row["null"]["n"] == 1


def test_nearest_within_weight_draws_only():
    found = np.array([[1, 1, 0, 0], [1, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1]], dtype=bool)
    counts = distances_of([found]).hamming_count()
    group = groups.Group("a", "within", [np.array([0, 1]), np.array([2, 3])])
    rows = {row["metric"]: row["estimate"] for row in neighbours.rows(group, 4, counts, [])}
    assert rows["nearest_mean"]["value"] == pytest.approx((0.25 + 1) / 2)
    assert rows["distinct"]["value"] == 2 and rows["duplicate_groups"]["value"] == 0
    assert "mean over 2 weight draws" in rows["nearest_mean"]["method"]
    assert "at least 30 masks of each weight draw" in rows["nearest_mean"]["why"]


@pytest.mark.parametrize("members", [29, 30])
def test_the_mean_has_an_interval_from_thirty_masks_on(members):
    found = np.random.default_rng(0).random((members, 60)) < 0.5
    group = groups.Group("a", "all", [np.arange(members)])
    estimate = neighbours.rows(group, 60, distances_of([found]).hamming_count(), [])[0]["estimate"]
    assert estimate["method"].startswith("the distance to be expected of as many masks; ")
    if members < 30:
        assert estimate["low"] is None and estimate["why"] == groups.too_few(group)
    else:
        assert estimate["low"] < estimate["value"] < estimate["high"]


def test_a_single_mask_has_no_neighbour():
    group = groups.Group("a", "within", [np.arange(1)])
    mean, smallest, distinct, copies = neighbours.rows(group, 4, np.zeros((1, 1), dtype=np.int64), [])
    for row in (mean, smallest):
        assert row["estimate"]["value"] is None and "there is 1" in row["estimate"]["why"]
        assert row["null"] is None and row["why"] == summary.NO_TWINS
    assert distinct["estimate"]["value"] == 1 and copies["estimate"]["value"] == 0
