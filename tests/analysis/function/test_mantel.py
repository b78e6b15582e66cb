import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masklab.analysis import design, jackknife, verdicts
from masklab.analysis.function import mantel, relabelings, strata


def distances(random, members):
    points = random.standard_normal((members, 3))
    return np.linalg.norm(points[:, None] - points, axis=2)


def related(random, members, slope=0.6):
    x = distances(random, members)
    return x, slope * x + (1 - slope) * distances(random, members)


def of(populations, draws=1, missing=()):
    """Design of populations of the sizes given; member i uses draw i mod `draws`."""
    ids = [f"{name}/{index:04d}" for name, count in populations.items() for index in range(count)]
    ids = [one for one in ids if one not in missing]
    return design.make(ids, {one: int(one[-4:]) % draws for one in ids})


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_one_stratum_is_that_of_scikit_bio(kind):
    from skbio.stats.distance import mantel as reference

    x, y = related(np.random.RandomState(3), 9, 0.35)
    r, p, _ = reference(x, y, method=kind, permutations=9999, seed=1)
    found = mantel.test(strata.of(x, y, of({"a": 9}), kind), 0)
    assert found.r == pytest.approx(r)
    assert found.p == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 9999) * math.sqrt(2))
    assert (found.permutations, found.exact, found.smallest_p) == (9999, False, 1e-4)


def test_few_members_are_permuted_in_every_way():
    x, y = related(np.random.RandomState(1), 5)
    found = mantel.test(strata.of(x, y, of({"a": 5})), 0)
    upper = np.triu_indices(5, 1)
    everyone = [
        np.corrcoef(x[upper], y[np.ix_(p, p)][upper])[0, 1]
        for p in map(list, itertools.permutations(range(5)))
    ]
    assert found.p == pytest.approx(np.mean(np.abs(everyone) >= abs(everyone[0]) - 1e-12))
    assert (found.permutations, found.exact, found.smallest_p) == (120, True, 1 / 120)


def pooled(x, y, design_):
    """Within-population correlation, the plain way: centred by population and block, pooled over blocks."""
    found, weights = [], []
    for at in range(len(design_.names)):
        a, b = [], []
        for block in np.unique(design_.block):
            own = np.flatnonzero((design_.population == at) & (design_.block == block))
            pairs = list(itertools.combinations(own, 2))
            if len(own) >= 3:
                for values, matrix in ((a, x), (b, y)):
                    values.extend(np.array([matrix[p] for p in pairs]) - np.mean([matrix[p] for p in pairs]))
        if a:
            found.append(np.corrcoef(a, b)[0, 1])
            weights.append(len(a))
    return np.average(found, weights=weights)


@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 2))
@settings(deadline=None, max_examples=30)
def test_strata_are_centred_and_populations_weighted(seed, populations, draws):
    random = np.random.RandomState(seed)
    who = of({name: int(random.randint(4, 9)) * draws for name in "abc"[:populations]}, draws)
    x, y = related(random, len(who))
    chosen = strata.of(x, y, who)
    found = mantel.test(chosen, seed)
    assert found.r == pytest.approx(pooled(x, y, who))
    units = np.unique(who.unit)
    for at, unit in enumerate(units):
        left = np.flatnonzero(who.unit != unit)
        if populations == 1 and len(left):  # several populations keep their weights, see below
            assert found.without[at] == pytest.approx(
                pooled(x[np.ix_(left, left)], y[np.ix_(left, left)], who.only(left))
            )


def test_populations_keep_their_weights_without_a_seed():
    who = of({"a": 6, "b": 4})
    x, y = related(np.random.RandomState(5), 10)
    found = mantel.test(strata.of(x, y, who), 0)
    left = np.flatnonzero(who.unit != 0)
    each = [pooled(x[np.ix_(own, own)], y[np.ix_(own, own)], who.only(own)) for own in (left[:5], left[5:])]
    assert found.without[0] == pytest.approx((15 * each[0] + 6 * each[1]) / 21)


