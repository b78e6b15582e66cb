import json

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from masklab.analysis import counts, verdicts
from masklab.analysis.counts import tallies

from . import studies

KINDS = ("stability", "consensus", "spread", "sums", "tests")


def rows_of(masks, members):
    return counts.rows(tallies.from_masks(masks, members))


@given(studies.studies())
@settings(deadline=None, max_examples=50)
def test_every_study_gives_rows_for_json(study):
    masks, members = study[0], studies.members(*study[1])
    found = rows_of(masks, members)
    assert tuple(found) == KINDS
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    blocks = ["within"] if members.draws == 1 else ["within", "all"]
    for kind, metric in (("stability", "stability"), ("spread", "hamming")):
        keys = [(row["block"], row["population"], row["layer"]) for row in found[kind]]
        assert keys == [(b, p, layer) for b in blocks for p in members.names for layer in ("whole", *masks)]
        assert {row["metric"] for row in found[kind]} == {metric}
    for row in [*found["stability"], *found["spread"]]:
        assert (row["estimate"]["value"] is None) == (row["chance"] is None)
        assert row["estimate"]["value"] is not None or row["estimate"]["why"]
    names = members.names
    pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    assert [(row["a"], row["b"]) for row in found["tests"]] == [*((name, None) for name in names), *pairs]
    fields = set(verdicts.row("", effect="", estimate={}, method="", units=0, n=0))
    counted = {
        name: [int(((members.population == at) & (members.block == block)).sum()) for block in range(3)]
        for at, name in enumerate(names)
    }
    for row in found["tests"]:
        assert row["p"] is not None or row["why"]
        assert set(row) - {"why"} == fields
        own = np.array([counted[name] for name in (row["a"], row["b"]) if name])
        assert row["n"] == own[own > 1].sum()
        assert row["blocks"] == (own > 1).any(axis=0).sum()
        assert row["pairs"] == (own * (own - 1) // 2).sum()
        assert row["units"] == row["estimate"]["n"]


def test_tests_are_adjusted_within_their_family():
    random = np.random.default_rng(0)
    common = random.random(400)
    tables = [random.random((5, 400)) < (0.5 * (1 - s) + s * common) for s in (0.0, 0.3, 0.9)]
    members = studies.members({name: range(5) for name in "abc"})
    found = rows_of({"fc": np.concatenate(tables)}, members)["tests"]
    for rows in (found[:3], found[3:]):
        assert len({row["test"] for row in rows}) == 1
        adjusted = stats.false_discovery_control([row["p"] for row in rows])
        np.testing.assert_allclose([row["adjusted_p"] for row in rows], adjusted)
    alone = found[2]
    assert alone["p"] == pytest.approx(2 * stats.norm.sf(alone["statistic"])) and alone["p"] < 1e-6
    different = found[4]
    assert different["estimate"]["value"] < 0 and different["estimate"]["high"] < 0 and different["p"] < 0.05
    assert "paired by seed" in different["method"] and different["chance"] == 0


def test_one_sample_test_is_within_draws():
    """Two draws with a preference each: within draws masks agree, over all they hardly do."""
    random = np.random.default_rng(1)
    common = random.random((2, 2000)).round()
    table = np.stack([random.random(2000) < 0.1 + 0.8 * common[at % 2] for at in range(8)])
    found = rows_of({"fc": table}, studies.members({"a": range(8)}, draws=2))
    values = {row["block"]: row["estimate"]["value"] for row in found["stability"] if row["layer"] == "fc"}
    assert values["within"] > 0.6 and values["all"] < 0.35
    assert found["tests"][0]["estimate"]["value"] == values["within"]
    r2 = {row["block"]: row for row in found["sums"]}
    assert not r2  # one population has nothing to be compared with


def test_no_members_give_no_rows():
    found = rows_of({}, studies.members({}))
    assert found == {kind: [] for kind in KINDS}


@pytest.mark.parametrize("kept", [True, False])
def test_masks_that_keep_all_or_nothing_have_no_stability(kept):
    found = rows_of({"fc": np.full((3, 20), kept)}, studies.members({"a": range(3)}))
    row = found["stability"][0]
    assert (
        row["estimate"]["value"] is None and row["estimate"]["why"] == "every mask keeps all weights, or none"
    )
    assert row["z"] is None and found["tests"][0]["p"] is None
    assert found["spread"][0]["estimate"]["value"] == 0
    shares = {row["kept_by"]: row["share"] for row in found["consensus"] if row["layer"] == "whole"}
    assert shares[3 if kept else 0] == 1


def test_one_member_and_members_without_a_partner_say_why():
    random = np.random.default_rng(2)
    one = rows_of({"fc": random.random((1, 20)) < 0.5}, studies.members({"a": [4]}))
    assert one["stability"][0]["estimate"]["why"] == "no two masks share a draw of base weights"
    assert one["consensus"] == one["sums"] == []
    apart = rows_of({"fc": random.random((3, 20)) < 0.5}, studies.members({"a": range(3)}, draws=3))
    assert [row["estimate"]["value"] is None for row in apart["stability"]] == [True, True, False, False]
    assert apart["tests"][0]["why"] == "no two masks share a draw of base weights"


def test_two_members_have_a_value_and_no_interval():
    random = np.random.default_rng(3)
    found = rows_of({"fc": random.random((2, 400)) < 0.5}, studies.members({"a": range(2)}))
    row = found["stability"][0]["estimate"]
    assert row["value"] is not None and row["low"] is None and "at least 3 masks; there are 2" in row["why"]
    assert found["tests"][0]["p"] is not None  # the chance test needs no interval


@pytest.mark.parametrize(("kept", "given"), [(5, False), (100, True)])
def test_few_shared_weights_have_no_p_value(kept, given):
    """Three masks of 500 weights: the variances of their summed intersections are 0.15 and 38."""
    order = np.random.default_rng(4).permuted(np.tile(np.arange(500), (3, 1)), axis=1)
    row = rows_of({"fc": order < kept}, studies.members({"a": range(3)}))["tests"][0]
    assert row["statistic"] is not None and row["estimate"]["value"] is not None
    assert (row["p"] is not None) == (row["adjusted_p"] is not None) == given
    assert given or "varies too little for the normal approximation" in row["why"]
