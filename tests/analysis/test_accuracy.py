import numpy as np
import pytest
from scipy import stats

from masklab.analysis import accuracy, estimates
from tests.analysis import intervals


def member(value, block=0, **others):
    known = {"accuracy": value, "best_epoch_accuracy": value, "validation_accuracy": value}
    return {"population": "p", "block": block, **known, **others}


def row(members, metric="accuracy"):
    return next(one for one in accuracy.rows([{"name": "p"}], members, 400) if one["metric"] == metric)


@pytest.mark.parametrize("values", [[0.5, 0.53, 0.49, 0.58], [0.9, 0.91, 0.92, 0.5], [0.6, 0.7]])
def test_interval_reaches_as_far_as_t_or_halls_t(values):
    found = row([member(value) for value in values])
    n, mean, error = len(values), np.mean(values), stats.sem(values)
    skew = stats.skew(values, bias=False) / n**0.5 if n > 2 else 0.0
    low, high, _ = intervals.halls(mean, error, n - 1, skew)
    plain = stats.t(n - 1, loc=mean, scale=error).interval(estimates.LEVEL)
    estimate = found["estimate"]
    ends = max(0.0, min(low, plain[0])), min(1.0, max(high, plain[1]))
    assert (estimate["low"], estimate["high"]) == pytest.approx(ends)
    assert estimate["value"] == pytest.approx(mean) and estimate["n"] == n
    assert ("Hall" in estimate["method"]) == (n > 2)
    assert found["sd"] == pytest.approx(np.std(values, ddof=1))
    assert (found["min"], found["max"]) == (min(values), max(values))


@pytest.mark.parametrize(
    ("blocks", "said"),
    [((0, 0, 0), "share 1 draw of"), ((0, 1, 0), "share 2 draws of"), ((0, 1, 2), "its own draw")],
)
def test_method_says_what_members_share(blocks, said):
    found = row([member(0.5, block) for block in blocks])
    assert said in found["estimate"]["method"]


def test_one_member_has_a_value_and_no_interval():
    found = row([member(0.5)])
    assert found["estimate"]["value"] == 0.5 and found["sd"] is None
    assert found["estimate"]["low"] is None and "there is 1" in found["estimate"]["why"]


def test_members_without_the_metric_are_left_out():
    members = [member(0.5), member(0.6), member(0.7, validation_accuracy=None)]
    assert row(members, "validation_accuracy")["estimate"]["n"] == 2
    found = row([], "validation_accuracy")
    assert found["estimate"]["value"] is None and found["min"] is None
    assert (
        found["estimate"]["why"]
        == "no stored member has a validation accuracy (untrained, or without a validation split)"
    )


def test_an_undefined_estimate_needs_a_reason():
    with pytest.raises(ValueError, match="without a reason"):
        estimates.estimate(float("nan"), 0.0, 1.0, method="t", n=3)
