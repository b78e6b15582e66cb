"""What is stated, and the p values that intervals stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from masklab.report import records
from masklab.report.findings import evidence
from masklab.report.findings.evidence import Effect

_SAMPLES = st.lists(st.floats(-5.0, 5.0).map(lambda x: round(x, 3)), min_size=3, max_size=12, unique=True)


def _estimate(values: np.ndarray, level: float = 0.95) -> records.Estimate:
    """A mean with its t interval."""
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stats.t.ppf((1.0 + level) / 2.0, len(values) - 1)) * error
    return records.Estimate(
        value=mean, low=mean - half, high=mean + half, level=level, method="t", n=len(values)
    )


def _effect(low: float, high: float, adjusted: float | None, chance: float = 0.0) -> Effect:
    found = records.Estimate(value=0.5 * (low + high), low=low, high=high, level=0.95, method="t", n=5)
    return Effect(("a", "b"), found, chance, adjusted, adjusted)


@given(_SAMPLES, st.sampled_from([0.9, 0.95, 0.99]))
def test_p_of_a_t_interval_is_that_of_the_t_test(sample: list[float], level: float) -> None:
    values = np.array(sample)
    effect = evidence.derived(("a",), _estimate(values, level), 0.25)
    assert effect.p == pytest.approx(stats.ttest_1samp(values, 0.25)[1], rel=1e-6, abs=1e-12)


@given(_SAMPLES)
def test_a_difference_is_as_wide_as_it_can_be(sample: list[float]) -> None:
    """Perfectly opposed samples have the largest difference there is: there it is the paired t test."""
    first = np.array(sample)
    second = 1.0 - first
    effect = evidence.difference(("a",), _estimate(first), _estimate(second))
    assert effect is not None
    assert effect.p == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-6, abs=1e-12)


@given(_SAMPLES, st.integers(0, 1000))
def test_a_difference_is_conservative(sample: list[float], seed: int) -> None:
    first = np.array(sample)
    second = np.random.RandomState(seed).standard_normal(len(first))
    effect = evidence.difference(("a",), _estimate(first), _estimate(second))
    assert effect is not None
    assert effect.p is not None
    assert effect.p >= stats.ttest_rel(first, second).pvalue * (1.0 - 1e-9)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_p_values_are_adjusted_as_benjamini_and_hochberg_do(p_values: list[float]) -> None:
    wanted = stats.false_discovery_control(p_values)
    assert evidence.adjust(p_values) == pytest.approx(wanted.tolist(), abs=1e-12)


def test_only_effects_with_a_p_are_in_a_family() -> None:
    effects = evidence.family([_effect(0.1, 0.2, 0.01), _effect(0.1, 0.2, None), _effect(0.1, 0.2, 0.04)])
    assert [own.adjusted for own in effects] == [0.02, None, 0.04]


@pytest.mark.parametrize(
    ("low", "high", "adjusted", "chance", "carried"),
    [
        (0.01, 0.2, 0.05, 0.0, True),
        (-0.2, -0.01, 0.05, 0.0, True),
        (0.0, 0.2, 0.001, 0.0, False),
        (-0.2, 0.0, 0.001, 0.0, False),
        (0.01, 0.2, 0.051, 0.0, False),
        (0.01, 0.2, None, 0.0, False),
        (0.11, 0.2, 0.01, 0.1, True),
        (0.01, 0.2, 0.01, 0.1, False),
    ],
)
def test_interval_and_p_must_both_carry(
    low: float, high: float, adjusted: float | None, chance: float, carried: bool
) -> None:
    effect = _effect(low, high, adjusted, chance)
    assert effect.carried is carried
    assert (effect.more, effect.less) == (carried and effect.excess > 0, carried and effect.excess < 0)


def test_nothing_is_stated_without_an_interval() -> None:
    found = records.Estimate(value=0.5, low=None, high=None, level=0.95, method="t", n=1, why="one member")
    assert not Effect(("a",), found, 0.0, 0.001, 0.001).carried
    effect = evidence.derived(("a",), found, 0.0)
    assert (effect.p, effect.why) == (None, "one member")
    assert evidence.difference(("a",), found, found) is None


@pytest.mark.parametrize(("n", "has"), [(2, False), (3, True), (4, True)])
def test_few_values_stand_for_no_p(n: int, has: bool) -> None:
    found = records.Estimate(value=0.5, low=0.4, high=0.6, level=0.95, method="t", n=n)
    assert (evidence.derived(("a",), found, 0.0).p is not None) is has
    masks = evidence.derived(("a",), found, 0.0, least=evidence.LEAST_MASKS)
    assert masks.p is None
    assert masks.why == "fewer than 5 of them are too few for a p value"


def test_a_difference_can_be_taken_the_other_way_round() -> None:
    effect = _effect(-0.3, -0.1, 0.01)
    turned = effect.upwards()
    assert (turned.of, turned.value) == (("b", "a"), pytest.approx(0.2))
    assert (turned.estimate.low, turned.estimate.high) == (0.1, 0.3)
    assert turned.more
    assert turned.upwards() is turned


def test_the_more_common_direction_comes_first() -> None:
    more, less, none = _effect(0.1, 0.2, 0.01), _effect(-0.2, -0.1, 0.01), _effect(-0.1, 0.1, 0.9)
    assert evidence.sides([less, more, none, less]) == ([less, less], [more])
    assert evidence.sides([less, more]) == ([more], [less])
    assert evidence.sides([none]) == ([], [])
    assert evidence.farthest([none, less, more]).value == pytest.approx(-0.15)
