import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masklab.analysis import jackknife
from masklab.analysis.counts import consensus, tallies

from . import studies


@given(studies.studies())
@settings(deadline=None, max_examples=50)
def test_shares_and_intervals_agree_with_counting(study):
    masks, members = study[0], studies.members(*study[1])
    found = tallies.from_masks(masks, members)
    tables = {"whole": np.concatenate(list(masks.values()), axis=1), **masks}
    for block, groups in (("within", found.within), ("all", found.whole)):
        rows = consensus.rows(found, groups, block)
        cells: dict = {}
        for (population, _), own in studies.groups(members, block).items():
            if len(own) > 1:
                cells.setdefault((members.names[population], len(own)), []).append(own)
        assert {(row["population"], row["of"]) for row in rows} == set(cells)
        assert len(rows) == sum(of + 1 for _, of in cells) * len(tables)
        for row in rows:
            own = cells[row["population"], row["of"]]
            table = tables[row["layer"]]
            counts = [table[cell].sum(axis=0) for cell in own]
            assert row["share"] == pytest.approx(np.mean([count == row["kept_by"] for count in counts]))
            assert row["block"] == block and row["draws"] == len(own)
            if row["kept_by"] not in (0, row["of"]):
                assert row["estimate"] is None and row["chance_sd"] is None
                continue
            check_estimate(row, table, own)


def check_estimate(row, table, own):
    """Leave each member out of its draw, and count again."""
    core = row["kept_by"] > 0
    ends = [table[cell].all(axis=0) if core else ~table[cell].any(axis=0) for cell in own]
    without = []
    for place, cell in enumerate(own):
        for member in cell:
            rest = [x for x in cell if x != member]
            end = table[rest].all(axis=0) if core else ~table[rest].any(axis=0)
            without.append(np.mean([*ends[:place], *ends[place + 1 :], end]))
    n, estimate = len(without), row["estimate"]
    assert estimate["n"] == n and estimate["value"] == row["share"]
    if row["of"] < 5:
        assert estimate["low"] is None and f"at least 5 masks; there are {row['of']}" in estimate["why"]
    elif all(value == pytest.approx(without[0], abs=1e-12) for value in without):
        assert estimate["low"] is None and estimate["why"] == jackknife.SAME
    else:
        error = math.sqrt((n - 1) / n * sum((x - np.mean(without)) ** 2 for x in without))
        half = stats.t(n - 1).ppf(0.975) * error
        assert estimate["low"] == pytest.approx(max(row["share"] - half, 0), abs=1e-12)
        assert estimate["high"] == pytest.approx(min(row["share"] + half, 1), abs=1e-12)


def test_a_share_that_every_mask_changes_alike_has_no_interval():
    """Without any one mask, the weight that only it keeps is kept by none."""
    found = tallies.from_masks({"fc": np.eye(6, 8, dtype=bool)}, studies.members({"a": range(6)}))
    never = consensus.rows(found, found.whole, "within")[0]
    assert (never["kept_by"], never["share"]) == (0, 2 / 8)
    assert never["estimate"]["low"] is None and never["estimate"]["why"] == jackknife.SAME


@pytest.mark.parametrize(
    ("size", "kept"), [(4, (2, 2, 2)), (4, (1, 2, 3)), (5, (0, 2, 5)), (3, (1, 3)), (1, (0, 1))]
)
def test_chance_is_that_of_all_masks_with_these_counts(size, kept):
    every = [list(itertools.combinations(range(size), count)) for count in kept]
    histograms = np.array(
        [
            np.bincount(
                np.bincount(np.concatenate(chosen).astype(int), minlength=size), minlength=len(kept) + 1
            )
            for chosen in itertools.product(*every)
        ]
    )
    sizes, counts = np.array([size]), np.array([kept])
    np.testing.assert_allclose(
        consensus.expected_histogram(sizes, counts)[0], histograms.mean(axis=0), atol=1e-12
    )
    np.testing.assert_allclose(
        consensus.common_variance(sizes, counts)[0], histograms[:, -1].var(), atol=1e-12
    )
    np.testing.assert_allclose(
        consensus.common_variance(sizes, size - counts)[0], histograms[:, 0].var(), atol=1e-12
    )


def test_layers_are_independent_strata_and_draws_are_averaged():
    random = np.random.default_rng(0)
    masks = {
        "one": random.permuted(np.tile(np.arange(40) < 10, (6, 1)), axis=1),
        "two": random.permuted(np.tile(np.arange(60) < 45, (6, 1)), axis=1),
    }
    found = tallies.from_masks(masks, studies.members({"a": range(6)}, draws=2))
    rows = consensus.rows(found, found.within, "within")
    whole = {row["kept_by"]: row for row in rows if row["layer"] == "whole"}
    expected = 0.4 * stats.binom.pmf(range(4), 3, 0.25) + 0.6 * stats.binom.pmf(range(4), 3, 0.75)
    assert [whole[t]["chance"] for t in range(4)] == pytest.approx(expected)
    one = consensus.common_variance(np.array([40, 60]), np.array([[10] * 3, [45] * 3]))
    assert whole[3]["chance_sd"] == pytest.approx(math.sqrt(2 * one.sum()) / 200)
    assert {row["of"] for row in rows} == {3} and {row["draws"] for row in rows} == {2}


def test_many_members_or_layers_have_no_histogram_per_layer():
    random = np.random.default_rng(0)
    many = tallies.from_masks({"fc": random.random((70, 30)) < 0.5}, studies.members({"a": range(70)}))
    rows = consensus.rows(many, many.whole, "within")
    assert sum(row["layer"] == "whole" for row in rows) == 71
    assert [row["kept_by"] for row in rows if row["layer"] == "fc"] == [0, 70]
    deep = {str(at): random.random((3, 10)) < 0.5 for at in range(65)}
    found = tallies.from_masks(deep, studies.members({"a": range(3)}))
    rows = consensus.rows(found, found.whole, "within")
    assert len(rows) == 4 + 65 * 2


@given(st.integers(0, 2**31), st.integers(1, 300), st.booleans())
@settings(deadline=None, max_examples=30)
def test_both_ends_are_those_of_the_whole_histogram(seed, members, equal):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 1000, 3)
    kept = random.integers(0, sizes[:, None] + 1, (3, 1 if equal else members))
    kept = np.broadcast_to(kept, (3, members)).copy()
    whole = consensus.expected_histogram(sizes, kept)
    np.testing.assert_allclose(whole.sum(axis=1), sizes)
    np.testing.assert_allclose(
        consensus.expected_ends(sizes, kept), whole[:, [0, -1]], rtol=1e-9, atol=1e-300
    )


def test_very_many_members_have_both_ends_only(monkeypatch):
    random = np.random.default_rng(0)
    masks = {"one": random.random((9, 30)) < 0.8, "two": random.random((9, 20)) < 0.3}
    found = tallies.from_masks(masks, studies.members({"a": range(9)}, draws=3))
    every = [consensus.rows(found, groups, "x") for groups in (found.within, found.whole)]
    monkeypatch.setattr(consensus, "MOST_LEVELS", 2)
    for groups, rows in zip((found.within, found.whole), every, strict=True):
        ends = [row for row in rows if row["kept_by"] in (0, row["of"])]
        few = consensus.rows(found, groups, "x")
        assert 0 < len(few) == len(ends) < len(rows)
        for one, same in zip(few, ends, strict=True):
            assert one.pop("chance") == pytest.approx(same.pop("chance"), rel=1e-12)
            assert one == same
