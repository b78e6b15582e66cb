import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masklab.analysis import jackknife


def brute_force(pairs, *, within=True):
    """Mean and interval of `{(first unit, second unit): value}` by leaving out each unit in turn."""
    units = sorted({unit for pair in pairs for unit in pair})
    value = np.mean(list(pairs.values()))
    without = [np.mean([v for pair, v in pairs.items() if unit not in pair]) for unit in units]
    n = len(units)
    error = math.sqrt((n - 1) / n * sum((x - np.mean(without)) ** 2 for x in without))
    fewest = n if within else min(len({pair[side] for pair in pairs}) for side in (0, 1))
    half = stats.t(max(1, fewest - 1)).ppf(0.975) * error
    return value, value - half, value + half


@st.composite
def cells(draw):
    """Values, chosen pairs and units of a within- or cross-population cell."""
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    rows = np.sort(random.permutation(8)[: draw(st.integers(3, 6))])
    within = draw(st.booleans())
    columns = rows if within else np.sort(random.permutation(8)[: draw(st.integers(3, 6))])
    chosen = random.random_sample((len(rows), len(columns))) < draw(st.sampled_from([0.5, 0.9, 1.0]))
    if within:
        chosen = np.triu(chosen, 1)
    return random.random_sample((2, *chosen.shape)), chosen, rows, columns


@given(cells())
@settings(deadline=None)
def test_agrees_with_leaving_out_units_one_by_one(cell):
    values, chosen, rows, columns = cell
    if not chosen.any():
        return
    found = jackknife.mean_over_pairs(values, chosen, rows, columns)
    assert found.pairs == chosen.sum()
    for at, statistic in enumerate(values):
        pairs = {
            (int(rows[i]), int(columns[j])): statistic[i, j] for i, j in zip(*np.nonzero(chosen), strict=True)
        }
        units = {unit for pair in pairs for unit in pair}
        assert found.units == len(units)
        if found.why:
            assert np.isnan(found.low[at]) and np.isnan(found.high[at])
            assert len(units) < 3 or any(all(unit in pair for pair in pairs) for unit in units)
            assert found.value[at] == pytest.approx(np.mean(list(pairs.values())))
        else:
            expected = brute_force(pairs, within=np.array_equal(rows, columns))
            assert (found.value[at], found.low[at], found.high[at]) == pytest.approx(expected)


def test_paired_cells_have_the_ordinary_t_interval():
    random = np.random.RandomState(1)
    values, units = random.random_sample((1, 6, 6)), np.arange(6)
    found = jackknife.mean_over_pairs(values, np.eye(6, dtype=bool), units, units)
    law = stats.t(5, loc=values[0].diagonal().mean(), scale=stats.sem(values[0].diagonal()))
    assert (found.low[0], found.high[0]) == pytest.approx(law.interval(0.95))


@pytest.mark.parametrize(("members", "why"), [(2, "at least 3 masks"), (3, "")])
def test_two_masks_give_no_interval(members, why):
    chosen = np.triu(np.ones((members, members), dtype=bool), 1)
    values = np.arange(1.0, members**2 + 1).reshape(1, members, members)
    found = jackknife.mean_over_pairs(values, chosen, np.arange(members), np.arange(members))
    assert found.value[0] == values[0][chosen].mean()
    assert why in found.why and bool(why) == bool(found.why)


def test_equal_values_give_no_interval_of_no_width():
    chosen = np.triu(np.ones((4, 4), dtype=bool), 1)
    values = np.stack([np.full((4, 4), 0.1), np.arange(16.0).reshape(4, 4)])
    found = jackknife.mean_over_pairs(values, chosen, np.arange(4), np.arange(4))
    assert found.why == jackknife.SAME
    assert np.isnan(found.low).tolist() == np.isnan(found.high).tolist() == [True, False]


def test_a_ratio_of_means_is_left_out_of_as_one():
    random = np.random.RandomState(3)
    values, over = random.random_sample((5, 5)), 1 + random.random_sample((5, 5))
    chosen, units = np.triu(np.ones((5, 5), dtype=bool), 1), np.arange(5)
    found = jackknife.mean_over_pairs(values[None], chosen, units, units, over)
    without = []
    for unit in range(5):
        rest = np.delete(np.delete(chosen, unit, 0), unit, 1)
        kept = [np.delete(np.delete(one, unit, 0), unit, 1)[rest].sum() for one in (values, over)]
        without.append(kept[0] / kept[1])
    half = stats.t(4).ppf(0.975) * math.sqrt(4 / 5 * sum((x - np.mean(without)) ** 2 for x in without))
    value = values[chosen].sum() / over[chosen].sum()
    assert (found.value[0], found.high[0]) == pytest.approx((value, value + half))
    nothing = jackknife.mean_over_pairs(values[None], chosen, units, units, np.zeros((5, 5)))
    assert np.isnan(nothing.value[0]) and np.isnan(nothing.low[0])


def test_a_mask_in_every_pair_gives_no_interval():
    chosen = np.zeros((4, 4), dtype=bool)
    chosen[0, 1:] = True
    found = jackknife.mean_over_pairs(np.ones((1, 4, 4)), chosen, np.arange(4), np.arange(4))
    assert found.why == "leaving out one mask leaves no pair" and np.isnan(found.low[0])


def coverage(members, draw, truth, repeats=400):
    """Share of intervals that hold the truth, over fixed random populations of masks."""
    random, units = np.random.RandomState(7), np.arange(members)
    chosen = np.triu(np.ones((members, members), dtype=bool), 1)
    hits = 0
    for _ in range(repeats):
        masks = draw(random, members)
        values = (masks[:, None] != masks[None]).mean(axis=2)
        found = jackknife.mean_over_pairs(values[None], chosen, units, units)
        hits += bool(found.low[0] <= truth <= found.high[0])
    return hits / repeats


@pytest.mark.parametrize("members", [5, 12])
def test_coverage_near_chance_is_at_least_nominal(members):
    def independent(random, count):
        return random.permuted(np.tile(np.arange(60) < 20, (count, 1)), axis=1)

    def draw(random, count):
        return independent(np.random.Generator(np.random.PCG64(random.randint(2**31))), count)

    assert coverage(members, draw, 2 * 20 * 40 / 60**2) >= 0.94


@pytest.mark.parametrize("members", [5, 12])
def test_coverage_with_masks_of_unequal_typicality(members):
    """Each mask follows a common pattern to its own degree, so single masks explain much of the variance."""
    weights, degree = 400, (0.2, 0.9)

    def draw(random, count):
        agreement = random.uniform(*degree, (count, 1))
        return np.where(
            random.random_sample((count, weights)) < agreement,
            True,
            random.random_sample((count, weights)) < 0.5,
        )

    kept = 0.5 + sum(degree) / 4
    assert 0.92 <= coverage(members, draw, 2 * kept * (1 - kept)) <= 1.0


def test_half_widths_are_those_of_the_definition():
    without = np.random.default_rng(0).random((2, 3, 7))
    for factor, times in ((None, 6 / 7), (2.5, 2.5)):
        found = jackknife.half_width(without, factor=factor)
        assert found.shape == (2, 3)
        for place in np.ndindex(2, 3):
            own = without[place]
            error = np.sqrt(times * sum((one - own.mean()) ** 2 for one in own))
            assert found[place] == pytest.approx(stats.t(6).ppf(0.975) * error)
            assert jackknife.variance(own, factor=factor) == pytest.approx(error**2)
