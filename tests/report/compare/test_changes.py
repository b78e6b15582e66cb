import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.report.compare import changes, quantities
from masklab.report.compare.document import Number, Warned

from .. import variants
from ..together import studies
from .conftest import Base, kept

FIRST, SECOND = "edge-popup-d0.5", "biprop-d0.5"


def _changes(before: studies.Row, after: studies.Row) -> changes.Changes:
    return changes.make(kept(before), studies.analysis(after))


def _find(found: changes.Changes, kind: str, *of: str) -> quantities.Moved:
    (own,) = [own for own in found.numbers if own.kind == kind and own.of == of]
    return own


def _estimate(results: studies.Row, population: str, metric: str = "accuracy") -> studies.Row:
    (row,) = [
        row for row in results["accuracy"] if (row["population"], row["metric"]) == (population, metric)
    ]
    return row["estimate"]


def test_equal_analyses(results: studies.Row) -> None:
    found = _changes(results, results)
    assert found.nothing
    assert not found.renamed
    assert len(found.numbers) == sum(map(len, kept(results).numbers.values())) > 50
    assert found.count(quantities.EQUAL) == len(found.numbers)


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        (("training", "epochs"), 30, ("recipe", "epochs", "30", "20")),
        (("training", "weight_decay"), None, ("recipe", "weight decay", "–", "0.0001")),
        (("network", "width"), 1.0, ("network", "width", "1", "0.5")),
        (("network", "layers", 0, "size"), 9, ("network", "layers", "conv1 = 9", "conv1 = 1728")),
        (("data", "train"), 7, ("data", "train", "7", "45000")),
        (("seeds", "weights"), 3, ("seeds", "weights", "3", "2")),
        (("provenance", "versions", "torch"), "2.14", ("versions", "torch", "2.14", "2.15.0")),
        (("provenance", "hardware", "gpu"), "H200", ("computation", "gpu", "H200", "–")),
        (("provenance", "git"), None, ("computation", "commit", "–", "0123abcd" * 5)),
        (("plan",), None, ("computation", "engine", "–", "vmap")),
        (("recipe_digest",), "ee" * 32, ("recipe", "digest", "ee" * 32, "ab" * 32)),
    ],
)
def test_settings(
    fresh: Base, path: tuple[str | int, ...], value: Any, wanted: tuple[str, str, str, str]
) -> None:
    before, after = fresh(), fresh()
    part: Any = before["study"]
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    found = _changes(before, after)
    assert changes.Setting(*wanted) in found.settings
    assert len(found.settings) == (3 if path == ("plan",) else 1)
    assert not found.nothing


def test_a_setting_that_is_new(fresh: Base) -> None:
    before, after = fresh(), fresh()
    del before["study"]["training"]["rank"]
    assert _changes(before, after).settings == [changes.Setting("recipe", "rank", "–", "magnitude")]


def test_digests_say_nothing_that_a_setting_says(fresh: Base) -> None:
    before, after = fresh(), fresh()
    before["study"]["recipe_digest"] = "ee" * 32
    before["study"]["training"]["epochs"] = 30
    before["study"]["populations"][0]["digest"] = "ee" * 32
    before["populations"][0]["overrides"] = {"weight_init": "uniform"}
    before["study"]["populations"][1]["digest"] = "ff" * 32
    assert _changes(before, after).settings == [
        changes.Setting("recipe", "epochs", "30", "20"),
        changes.Setting(FIRST, "weight init", "uniform", "signed-constant"),
        changes.Setting(SECOND, "digest", "ff" * 32, "01" * 32),
    ]


def test_statistics(fresh: Base) -> None:
    before, after = fresh(), fresh()
    before["landscape_work"]["points"] = 21
    before["nulls"][0]["replicates"] = 99
    assert _changes(before, after).settings == [
        changes.Setting("statistics", "landscape points", "21", "11"),
        changes.Setting("statistics", "sets of random masks", "99", "19"),
    ]


def test_populations(fresh: Base) -> None:
    before, after = fresh(), fresh()
    variants.add_reference(after)
    after["populations"][0]["stored"] = 5
    found = _changes(before, after)
    assert (found.added, found.removed) == (["dense-d1"], [])
    assert found.grown == [changes.Grown(FIRST, 3, 5)]
    assert (found.new, found.gone) == (3, 0)
    back = _changes(after, before)
    assert (back.added, back.removed) == ([], ["dense-d1"])
    assert back.grown == [changes.Grown(FIRST, 5, 3)]
    assert (back.new, back.gone) == (0, 3)


def test_members_with_another_accuracy(fresh: Base) -> None:
    before, after = fresh(), fresh()
    before["members"][1]["accuracy"] += 0.01
    before["members"][2]["accuracy"] = None
    assert _changes(before, after).accuracies == [f"{FIRST}/0001", f"{FIRST}/0002"]


