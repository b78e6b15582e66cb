"""How effects are printed: the digits of the tables, and everything that a claim needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab.report import numbers, records, tables
from masklab.report.findings import words
from masklab.report.findings.evidence import Effect


def _estimate(number: float, half: float | None, n: int = 5) -> records.Estimate:
    low, high = (None, None) if half is None else (number - half, number + half)
    return records.Estimate(value=number, low=low, high=high, level=0.9, method="t", n=n, why="too few")


@given(st.floats(-1.0, 1.0), st.floats(1e-6, 2.0), st.sampled_from([1.0, 100.0]))
def test_no_more_than_two_digits_of_the_half_width_are_shown(
    number: float, half: float, scale: float
) -> None:
    found = _estimate(number, half)
    digits = numbers.decimals(found, scale, 3)
    shown = scale * half * 10.0**digits
    assert shown < 100.0 or digits == 0
    assert shown >= 9.4  # no fewer than two either, but for a half width that is rounded up to a power of ten
    cell = tables.sensible(found, "", scale, 3)
    assert words.Unit("", scale, 3).interval(found) == f"{cell.text} {cell.detail}"


def test_an_extent_goes_from_the_lowest_end_to_the_highest() -> None:
    unit = words.Unit(" points", 100.0, 1, fixed=True)
    found = [_estimate(0.2, 0.15), _estimate(0.25, 0.01)]
    assert unit.extent(found) == "20.0 to 25.0 points [5.0, 35.0]"
    assert unit.extent(found[:1]) == "20.0 points [5.0, 35.0]"
    assert unit.extent([_estimate(0.2, None)]) == "20.0 points"


def test_levels_have_no_more_decimals_than_what_they_are_compared_with() -> None:
    unit = words.Unit()
    assert unit.levels([0.5, 0.5001], [_estimate(0.2, 0.1), _estimate(0.2, 0.001)]) == "0.50"
    assert unit.levels([0.5, 0.25], [_estimate(0.2, 0.1)]) == "0.25 to 0.50"


def _effect(adjusted: float | None, *, half: float | None = 0.1, smallest: float | None = None) -> Effect:
    return Effect(("a",), _estimate(0.2, half), 0.0, adjusted, adjusted, smallest, why="no way")


def test_a_claim_says_level_n_p_correction_and_chance() -> None:
    ground = words.Ground("member", "pair of pruners", 3, "0 = chance", draws=2)
    assert ground.stated([_effect(0.01)]) == (
        "90 % interval, n = 5 members on 2 draws; adjusted p = 0.010, Benjamini and Hochberg over 3 pairs "
        "of pruners; 0 = chance"
    )
    assert ground.stated([_effect(0.01), _effect(0.00001)]).startswith(
        "90 % intervals, n = 5 members on 2 draws each; largest adjusted p = 0.010, "
    )


def test_what_is_missed_says_why() -> None:
    ground = words.Ground("seed", "pruner", 2, "0 = chance")
    said = ground.missed([_effect(0.3, smallest=0.125), _effect(0.2, smallest=0.25)])
    assert "smallest adjusted p = 0.200, Benjamini and Hochberg over 2 pruners" in said
    assert "; the smallest p attainable is 0.125, so that none could be found; 0 = chance" in said
    assert "so that" not in ground.missed([_effect(0.3, smallest=0.05)])
    assert ground.missed([_effect(None, half=None)]) == "no interval, n = 5 seeds; no way; 0 = chance"


@pytest.mark.parametrize(
    ("number", "of", "said"),
    [(0, 1, "0 of 1 pruner"), (1, 3, "1 of 3 pruners"), (3, 3, "all 3 pruners"), (2, 2, "both pruners")],
)
def test_how_many_of_how_many(number: int, of: int, said: str) -> None:
    assert words.some(number, of, "pruner") == said


def test_an_extent_has_one_number_of_decimals() -> None:
    found = [_estimate(0.2, 0.15), _estimate(0.25, 0.00125)]
    assert [words.Unit().decimals(own) for own in found] == [2, 4]
    assert words.Unit().extent(found) == words.Unit().extent(found[::-1]) == "0.20 to 0.25 [0.05, 0.35]"
