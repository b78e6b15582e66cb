import numpy as np
import pytest
from scipy import stats

from masklab.analysis import accuracy, estimates


def member(value, block=0, **others):
    known = {"accuracy": value, "best_epoch_accuracy": value, "validation_accuracy": value}
    return {"population": "p", "block": block, **known, **others}


def row(members, metric="accuracy"):
    return next(one for one in accuracy.rows([{"name": "p"}], members, 400) if one["metric"] == metric)


def test_interval_is_the_t_interval():
    values = [0.5, 0.53, 0.49, 0.58]
    found = row([member(value) for value in values])
    law = stats.t(3, loc=np.mean(values), scale=stats.sem(values))
    estimate = found["estimate"]
    assert [estimate["low"], estimate["high"]] == pytest.approx(law.interval(estimates.LEVEL))
    assert estimate["value"] == pytest.approx(np.mean(values)) and estimate["n"] == 4
    assert found["sd"] == pytest.approx(np.std(values, ddof=1))
    assert (found["min"], found["max"]) == (0.49, 0.58)


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
