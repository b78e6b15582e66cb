import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masklab.analysis import between, verdicts
from masklab.analysis.between import pairwise, permanova, permdisp
from masklab.errors import DataError
from tests.analysis.between import synthetic

FIELDS = set(verdicts.row("", effect="", estimate={}, method="", units=0, n=0))


def all_rows(design, seed=0, **how):
    distances = synthetic.distances_of(design, seed, **how)
    twins = [synthetic.distances_of(design, seed + 1)]
    accuracies = dict(zip(design.ids, np.linspace(0.5, 0.9, len(design)).tolist(), strict=True))
    return between.rows(design, distances, accuracies, twins, seed)


def test_every_test_of_all_populations_and_of_every_pair():
    design = synthetic.design_of(8, 3, 2)
    found = all_rows(design, strength=0.3)
    named = [(row["test"], row["a"], row["b"]) for row in found["tests"]]
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    whole = [(test, a, b) for test in ("permanova", "permdisp") for a, b in ((None, None), *pairs)]
    assert named == [*whole, *(("accuracy", a, b) for a, b in pairs)]
    assert all(set(row) - {"why"} == FIELDS for row in found["tests"])
    assert all(row["blocks"] == 2 for row in found["tests"])
    assert found == json.loads(json.dumps(found, allow_nan=False))


def test_equal_input_gives_equal_rows():
    design = synthetic.design_of(9, 3)
    assert all_rows(design) == all_rows(design)


@pytest.mark.parametrize("test", [permanova.row, permdisp.row])
def test_pairs_are_tested_on_their_own_members_and_adjusted_together(test):
    design = synthetic.design_of(6, 4)
    squared = synthetic.distances_of(design, strength=0.3).hamming()
    whole, *rows = pairwise.rows(test, design, squared, 0)
    own = np.flatnonzero(np.isin(design.population, [1, 3]))
    alone = test(design.only(own), squared[np.ix_(own, own)], 0)
    [pair] = [row for row in rows if (row["a"], row["b"]) == ("b", "d")]
    assert pair | {"a": None, "b": None, "adjusted_p": None} == alone
    expected = stats.false_discovery_control([row["p"] for row in rows])
    assert [row["adjusted_p"] for row in rows] == expected.tolist()
    assert whole["adjusted_p"] == whole["p"]


def test_a_population_of_unknown_seeds_does_not_change_the_pairs_of_the_others():
    design = synthetic.design_of(5, 3)
    imported = synthetic.design_of(5, 3, unpaired={"c"})
    for known, other in zip(all_rows(design)["tests"], all_rows(imported)["tests"], strict=True):
        if (known["a"], known["b"]) == ("a", "b"):
            assert known["p"] == other["p"]
            assert known["smallest_p"] == other["smallest_p"] == 1 / 16


@given(
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([0.1, 0.5, 1.0]),
    st.data(),
)
@settings(deadline=None, max_examples=40)
def test_whatever_members_there_are_rows_are_complete(units, populations, draws, known, density, data):
    design = synthetic.design_of(units, populations, draws, unpaired=() if known else {"b"})
    kept = data.draw(st.lists(st.sampled_from(range(len(design))), unique=True))
    design = design.only(sorted(kept))
    found = all_rows(design, density=density)
    json.dumps(found, allow_nan=False)
    for row in found["tests"]:
        assert set(row) - {"why"} == FIELDS
        assert row.get("why") or None not in (row["statistic"], row["p"])
        assert row["p"] is None or row["smallest_p"] * (1 - 1e-9) <= row["p"] <= 1
        if row["estimate"]["value"] is not None and row["estimate"]["low"] is not None:
            assert row["estimate"]["low"] <= row["estimate"]["value"] <= row["estimate"]["high"]
    for row in found["clusters"]:
        assert row["estimate"]["why"]
        assert row["p"] is not None or row["why"]
    assert bool(found["clusters"]) == bool(kept)


def test_distances_of_other_members_are_refused():
    design = synthetic.design_of(3, 2)
    distances = synthetic.distances_of(design)
    fewer = synthetic.distances_of(design.only(range(5)))
    with pytest.raises(DataError, match="distances of 5 members; the design has 6"):
        between.rows(design, fewer, {}, [], 0)
    with pytest.raises(DataError, match="distances of 5 members; the design has 6"):
        between.rows(design, distances, {}, [fewer], 0)
    with pytest.raises(DataError, match="not in the order of the design's members"):
        between.rows(design.only([1, 0, 2, 3, 4, 5]), distances, {}, [], 0)
