import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masklab.analysis import design as designs
from masklab.analysis import estimates, verdicts
from masklab.analysis.between import permdisp, permutations, variance
from tests.analysis.between import synthetic


def by_points(design, where, *, factor=True):
    """Distances of points to the centroids of their cells."""
    found = np.empty(len(design))
    for at in range(len(design)):
        own = (design.population == design.population[at]) & (design.block == design.block[at])
        n = own.sum()
        scale = n / (n - 1) if factor else 1
        found[at] = np.sqrt(((where[at] - where[own].mean(axis=0)) ** 2).sum() * scale)
    return found


def stretched(design, distance):
    found = distance.copy()
    for block in np.unique(design.block):
        for label in np.unique(design.population):
            own = (design.population == label) & (design.block == block)
            if own.any():
                mean, n = distance[own].mean(), own.sum()
                found[own] = mean + (distance[own] - mean) * (n - 1) / (n - 2)
    return found


def regression(design, values, populations):
    """Residual sum of squares of draws alone, of draws and populations, and the populations' effects."""
    draws = (design.block[:, None] == np.unique(design.block)).astype(float)
    both = np.column_stack([draws, design.population[:, None] == np.arange(1, populations)])
    rest = [values - columns @ np.linalg.lstsq(columns, values)[0] for columns in (draws, both)]
    effects = np.linalg.lstsq(both, values)[0][draws.shape[1] :]
    return (rest[0] ** 2).sum(), (rest[1] ** 2).sum(), effects


def unbalanced(units, populations, draws, seed):
    """A design with two members missing whose cells all have at least four."""
    design = synthetic.design_of(units, populations, draws)
    gone = np.random.default_rng(seed).choice(len(design), 2, replace=False)
    return design.only(np.setdiff1d(np.arange(len(design)), gone))


