"""A budget is a number before anything starts, and is divided without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab.errors import ConfigError
from masklab.landscape import budget


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60s", budget.Budget(seconds=60.0)),
        ("0.5 s", budget.Budget(seconds=0.5)),
        ("5min", budget.Budget(seconds=300.0)),
        ("2h", budget.Budget(seconds=7200.0)),
        ("1000", budget.Budget(evaluations=1000)),
        ("1_000_000", budget.Budget(evaluations=10**6)),
    ],
)
def test_times_and_numbers_are_budgets(text: str, expected: budget.Budget) -> None:
    assert budget.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5s", "1.5", "nan", "inf", "5 minutes", "1e6", "60 s 5", "9" * 30, "s", "١s s"]
)
def test_anything_else_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--budget .*: not a budget; give a time") as raised:
        budget.parse(text)
    assert "\n" not in str(raised.value)


STUDY = {
    "data": {"train": 1000},
    "training": {"epochs": 10},
    "populations": [{"members": 200, "trained": True}, {"members": 500, "trained": False}],
}


def test_the_default_follows_from_the_training_and_from_nothing_else() -> None:
    expected = 3_600_000  # 0.6 of 3 passes over 1,000 images in 10 epochs of 200 members
    assert budget.default(STUDY) == expected
    for rate in (1e5, 1e6):
        assert budget.Budget().count(STUDY, rate)[0] == expected
    few, source = budget.Budget().count(STUDY, 100.0)
    assert few == 12_000 and "120 s" in source
    assert budget.default({**STUDY, "training": {"epochs": 1}, "data": {"train": 1}}) == budget.LEAST


def test_seconds_become_evaluations_at_the_measured_speed() -> None:
    assert budget.Budget(seconds=3.0).count(STUDY, 500.0)[0] == 1500
    assert budget.Budget(evaluations=7).count(STUDY, 500.0)[0] == 7


@given(
    st.integers(0, 10**7),
    st.lists(st.tuples(st.floats(0.01, 10), st.integers(0, 10**6)), min_size=1, max_size=8),
)
def test_a_budget_is_used_up_unless_nobody_wants_it(total: int, parts: list[tuple[float, int]]) -> None:
    shares, wanted = [share for share, _ in parts], [most for _, most in parts]
    given_ = budget.allot(total, shares, wanted)
    assert all(0 <= mine <= most for mine, most in zip(given_, wanted, strict=True))
    assert sum(given_) <= total
    assert sum(given_) >= min(total, sum(wanted)) - len(parts)
    hungry = [
        mine / share for mine, share, most in zip(given_, shares, wanted, strict=True) if mine < most - 1
    ]
    if hungry:  # whoever does not get all that it wants gets its share
        assert max(hungry) - min(hungry) <= 1 / min(shares) + 1e-6 * max(hungry)
