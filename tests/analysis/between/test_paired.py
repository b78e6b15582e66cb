import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats

from masklab.analysis.between import paired, permutations
from tests.analysis import intervals
from tests.analysis.between import synthetic


def accuracies_of(design, seed=0):
    values = np.random.default_rng(seed).uniform(0.5, 0.9, len(design))
    return dict(zip(design.ids, values.tolist(), strict=True)), values


@pytest.mark.parametrize("units", [2, 3, 5, 9])
def test_members_of_equal_seeds_are_compared_as_by_a_paired_t_test_and_changed_signs(units):
    design = synthetic.design_of(units, 2)
    accuracies, values = accuracies_of(design)
    [row] = paired.rows(design, accuracies, 0)
    difference = values[:units] - values[units:]
    theirs = stats.ttest_rel(values[:units], values[units:])
    assert row["statistic"] == pytest.approx(theirs.statistic)
    assert row["estimate"]["value"] == pytest.approx(difference.mean())
    skew = stats.skew(difference, bias=False) / units**0.5 if units > 2 else 0.0
    low, high, corrected = intervals.halls(difference.mean(), stats.sem(difference), units - 1, skew)
    interval = theirs.confidence_interval(0.95)
    assert row["estimate"]["low"] == pytest.approx(min(interval.low, low))
    assert row["estimate"]["high"] == pytest.approx(max(interval.high, high))
    signs = np.array(list(itertools.product([1, -1], repeat=units)))
    changed = np.mean(np.abs(signs @ difference) >= abs(difference.sum()) * (1 - 1e-9))
    assert row["p"] == pytest.approx(max(changed, theirs.pvalue, corrected))
    assert (row["smallest_p"], row["exact"]) == (2 / 2**units, True)
    assert (row["units"], row["n"], row["estimate"]["n"]) == (units, 2 * units, units)


@pytest.mark.parametrize("side", [1, -1])
def test_an_interval_reaches_further_to_the_side_to_which_differences_are_skewed(side):
    design = synthetic.design_of(8, 2)
    difference = 0.01 * side * np.array([-1.0, -0.8, -0.5, -0.2, 0.1, 0.3, 0.6, 9.0])
    values = dict(zip(design.ids, [*(0.8 + difference), *[0.8] * 8], strict=True))
    [row] = paired.rows(design, values, 0)
    value, low, high = (row["estimate"][key] for key in ("value", "low", "high"))
    assert (high - value > 1.2 * (value - low)) == (side == 1)
    assert (value - low > 1.2 * (high - value)) == (side == -1)
    plain = stats.ttest_1samp(difference, 0.0).confidence_interval(0.95)
    assert (low < plain.low - 1e-6) == (side == -1) and (high > plain.high + 1e-6) == (side == 1)


