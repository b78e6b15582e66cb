import math

import pytest
from scipy import stats

from masklab.analysis import design, estimates
from masklab.analysis.structure import table

IDS = [f"a/{at:04d}" for at in range(4)]
DESIGN = design.make([*IDS, "b/0000"], {**{own: at % 2 for at, own in enumerate(IDS)}, "b/0000": 0})


def filled(ones, **kinds):
    found = table.Table(DESIGN, **kinds)
    for place, one in enumerate(ones):
        found.add(place, {("fc", "metric", "output"): one})
    return list(found.rows("a", "fc"))


def test_rows_are_means_over_the_members_of_the_population():
    ones = [table.One(10.5 + at, 2.0 * at) for at in range(4)]
    [row] = filled([*ones, table.One(99.0, 99.0)])
    assert row == {
        "population": "a",
        "layer": "fc",
        "metric": "metric",
        "axis": "output",
        "estimate": {
            **estimates.mean_over_members([10.5, 11.5, 12.5, 13.5], draws=2),
        },
        "chance": 3.0,
    }
    assert "2 draws" in row["estimate"]["method"]


def test_an_interval_does_not_reach_below_zero():
    [row] = filled([table.One(value, 0.0) for value in (0.0, 0.0, 0.0, 1.0)])
    plain = estimates.mean_over_members([0.0, 0.0, 0.0, 1.0], draws=2)
    assert plain["low"] < 0 and row["estimate"]["low"] == 0.0
    assert row["estimate"]["high"] == plain["high"]
    assert row["estimate"]["method"].endswith("cut off at 0")


def test_what_is_undefined_everywhere_is_null_with_the_reason():
    [row] = filled([table.One(math.nan, math.nan, "no reason to ask")] * 4)
    assert row["estimate"]["value"] is None and row["chance"] is None
    assert row["estimate"]["why"] == row["why"] == "no reason to ask"


def test_a_mean_says_how_many_members_it_is_without():
    [row] = filled([table.One(1.0, 0.5), table.One(math.nan, math.nan, "empty"), *[table.One(2.0, 1.0)] * 2])
    assert row["estimate"]["n"] == 3
    assert row["estimate"]["value"] == pytest.approx(5 / 3)
    assert row["chance"] == pytest.approx(2.5 / 3)
    assert row["why"] == "without 1 of 4 members: empty"


@pytest.mark.parametrize(("values", "differing"), [((0, 0, 0, 0), 0), ((2, 0, 2, 2), 1), ((3, 0, 2, 2), 2)])
def test_rare_events_in_few_members_have_no_interval(values, differing):
    [row] = filled([table.One(value, 0.1) for value in values], rare=["metric"])
    assert (row["estimate"]["low"], row["estimate"]["high"]) == (None, None)
    assert row["estimate"]["value"] == sum(values) / 4
    assert row["estimate"]["why"].endswith(
        f"needs 3 members that differ from the rest; there are {differing}"
    )
    [row] = filled([table.One(value, 0.1) for value in values])
    assert (row["estimate"]["low"] is None) == (differing == 0)


def test_rare_events_in_many_members_have_an_interval():
    values = [3.0, 0.0, 2.0, 1.0]
    found = table.Table(DESIGN, rare=["some_count"])
    for place, value in enumerate(values):
        found.add(place, {("fc", "some_count", None): table.One(value, 0.1)})
    [row] = found.rows("a", "fc")
    plain = estimates.mean_over_members(values, draws=2)
    high = row["estimate"]["high"]
    half = stats.t(3).ppf(0.975) * stats.sem(values)
    assert math.log(high / 1.5) == pytest.approx(half / 1.5)  # the delta method
    assert high > plain["high"]
    assert (row["estimate"]["value"], row["estimate"]["low"]) == (1.5, max(plain["low"], 0.0))
    assert "t's on the scale of logarithms, for skewed counts" in row["estimate"]["method"]


def test_an_interval_of_shares_does_not_reach_above_one():
    found = table.Table(DESIGN, rare=["some_share", "some_count"])
    for place, value in enumerate((1.0, 0.1, 0.9, 0.4)):
        for metric in ("some_share", "some_count"):
            found.add(place, {("fc", metric, None): table.One(value, 0.1)})
    share, count = found.rows("a", "fc")
    assert share["estimate"]["high"] == 1.0 < count["estimate"]["high"]


def test_a_mean_whose_members_say_so_has_no_interval():
    [row] = filled([table.One(value, 1.0, no_interval="too skewed") for value in (1.0, 2.0, 3.0, 5.0)])
    assert row["estimate"]["value"] == 2.75 and row["chance"] == 1.0
    assert row["estimate"]["low"] is row["estimate"]["high"] is None
    assert row["estimate"]["why"] == "too skewed" and "why" not in row


def test_simulated_chance_levels_are_a_distribution():
    ones = [table.One(1.0, 3.0), table.One(1.0, 5.0), table.One(1.0, 7.0), table.One(1.0, math.nan)]
    [row] = filled(ones, simulated=["metric"])
    assert row["chance"] == 5.0 and "why" not in row
    assert row["null"] == {"mean": 5.0, "low": 3.0, "high": 7.0, "n": 3, "range": "min to max"}
    [row] = filled(ones)
    assert "null" not in row


def test_one_member_has_no_interval():
    found = table.Table(DESIGN)
    found.add(4, {("fc", "metric", None): table.One(0.25, 0.5)})
    [row] = found.rows("b", "fc")
    assert (row["estimate"]["value"], row["estimate"]["low"]) == (0.25, None)
    assert row["estimate"]["why"] == "an interval needs at least 2 members; there is 1"
