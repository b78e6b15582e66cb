import itertools
import math

import numpy as np
import pytest

from masklab.analysis.diversity import coverage, groups, rarefaction, vendi

from .measured import distances_of, random_layers, twins_of


def rows_of(layers, parts, twins=2, seed=0):
    found = distances_of(layers)
    all_of = [found, *twins_of(found, twins)]
    group = groups.Group("a", "all" if len(parts) == 1 else "within", [np.asarray(part) for part in parts])
    kernels = [vendi.kernel(*one.strata()) for one in all_of]
    rows = rarefaction.rows(group, kernels, [one.hamming_count() for one in all_of], seed)
    return kernels, {(row["metric"], row["size"]): row for row in rows}


def halves(members, size=200, seed=0):
    return random_layers(np.random.default_rng(seed), [np.full(members, size // 2)], [size])


def test_the_whole_is_the_score_of_all():
    kernels, rows = rows_of(halves(11), [range(11)])
    assert [size for metric, size in rows if metric == "vendi"] == [1, 2, 4, 8, 11]
    whole = rows["vendi", 11]
    assert whole["estimate"]["value"] == pytest.approx(vendi.score(kernels[0]))
    assert whole["subsets"] is None
    assert "only one subset" in whole["estimate"]["why"] and whole["estimate"]["n"] == 11
    assert whole["null"]["low"] == pytest.approx(min(vendi.score(twin) for twin in kernels[1:]))
    assert rows["vendi", 1]["estimate"]["value"] == pytest.approx(1)
    assert rows["vendi", 1]["null"]["mean"] == pytest.approx(1)


def test_the_mean_is_that_over_all_subsets():
    kernels, rows = rows_of(halves(6), [range(6)])
    for size in (2, 4):
        scores = [
            vendi.score(kernels[0][np.ix_(chosen, chosen)])
            for chosen in itertools.combinations(range(6), size)
        ]
        estimate = rows["vendi", size]["estimate"]
        assert estimate["value"] == pytest.approx(np.mean(scores), abs=float(0.4 * np.std(scores)))
        assert estimate["low"] is estimate["high"] is None
        assert estimate["why"] == "subsets of the masks at hand: no interval"
        spread = rows["vendi", size]["subsets"]
        assert spread["n"] == 100
        assert min(scores) - 1e-12 <= spread["low"] < spread["high"] <= max(scores) + 1e-12
        assert spread["low"] < estimate["value"] < spread["high"]
        assert "100 random subsets" in estimate["method"]


def test_distinct_masks_follow_the_published_expectation():
    copies = [1, 1, 2, 5, 7]
    (masks,) = halves(len(copies))
    _, rows = rows_of([np.repeat(masks, copies, axis=0)], [range(16)])
    for size in rarefaction.sizes(16):
        missed = [math.comb(16 - own, size) / math.comb(16, size) for own in copies]
        assert rows["distinct", size]["estimate"]["value"] == pytest.approx(5 - sum(missed), abs=0.35)
        assert rows["distinct", size]["null"]["mean"] == size


def test_subsets_stay_within_a_weight_draw():
    (masks,) = halves(3)
    twice = np.concatenate([masks, masks, masks[:1]])  # the second draw repeats the first; the third is small
    _, rows = rows_of([twice], [range(3), range(3, 6), [6]])
    assert rows["distinct", 2]["estimate"]["value"] == 2
    assert rows["distinct", 3]["estimate"]["value"] == 3
    assert max(size for _, size in rows) == 3


def test_equal_seeds_give_equal_rows():
    first, again, other = (rows_of(halves(9), [range(9)], seed=seed)[1] for seed in (0, 0, 1))
    assert first == again != other


def test_masks_that_keep_everything_have_no_score():
    _, rows = rows_of([np.ones((3, 10), dtype=bool)], [range(3)])
    for (metric, _), row in rows.items():
        assert (row["estimate"]["value"] is None) == (metric == "vendi")
        if metric == "vendi":
            assert "keeps every weight" in row["estimate"]["why"] and row["null"] is row["subsets"] is None


def test_large_subsets_are_left_out():
    assert rarefaction.sizes(512)[-2:] == [256, 512]
    assert rarefaction.sizes(3000)[-1] == 512


@pytest.mark.parametrize("members", [1, 2, 5])
def test_coverage_is_the_mean_over_all_subsets(members):
    masks = np.random.default_rng(members).random((members, 40)) < 0.4
    found = coverage.expected(np.bincount(masks.sum(axis=0), minlength=members + 1))
    for size in range(members + 1):
        shares = [masks[list(own)].any(axis=0).mean() for own in itertools.combinations(range(members), size)]
        assert found[size] == pytest.approx(np.mean(shares), abs=1e-12)


def test_chance_coverage_is_the_mean_over_all_subsets_of_the_shares_missed():
    sizes, kept = np.array([10, 30]), np.array([[3, 5, 10, 0], [10, 20, 15, 3]])
    found = coverage.chance(sizes, kept)
    for size in range(5):
        covered = [
            (sizes * (1 - (1 - kept[:, list(own)] / sizes[:, None]).prod(axis=1))).sum() / 40
            for own in itertools.combinations(range(4), size)
        ]
        assert found[size] == pytest.approx(np.mean(covered), abs=1e-12)


def test_independent_masks_cover_as_chance_says():
    kept = [np.full(12, 1000), np.full(12, 300)]
    layers = random_layers(np.random.default_rng(0), kept, [4000, 6000])
    times = np.concatenate(layers, axis=1).sum(axis=0)
    level = coverage.chance(np.array([4000, 6000]), np.stack(kept))
    np.testing.assert_allclose(coverage.expected(np.bincount(times, minlength=13)), level, atol=0.01)


def test_many_masks_cover_exactly():
    found = coverage.expected(np.bincount([1, 3000], minlength=3001))
    assert found[1] == pytest.approx((1 + 3000) / 6000) and found[3000] == 1
    assert (np.diff(found) >= 0).all()


def test_coverage_is_given_where_the_counts_are_those_of_the_group():
    kept, sizes, counts = np.full((1, 3), 2), np.array([4]), {"a": np.array([1, 1, 1, 1])}
    group = groups.Group("a", "all", [np.arange(3)])
    rows = coverage.rows(group, sizes, kept, counts)
    assert [row["size"] for row in rows] == [1, 2, 3]
    assert rows[-1]["estimate"]["value"] == 0.75 and rows[-1]["chance"] == pytest.approx(1 - 0.5**3)
    assert coverage.rows(groups.Group("b", "all", [np.arange(3)]), sizes, kept, counts) == []
    parts = groups.Group("a", "within", [np.arange(2), np.arange(1)])
    assert coverage.rows(parts, sizes, kept, counts) == []