def test_other_members_are_a_change(fresh: Base) -> None:
    before, after = fresh(), fresh()
    before["members"][0]["id"] = f"{FIRST}/0007"
    assert not _changes(before, after).nothing


def test_warnings(fresh: Base) -> None:
    before, after = fresh(), fresh()
    before["warnings"] = [{"code": "old", "text": "t", "where": FIRST}, *before["warnings"]]
    after["warnings"].append({"code": "new", "text": "t", "where": None})
    found = _changes(before, after)
    assert (found.came, found.went) == ([Warned("new", "")], [Warned("old", FIRST)])


def test_verdicts(fresh: Base) -> None:
    before, after = fresh(), fresh()
    estimates = [_estimate(after, FIRST), _estimate(after, SECOND)]
    width = estimates[0]["high"] - estimates[0]["low"]
    studies.move(estimates[0], estimates[0]["value"] + 0.9 * width)
    width = estimates[1]["high"] - estimates[1]["low"]
    studies.move(estimates[1], estimates[1]["value"] + 1.1 * width)
    best = _estimate(after, FIRST, "best_epoch_accuracy")
    best.update(value=None, low=None, high=None, why="lost")
    was = _estimate(before, SECOND, "best_epoch_accuracy")
    was.update(value=None, low=None, high=None, why="none")
    bare = _estimate(after, FIRST, "validation_accuracy")
    bare.update(value=bare["value"] + 0.1, low=None, high=None, why="one value")
    found = _changes(before, after)
    assert _find(found, "accuracy", FIRST).verdict == "intervals overlap"
    assert _find(found, "accuracy", SECOND).verdict == "intervals apart"
    assert _find(found, "best_epoch_accuracy", FIRST).verdict == "undefined now"
    assert _find(found, "best_epoch_accuracy", SECOND).verdict == "was undefined"
    assert _find(found, "validation_accuracy", FIRST).verdict == "no interval to compare"
    assert _find(found, "validation_accuracy", SECOND).verdict == "equal"
    assert [own.verdict for own in found.numbers[:6]] == [
        "intervals apart",
        "undefined now",
        "was undefined",
        "no interval to compare",
        "intervals overlap",
        "equal",
    ]
    assert _find(found, "accuracy", FIRST).difference == pytest.approx(0.9 * width, rel=0.5)
    assert _find(found, "best_epoch_accuracy", FIRST).difference is None
    assert not any("significant" in own.verdict for own in found.numbers)


def test_what_moved_most_comes_first(fresh: Base) -> None:
    before, after = fresh(), fresh()
    for share, row in zip((0.2, 0.6, 0.4), after["overlap"], strict=False):
        own = row["estimate"]
        studies.move(own, own["value"] + share * (own["high"] - own["low"]))
    found = [own for own in _changes(before, after).numbers if own.verdict != quantities.EQUAL]
    assert [-own.order[1] for own in found] == sorted((-own.order[1] for own in found), reverse=True)
    assert found


@settings(deadline=None)
@given(
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_verdict_is_symmetric_and_says_what_intervals_do(
    first: tuple[float, ...], second: tuple[float, ...]
) -> None:
    """Against the definition: two intervals are apart when no number lies in both."""
    (low, value, high), (other_low, other, other_high) = sorted(first), sorted(second)
    before, after = Number(("a",), value, low, high, 3), Number(("a",), other, other_low, other_high, 3)
    said = quantities._verdict(before, after)
    assert said == quantities._verdict(after, before)
    if before == after:
        assert said == quantities.EQUAL
    else:
        empty = max(low, other_low) > min(high, other_high)
        assert said == (quantities.APART if empty else quantities.OVERLAP)


def test_digits_show_what_the_narrower_interval_carries(results: studies.Row) -> None:
    before, after = kept(results), kept(results)
    row = before.numbers["stability"][0]
    after.numbers["stability"][0] = row._replace(
        low=(row.value or 0.0) - 1e-5, high=(row.value or 0.0) + 1e-5
    )
    (own,) = [own for own in quantities.moved(before, after) if own.of == row.of and own.kind == "stability"]
    assert own.digits == 6
    (accuracy, *_) = [own for own in quantities.moved(before, after) if own.kind == "accuracy"]
    assert (accuracy.scale, accuracy.digits) == (100.0, 2)


def test_what_a_number_is_is_said_in_words(fresh: Base) -> None:
    found = changes.make(kept(fresh()), studies.analysis(fresh()))
    for own in found.numbers:
        assert own.label
        assert "_" not in own.label, own.kind
        assert own.of[0] in {FIRST, SECOND, ""}
    own = _find(found, "chance_corrected", FIRST, SECOND, "within", "same")
    assert own.populations == [FIRST, SECOND]
    assert own.detail == "shared base weights, same seeds"
    assert _find(found, "accuracy", FIRST).detail == ""
    assert math.isfinite(found.numbers[0].order[1])
