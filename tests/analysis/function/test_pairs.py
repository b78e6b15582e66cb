"""Intervals of means over pairs of members: how far they reach, and where there are none."""

import numpy as np
import pytest
from scipy import stats

from masklab.analysis import cells
from masklab.analysis import design as designs
from masklab.analysis.function import agreement, pairs
from tests.analysis import intervals

MEMBERS = 6


@pytest.fixture(scope="module")
def design():
    ids = [f"{name}/{at:04d}" for name in "ab" for at in range(MEMBERS)]
    return designs.make(ids, dict.fromkeys(ids, 0))


def cell_of(design, a, b, seed):
    return next(cell for cell in cells.of(design) if (cell.a, cell.b, cell.seed) == (a, b, seed))


def square(seed, skewed=True):
    random = np.random.default_rng(seed)
    good = random.exponential(1, 2 * MEMBERS) if skewed else random.standard_normal(2 * MEMBERS)
    noise = random.uniform(0, 0.1, (2 * MEMBERS, 2 * MEMBERS))
    return 0.1 * np.abs(np.add.outer(good, good)) + noise + noise.T


def ends(value, pseudo):
    """Of the union of t and Hall's t on pseudo-values, which are what independent values would be."""
    n = len(pseudo)
    error = stats.sem(pseudo)
    plain = stats.t(n - 1, loc=value, scale=error).interval(0.95)
    low, high, _ = intervals.halls(value, error, n - 1, stats.skew(pseudo, bias=False) / n**0.5)
    return min(low, plain[0]), max(high, plain[1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("where", [("a", "a", "different"), ("a", "b", "same"), ("a", "b", "different")])
def test_an_interval_is_that_of_the_pseudo_values_of_leaving_out_each_seed(design, where, divided, seed):
    cell = cell_of(design, *where)
    values = 3 * square(seed) - 1 if divided else square(seed) - 0.4
    over = square(seed + 100) if divided else None
    found = pairs.estimated(
        cell, agreement.Statistic("normalised_disagreement", values, values, over=over), 100, design
    )

    def mean(without=None):
        total = whole = 0.0
        for i, j in zip(*np.nonzero(cell.chosen), strict=True):
            first, second = cell.rows[i], cell.columns[j]
            if without not in (design.unit[first], design.unit[second]):
                total += values[first, second]
                whole += 1.0 if over is None else over[first, second]
        return total / whole

    value = mean()
    pseudo = [MEMBERS * value - (MEMBERS - 1) * mean(unit) for unit in range(MEMBERS)]
    low, high = ends(value, np.array(pseudo))
    assert found["value"] == pytest.approx(value)
    assert found["low"] == pytest.approx(max(low, 0.0)) and found["high"] == pytest.approx(high)


def test_pairs_of_equal_seeds_are_independent_values(design):
    values = square(7)
    found = pairs.estimated(
        cell_of(design, "a", "b", "same"), agreement.Statistic("kappa", values, values), 100, design
    )
    own = values[np.arange(MEMBERS), MEMBERS + np.arange(MEMBERS)]
    low, high = ends(own.mean(), own)
    assert (found["low"], found["high"]) == pytest.approx((low, min(high, 1.0)))


def test_a_pair_whose_q_is_at_its_limit_takes_the_interval(design):
    values = np.clip(square(2), 0.0, 0.9)
    cell = cell_of(design, "a", "b", "same")

    def estimate(metric="q_statistic"):
        return pairs.estimated(cell, agreement.Statistic(metric, values, values), 100, design)

    assert estimate()["low"] is not None and pairs.OF_Q in estimate()["method"]
    values[2, MEMBERS + 2] = -1.0
    found = estimate()
    assert found["value"] is not None and found["low"] is found["high"] is None
    assert found["why"].startswith("Q is −1 or 1 for 1 of 6 pairs")
    assert estimate("kappa")["low"] is not None


def test_one_of_many_pairs_at_the_limit_does_not(design):
    values = np.clip(square(2), 0.0, 0.9)
    values[0, MEMBERS + 3] = 1.0
    cell = cell_of(design, "a", "b", "different")
    assert pairs.estimated(cell, agreement.Statistic("q_statistic", values, values), 100, design)["high"]


@pytest.mark.parametrize(("images", "given"), [(100, True), (30, False)])
def test_double_faults_need_images_that_both_get_wrong(design, images, given):
    values = np.full((2 * MEMBERS, 2 * MEMBERS), 0.1) + 0.02 * square(3)
    cell = cell_of(design, "a", "a", "different")
    found = pairs.estimated(cell, agreement.Statistic("double_fault", values, values), images, design)
    assert (found["low"] is not None) == given
    if not given:
        mean = values[cell.rows[:, None], cell.columns][cell.chosen].mean() * images
        assert found["why"].endswith(f"mean over the pairs; there are {mean:.3g}")