def test_seeds_are_permuted_together_in_all_populations():
    """Two populations that are copies of each other make nothing more certain than one of them."""
    x, y = related(np.random.RandomState(8), 6, 0.4)
    one = mantel.test(strata.of(x, y, of({"a": 6})), 0)
    both = mantel.test(strata.of(np.tile(x, (2, 2)), np.tile(y, (2, 2)), of({"a": 6, "b": 6})), 0)
    assert both.r == pytest.approx(one.r) and both.exact and one.exact
    assert (both.p, both.permutations) == (one.p, one.permutations)


def test_unpaired_populations_are_permuted_each_for_itself():
    ids = [f"{name}/{index:04d}" for name in "ab" for index in range(4)]
    x, y = related(np.random.RandomState(8), 8)
    blocks = dict.fromkeys(ids, 0)
    paired = mantel.test(strata.of(x, y, design.make(ids, blocks)), 0)
    unpaired = mantel.test(strata.of(x, y, design.make(ids, blocks, unpaired={"b"})), 0)
    assert (paired.permutations, unpaired.permutations) == (24, 24 * 24)
    assert paired.r == unpaired.r


def test_seeds_change_places_only_where_they_are_present():
    who = of({"a": 6, "b": 6}, missing=("b/0004", "b/0005"))
    x, y = related(np.random.RandomState(2), 10)
    found = mantel.test(strata.of(x, y, who), 0)
    assert (found.permutations, found.exact) == (24 * 2, True)


@pytest.mark.parametrize("groups", [[(0,)] * 4, [(0,), (1,), (0,), (1,), (1,)], [(0,), (1,)]])
def test_relabelings_are_all_different_and_keep_patterns(groups):
    found = relabelings.of(groups)
    rows = found.all()
    assert len({tuple(row) for row in rows}) == found.total == len(rows)
    for batch in (rows, found.draw(200, np.random.RandomState(0))):
        assert (np.sort(batch, axis=1) == np.arange(len(groups))).all()
        assert all(groups[to] == groups[at] for row in batch for at, to in enumerate(row))


def test_drawn_relabelings_are_uniform():
    rows = relabelings.of([(0,)] * 3).draw(6000, np.random.RandomState(0))
    counts = np.unique(rows, axis=0, return_counts=True)[1]
    assert len(counts) == 6 and stats.chisquare(counts).pvalue > 0.001


def test_rows_have_an_effect_an_interval_and_adjusted_p():
    random = np.random.RandomState(4)
    who = of({"a": 7, "b": 7, "few": 2})
    x, y = related(random, len(who))
    found = json.loads(json.dumps(mantel.rows(x, y, who, 0), allow_nan=False))
    assert [row["a"] for row in found] == ["a", "b", "few", None]
    a, b, few, combined = found
    single = mantel.test([one for one in strata.of(x, y, who) if one.population == "a"], 0)
    z = np.arctanh(single.without)
    part = (z - z.mean()) ** 2 / ((z - z.mean()) ** 2).sum()
    half = stats.t(1 / (part**2).sum()).ppf(0.975) * math.sqrt(6 * z.var())
    assert half > np.arctanh(single.reached)
    assert np.arctanh(a["estimate"]["low"]) == pytest.approx(np.arctanh(single.r) - half)
    assert np.arctanh(a["estimate"]["high"]) == pytest.approx(np.arctanh(single.r) + half)
    assert (a["statistic"], a["chance"], a["n"], a["pairs"]) == (pytest.approx(single.r), 0, 7, 21)
    assert (a["units"], a["blocks"], a["layer"], a["block"]) == (7, 1, "whole", "within")
    expected = stats.false_discovery_control([a["p"], b["p"]])
    assert [a["adjusted_p"], b["adjusted_p"]] == pytest.approx(list(expected))
    assert (few["statistic"], few["p"], few["adjusted_p"], few["smallest_p"]) == (None,) * 4
    assert "3 members of one draw" in few["why"] and few["why"] == few["estimate"]["why"]
    assert combined["p"] == combined["adjusted_p"] and (combined["units"], combined["n"]) == (7, 14)
    assert combined["statistic"] == pytest.approx((a["statistic"] + b["statistic"]) / 2)
    fields = verdicts.row("", effect="", estimate={}, method="", units=0, n=0)
    assert all(set(row) - {"why"} == set(fields) for row in found)


