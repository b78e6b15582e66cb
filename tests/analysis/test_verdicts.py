import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from masklab.analysis import verdicts

FIELDS = [
    "test", "a", "b", "layer", "block", "statistic", "estimate", "effect", "chance", "p", "adjusted_p",
    "smallest_p", "permutations", "exact", "units", "n", "blocks", "pairs", "method",
]  # fmt: skip


def test_every_row_has_the_same_fields_and_none_that_json_lacks():
    given_ = {"effect": "e", "estimate": {}, "method": "m", "units": 3, "n": 6}
    plain = verdicts.row("t", **given_)
    odd = verdicts.row("t", **given_, p=math.nan, statistic=math.inf, chance=math.nan, why="nothing varies")
    assert list(plain) == FIELDS
    assert list(odd) == [*FIELDS, "why"]
    assert (odd["p"], odd["statistic"], odd["chance"]) == (None, None, None)
    assert (plain["layer"], plain["block"], plain["units"], plain["n"]) == ("whole", "within", 3, 6)
    json.dumps([plain, odd], allow_nan=False)


@given(st.lists(st.none() | st.floats(0, 1)))
def test_adjusted_p_values_leave_out_what_is_undefined(p):
    found = [row["adjusted_p"] for row in verdicts.adjusted([{"p": each} for each in p])]
    known = [each for each in p if each is not None]
    assert [at for at, each in enumerate(found) if each is None] == [
        at for at, each in enumerate(p) if each is None
    ]
    if known:
        expected = stats.false_discovery_control(known)
        assert [each for each in found if each is not None] == pytest.approx(list(expected))


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_ties_are_relative_and_the_observed_labels_count_as_drawn_once(scale):
    values = scale * np.array([1.0 - 1e-13, 1.0 - 1e-6, 2.0, -3.0])
    assert verdicts.p_value(scale, values, exact=True) == 0.5
    assert verdicts.p_value(scale, values, exact=False) == 0.6
    assert verdicts.p_value(4 * scale, values, exact=False) == verdicts.smallest_p(4, exact=False) == 0.2
    assert verdicts.smallest_p(4, exact=True) == 0.25