@given(st.integers(1, 2), st.integers(2, 3), st.booleans(), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_distances_are_those_of_points_to_their_centroids(draws, populations, factor, seed):
    design = unbalanced(6 * draws, populations, draws, seed)
    where, squared = synthetic.points(design, seed)
    found = permdisp.distances(design, squared, factor=factor)
    np.testing.assert_allclose(found, by_points(design, where, factor=factor))
    np.testing.assert_allclose(permdisp.stretched(design, found), stretched(design, found))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_bio_where_nothing_is_corrected(seed):
    from scipy import stats
    from skbio import DistanceMatrix
    from skbio.stats import distance

    design = unbalanced(7, 3, 1, seed)
    _, squared = synthetic.points(design, seed)
    names = [design.names[at] for at in design.population]
    theirs = distance.permdisp(
        DistanceMatrix(np.sqrt(squared)),
        names,
        test="centroid",
        permutations=0,
        dimensions=5,
        engine="cython",
    )
    plain = permdisp.distances(design, squared, factor=False)
    cells = [plain[design.population == at] for at in range(3)]
    counts, sums, squares = (
        np.array([[[of(own)] for own in cells]], dtype=float)
        for of in (len, np.sum, lambda own: (own**2).sum())
    )
    found = variance.analysis(counts, sums, squares)
    assert found.ratio == pytest.approx(theirs["test statistic"])
    assert found.ratio == pytest.approx(stats.f_oneway(*cells).statistic)


@given(st.integers(1, 3), st.integers(2, 4), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_analysis_of_variance_is_that_of_a_regression_on_draws_and_populations(draws, populations, seed):
    design = unbalanced(5 * draws, populations, draws, seed)
    values = np.random.default_rng(seed).standard_normal(len(design))
    cells = np.zeros((3, 1, populations, draws))
    for each, of_each in zip(cells[:, 0], (np.ones(len(design)), values, values**2), strict=True):
        np.add.at(each, (design.population, design.block), of_each)
    found = variance.analysis(*cells)
    total, left, effects = regression(design, values, populations)
    assert found.total[0] == pytest.approx(total)
    assert found.explained[0] == pytest.approx(total - left)
    np.testing.assert_allclose(found.effects[0, 1:] - found.effects[0, 0], effects)
    assert (found.between, found.within) == (populations - 1, len(design) - draws - populations + 1)


@pytest.mark.parametrize("populations", [2, 3])
def test_effect_and_interval(populations):
    design = unbalanced(12, populations, 2, 0)
    where, squared = synthetic.points(design)

    def effect(kept):
        some = design.only(np.flatnonzero(kept))
        values = stretched(some, by_points(some, where[kept]))
        total, left, effects = regression(some, values, populations)
        return -effects[0] if populations == 2 else 1 - left / total

    value = effect(np.ones(len(design), dtype=bool))
    without = np.array([effect(design.unit != unit) for unit in np.unique(design.unit)])
    fewer = int(np.bincount(design.population).min())  # of unbalanced populations the smaller one
    half = estimates.t_quantile(fewer - 1) * np.sqrt(11 / 12 * ((without - without.mean()) ** 2).sum())
    row = permdisp.row(design, squared, 0)
    assert row["estimate"]["value"] == pytest.approx(value)
    assert row["estimate"]["low"] == pytest.approx(value - half)
    assert row["estimate"]["high"] == pytest.approx(value + half)
    total, left, _ = regression(design, stretched(design, by_points(design, where)), populations)
    degrees = len(design) - 2 - (populations - 1)
    assert row["statistic"] == pytest.approx((total - left) / (populations - 1) / (left / degrees))
    assert row["effect"] == (permdisp.DIFFERENCE if populations == 2 else permdisp.SHARE)
    assert (row["units"], row["blocks"], row["n"]) == (12, 2, len(design))


def test_exact_p_of_five_pairs_is_the_share_of_the_sixteen_relabelings():
    design = synthetic.design_of(5, 2)
    where, squared = synthetic.points(design)
    values = stretched(design, by_points(design, where))
    difference = values[:5] - values[5:]
    signs = np.array([[1 - 2 * (bits >> unit & 1) for unit in range(5)] for bits in range(16)])
    reached = np.abs(signs @ difference) >= abs(difference.sum()) * (1 - 1e-9)
    row = permdisp.row(design, squared, 0)
    low, value = row["estimate"]["low"], row["estimate"]["value"]
    t = value / ((value - low) / estimates.t_quantile(4))
    assert row["p"] == pytest.approx(max(reached.mean(), 2 * stats.t(4).sf(abs(t))))
    assert (row["smallest_p"], row["exact"], row["permutations"]) == (1 / 16, True, 16)


def by_pairs(design, values, where):
    """Smallest adjusted p of the jackknife's t of the pairs; each pair by itself, on one draw."""
    found = []
    for a, b in itertools.combinations(range(len(design.names)), 2):
        own = np.flatnonzero(np.isin(design.population, (a, b)))
        pair = design.only(own)
        without = []
        for unit in np.unique(pair.unit):
            left = pair.unit != unit
            some = by_points(pair.only(np.flatnonzero(left)), where[own][left])
            without.append(some[pair.population[left] == 0].mean() - some[pair.population[left] == 1].mean())
        error = np.sqrt((len(without) - 1) * np.var(without))
        apart = values[design.population == a].mean() - values[design.population == b].mean()
        fewer = min((design.population == each).sum() for each in (a, b))
        found.append(2 * stats.t(fewer - 1).sf(abs(apart) / error))
    return stats.false_discovery_control(found).min()


@pytest.mark.parametrize("populations", [2, 3, 4])
def test_p_is_no_smaller_than_that_of_the_jackknife_over_the_pairs(populations):
    """One member in five is far from the rest: there relabeling alone gives the smaller p."""
    larger = 0
    for seed in range(10):
        design = synthetic.design_of(6, populations)
        where, _ = synthetic.points(design, seed)
        where[np.random.default_rng(seed).random(len(design)) < 0.2] *= 4
        squared = ((where[:, None] - where[None]) ** 2).sum(axis=-1)
        expected = by_pairs(design, by_points(design, where), where)
        row = permdisp.row(design, squared, 0)
        assert row["p"] >= expected - 1e-12
        values = stretched(design, by_points(design, where))
        relabeled = permutations.of(design, 0)
        statistic = [
            sum(values[batch == label].sum() ** 2 for label in range(populations))
            for batches in relabeled.chunks()
            for batch in batches
        ]
        observed = sum(values[design.population == label].sum() ** 2 for label in range(populations))
        p = verdicts.p_value(observed, np.array(statistic), exact=relabeled.exact)
        assert row["p"] == pytest.approx(max(p, expected))
        larger += expected > p
    assert larger > 0


def test_a_location_difference_changes_nothing():
    design = synthetic.design_of(6, 3, 2)
    where, squared = synthetic.points(design)
    moved = (
        where + 10.0 * np.random.default_rng(1).standard_normal((3, 2, 5))[design.population, design.block]
    )
    found = permdisp.row(design, squared, 0)
    other = permdisp.row(design, ((moved[:, None] - moved[None]) ** 2).sum(axis=-1), 0)
    assert other["statistic"] == pytest.approx(found["statistic"])
    assert other["p"] == found["p"]


def test_more_spread_gives_a_difference_with_its_sign():
    design = synthetic.design_of(8, 2, 2)
    where, _ = synthetic.points(design)
    where[design.population == 1] *= 3
    row = permdisp.row(design, ((where[:, None] - where[None]) ** 2).sum(axis=-1), 0)
    assert row["estimate"]["high"] < 0
    assert row["p"] == row["smallest_p"]
    assert row["chance"] == 0.0


@pytest.mark.parametrize("draws", [1, 3, 4])
def test_populations_of_which_one_always_spreads_more_have_the_smallest_p(draws):
    """Here the sign of the difference counts on each draw, so renaming on one draw is another labeling."""
    design = synthetic.design_of(3 * draws, 2, draws)
    where, _ = synthetic.points(design)
    where[design.population == 1] *= 100
    row = permdisp.row(design, ((where[:, None] - where[None]) ** 2).sum(axis=-1), 0)
    assert row["exact"]
    assert row["p"] == row["smallest_p"] == 2 / 2 ** (3 * draws)


def test_an_imported_population_on_a_draw_of_its_own_leaves_the_pairs_of_the_others():
    design = synthetic.design_of(5, 2)
    ids = [*design.ids, *(f"c/{at:04d}" for at in range(5))]
    wider = designs.make(ids, {member: int(member[0] == "c") for member in ids}, unpaired={"c"})
    _, more = synthetic.points(wider, 1)
    row, expected = permdisp.row(wider, more, 0), permdisp.row(design, more[:10, :10], 0)
    assert (row["p"], row["permutations"], row["units"]) == (expected["p"], 16, 5)


def test_small_cells_are_left_out():
    design = synthetic.design_of(4, 2)
    _, squared = synthetic.points(design)
    ids = [*design.ids, "a/0004", "b/0004", "a/0005", "b/0005"]
    wider = designs.make(ids, {member: int(int(member[2:]) > 3) for member in ids})
    _, more = synthetic.points(wider, 1)
    more[:8, :8] = squared
    row, expected = permdisp.row(wider, more, 0), permdisp.row(design, squared, 0)
    assert row == expected
    assert (row["n"], row["blocks"], row["p"]) == (8, 1, expected["p"])


def test_populations_that_meet_on_no_draw_are_each_compared_with_those_they_meet():
    ids = [f"{name}/{unit:04d}" for name in "abcd" for unit in range(16)]
    blocks = {member: int(member[2:]) // 8 for member in ids}
    design = designs.make(ids, blocks)
    kept = [at for at in range(64) if (design.population[at] < 2) == (design.block[at] == 0)]
    chosen = design.only(kept)
    where, _ = synthetic.points(chosen)
    row = permdisp.row(chosen, ((where[:, None] - where[None]) ** 2).sum(axis=-1), 0)
    assert row["statistic"] > 0
    assert row["p"] is not None
    where[chosen.population == 0] *= 100  # of six pairs only two meet; that of b and c, or d, says nothing
    row = permdisp.row(chosen, ((where[:, None] - where[None]) ** 2).sum(axis=-1), 0)
    where[chosen.population == 1] *= 100
    other = permdisp.row(chosen, ((where[:, None] - where[None]) ** 2).sum(axis=-1), 0)
    assert row["p"] < 0.05 < other["p"]


@pytest.mark.parametrize(
    ("design", "why"),
    [
        (synthetic.design_of(5, 1), "there is one population"),
        (synthetic.design_of(2, 2), "no draw of base weights has 3 members of each of two populations"),
        (synthetic.design_of(6, 2, 6), "no draw of base weights has 3 members of each of two populations"),
    ],
)
def test_null_with_a_reason(design, why):
    row = permdisp.row(design, synthetic.points(design)[1], 0)
    assert why == row["why"] == row["estimate"]["why"]
    assert (row["statistic"], row["estimate"]["value"], row["p"]) == (None, None, None)


@pytest.mark.parametrize("populations", [2, 3])
def test_equal_masks_have_no_spread(populations):
    design = synthetic.design_of(4, populations)
    row = permdisp.row(design, np.zeros((len(design), len(design))), 0)
    assert row["statistic"] is None
    assert "do not vary within populations" in row["why"]
    assert row["estimate"]["value"] == (0.0 if populations == 2 else None)
    assert row["p"] == 1.0


def test_cells_of_three_have_no_interval_of_their_share_of_the_variance():
    design = synthetic.design_of(3, 3)
    _, squared = synthetic.points(design)
    row = permdisp.row(design, squared, 0)
    assert row["estimate"]["low"] is None
    assert row["estimate"]["why"] == "the estimate is undefined without one of the seeds"
    pair = permdisp.row(design.only(range(6)), squared[:6, :6], 0)
    assert pair["estimate"]["low"] is not None


def test_unknown_seeds_are_exchanged_within_draws():
    design = synthetic.design_of(4, 2, unpaired={"b"})
    row = permdisp.row(design, synthetic.points(design)[1], 0)
    assert row["permutations"] == permutations.of(design, 0).distinct == 35
    assert row["units"] == 8