def test_an_interval_is_as_wide_as_what_permutations_reach():
    """One seed is far from the rest in each: what is left without any other is much the same."""
    random = np.random.RandomState(0)
    who, narrow = of({"a": 6}), 0
    for _ in range(20):
        x, y = (
            np.linalg.norm(points[:, None] - points, axis=2)
            for points in (random.standard_normal((6, 3)) * random.choice([1, 9], (6, 1)) for _ in range(2))
        )
        found = mantel.test(strata.of(x, y, who), 0)
        (row,) = mantel.rows(x, y, who, 0)
        half = np.arctanh(row["estimate"]["high"]) - np.arctanh(found.r)
        assert half >= np.arctanh(found.reached) * (1 - 1e-9)
        assert found.p <= 0.05 or row["estimate"]["low"] <= 0 <= row["estimate"]["high"]
        narrow += half <= np.arctanh(found.reached) * (1 + 1e-9)
    assert 0 < narrow < 20


def test_distances_of_which_one_is_the_other_have_no_width():
    x = distances(np.random.RandomState(0), 6)
    (row,) = mantel.rows(x, 2 * x, of({"a": 6}), 0)
    assert row["statistic"] == pytest.approx(1.0) and row["estimate"]["low"] is None
    assert row["estimate"]["why"] == jackknife.SAME


def test_small_strata_have_no_interval_but_a_p():
    who = of({"a": 12}, draws=3)
    (row,) = mantel.rows(*related(np.random.RandomState(1), 12), who, 0)
    assert row["estimate"]["low"] is None and "5 members" in row["estimate"]["why"]
    assert row["p"] is not None and "why" not in row


@pytest.mark.parametrize("members", [0, 1, 2, 3, 6])
def test_equal_distances_have_no_correlation(members):
    x = np.full((members, members), 0.3)
    names = {"a": members} if members else {}
    for row in mantel.rows(x, x, of(names), 0):
        assert row["statistic"] is None and row["p"] is None and row["permutations"] == 0
        assert ("same distance" if members > 2 else "3 members") in row["why"]


def test_one_odd_pair_leaves_no_interval_where_it_is_the_only_spread():
    x = np.full((5, 5), 0.3)
    x[0, 1] = x[1, 0] = 0.4
    (row,) = mantel.rows(x, x, of({"a": 5}), 0)
    assert row["statistic"] == pytest.approx(1) and row["estimate"]["low"] is None
    assert "without one of the seeds" in row["estimate"]["why"]


def test_many_members_have_fewer_permutations(monkeypatch):
    monkeypatch.setattr(mantel, "_WORK", 435 * 300)
    monkeypatch.setattr(mantel, "_AT_ONCE", 435 * 7)
    x, y = related(np.random.RandomState(1), 30)
    found = mantel.test(strata.of(x, y, of({"a": 30})), 0)
    assert (found.permutations, found.smallest_p) == (300, 1 / 301)
    monkeypatch.setattr(mantel, "_WORK", 1)
    assert mantel.test(strata.of(x, y, of({"a": 30})), 0).permutations == 199


def test_equal_seeds_give_equal_results():
    x, y = related(np.random.RandomState(1), 12, 0.1)
    first, again, other = (mantel.test(strata.of(x, y, of({"a": 12})), seed).p for seed in (0, 0, 1))
    assert first == again and first != other
