import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from masklab.analysis.nulls import summary

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(VALUES)
def test_a_null_is_mean_and_range(values):
    row = summary.of(values)
    assert row is not None and (row["low"], row["high"], row["n"]) == (min(values), max(values), len(values))
    assert abs(row["mean"] - sum(values) / len(values)) <= 1e-9 * max(map(abs, values))
    assert row["range"] == "min to max"


@given(VALUES, st.integers(0, 59), st.sampled_from([np.nan, np.inf]))
def test_one_undefined_twin_makes_the_null_undefined(values, at, undefined):
    values[at % len(values)] = undefined
    assert summary.of(values) is None and "undefined" in summary.why(values)


def test_without_twins_there_is_no_null():
    assert summary.of([]) is None and summary.why([]).startswith("no twins: ")