def test_unknown_seeds_are_compared_as_independent_samples():
    design = synthetic.design_of(5, 2, draws=2, unpaired={"b"})
    accuracies, values = accuracies_of(design)
    [row] = paired.rows(design, accuracies, 0)
    theirs: Any = stats.ttest_ind(values[:5], values[5:], equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert row["statistic"] == pytest.approx(theirs[0])
    error = (values[:5].mean() - values[5:].mean()) / theirs.statistic
    third = (stats.kstat(values[:5], 3) - stats.kstat(values[5:], 3)) / 5**2
    low, high, corrected = intervals.halls(theirs.statistic * error, error, theirs.df, third / error**3)
    assert row["estimate"]["low"] == pytest.approx(min(interval.low, low))
    assert row["estimate"]["high"] == pytest.approx(max(interval.high, high))
    chosen = [values[list(own)].mean() for own in itertools.combinations(range(10), 5)]
    apart = np.abs(np.array(chosen) - (values.sum() - 5 * np.array(chosen)) / 5)
    relabeled = np.mean(apart >= abs(values[:5].mean() - values[5:].mean()) * (1 - 1e-9))
    assert row["p"] == pytest.approx(max(relabeled, theirs.pvalue, corrected))
    assert row["permutations"] == 126
    assert "Welch" in row["estimate"]["method"]


def test_only_seeds_that_both_have_count_and_pairs_are_in_the_order_of_the_study():
    design = synthetic.design_of(5, 3)
    accuracies, values = accuracies_of(design)
    accuracies["a/0001"] = None
    del accuracies["b/0003"]
    rows = paired.rows(design, accuracies, 0)
    assert [(row["a"], row["b"], row["units"]) for row in rows] == [
        ("a", "b", 3),
        ("a", "c", 4),
        ("b", "c", 4),
    ]
    kept = [0, 2, 4]
    assert rows[0]["estimate"]["value"] == pytest.approx(values[kept].mean() - values[5:10][kept].mean())


def test_order_of_the_members_does_not_matter():
    design = synthetic.design_of(6, 2)
    accuracies, _ = accuracies_of(design)
    mixed = design.only(np.random.default_rng(0).permutation(12))
    mixed = type(mixed)(
        mixed.ids,
        design.names,
        design.population[[design.ids.index(one) for one in mixed.ids]],
        mixed.unit,
        mixed.block,
    )
    [row], [other] = paired.rows(design, accuracies, 0), paired.rows(mixed, accuracies, 0)
    assert row["statistic"] == pytest.approx(other["statistic"])
    assert row["p"] == other["p"]


def test_adjusted_p_is_that_of_benjamini_and_hochberg():
    design = synthetic.design_of(8, 4)
    accuracies, _ = accuracies_of(design)
    accuracies = {one: value + 0.1 * (one[0] == "d") for one, value in accuracies.items()}
    rows = paired.rows(design, accuracies, 0)
    expected = stats.false_discovery_control([row["p"] for row in rows])
    assert [row["adjusted_p"] for row in rows] == expected.tolist()


def test_many_pairs_are_drawn():
    design = synthetic.design_of(16, 2)
    accuracies, values = accuracies_of(design)
    [row] = paired.rows(design, accuracies, 0)
    assert (row["permutations"], row["exact"], row["smallest_p"]) == (permutations.PERMUTATIONS, False, 1e-4)
    assert row["p"] == pytest.approx(stats.ttest_rel(values[:16], values[16:]).pvalue, abs=0.03)


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("b", "no two members of equal seeds have a known accuracy"),
        ("ab", "no two members of equal seeds have a known accuracy"),
    ],
)
def test_no_accuracy_means_null_with_a_reason(missing, why):
    design = synthetic.design_of(4, 2)
    accuracies, _ = accuracies_of(design)
    [row] = paired.rows(design, {one: value for one, value in accuracies.items() if one[0] not in missing}, 0)
    assert (row["p"], row["adjusted_p"], row["statistic"], row["estimate"]["value"]) == (None,) * 4
    assert row["why"] == row["estimate"]["why"] == why


def test_an_imported_population_without_accuracy_is_named():
    design = synthetic.design_of(4, 2, unpaired={"b"})
    accuracies, _ = accuracies_of(design)
    [row] = paired.rows(design, {one: value for one, value in accuracies.items() if one[0] == "a"}, 0)
    assert row["why"] == "no known accuracy: b"


def test_one_pair_has_no_interval_and_no_other_labels():
    design = synthetic.design_of(1, 2)
    [row] = paired.rows(design, accuracies_of(design)[0], 0)
    assert row["estimate"]["value"] is not None
    assert row["estimate"]["why"] == "an interval needs at least 2 members of each population"
    assert row["p"] is None
    assert "no other labels" in row["why"]


def test_equal_accuracies_differ_by_nothing():
    design = synthetic.design_of(4, 2)
    [row] = paired.rows(design, dict.fromkeys(design.ids, 0.75), 0)
    assert (row["p"], row["estimate"]["value"], row["estimate"]["low"]) == (1.0, 0.0, None)
    assert "no width" in row["estimate"]["why"]
    assert row["statistic"] is None
    assert "do not vary" in row["why"]
