import re
from typing import Any

import pytest

from masklab.report import compare, numbers, style
from masklab.report.figures import figure

from .. import dom, variants
from ..recipe import HOSTILE
from ..together import studies
from .conftest import Base, kept
from .test_changes import FIRST, SECOND


def _chapter(before: studies.Row, *after: studies.Row) -> Any:
    analyses = [studies.analysis(own) for own in after]
    return compare.chapter([kept(before)], analyses, style.theme(analyses), "changes")


def _raised(results: studies.Row, by: float) -> None:
    """Move every accuracy by so many widths of its interval."""
    for row in results["accuracy"]:
        own = row["estimate"]
        if own["value"] is not None:
            studies.move(own, own["value"] + by * (own["high"] - own["low"]))


def test_nothing_changed_is_one_sentence(results: studies.Row) -> None:
    made = _chapter(results, results)
    (sentence,) = made.sentences
    assert re.fullmatch(
        r"Nothing changed: settings, 6 members of 2 populations, \d+ numbers and 1 warning are those of the "
        r"analysis of 2025-03-04 05:06:07\+00:00\. Both were made from the same files, by their digest\.",
        sentence,
    )
    assert (made.figures, made.tables) == ({}, [])


def test_the_digest_is_named_only_where_it_is_known_and_equal(fresh: Base) -> None:
    before, after = fresh(), fresh()
    after["input"] = None
    assert _chapter(before, after).sentences[0].endswith("05:06:07+00:00.")
    before["input"] = None
    assert _chapter(before, after).sentences[0].endswith("05:06:07+00:00.")


def test_everything_that_changed(fresh: Base) -> None:
    before, after = fresh(), fresh()
    before["study"]["training"]["epochs"] = 30
    before["warnings"] = []
    before["populations"][1]["stored"] = 2
    before["members"][0]["accuracy"] = 0.5
    variants.add_reference(after)
    _raised(after, 0.3)
    made = _chapter(before, after)
    text = " ".join(made.sentences)
    for wanted in (
        "Before: the analysis of 2025-03-04 05:06:07+00:00, 6 members of 2 populations. Now: that of "
        "2025-03-04 05:06:07+00:00, 8 members of 3 populations.",
        "Settings that changed: 1.",
        "Populations added: dense-d1.",
        f"Populations with another number of stored members: {SECOND} (2 → 3).",
        f"1 member of the same id with another accuracy: {FIRST}/0000.",
        "Warnings that came: few-draws.",
        "6 differ within overlapping intervals, 0 have intervals apart.",
        "3 numbers came, 0 went.",
        "surer than they say",
    ):
        assert wanted in text, wanted
    assert "significant" not in text
    (settings, moved) = (folded.table for folded in made.tables)
    assert [[cell.text for cell in row] for row in settings.rows] == [["recipe", "epochs", "30", "20"]]
    assert [row[5].text for row in moved.rows[:6]] == ["intervals overlap"] * 6
    assert {row[5].text for row in moved.rows[6:]} == {"equal"}
    gone = " ".join(_chapter(after, before).sentences)
    assert "Populations removed: dense-d1." in gone
    assert "Warnings that went: few-draws." in gone


def test_without_changed_settings(fresh: Base) -> None:
    before, after = fresh(), fresh()
    _raised(after, 0.3)
    made = _chapter(before, after)
    assert "No setting changed." in made.sentences
    assert [folded.label for folded in made.tables] == ["numbers before and now"]


def test_rows_hold_both_values_their_intervals_and_the_difference(fresh: Base) -> None:
    before, after = fresh(), fresh()
    _raised(after, 2.0)
    for row in after["accuracy"]:
        row["estimate"]["n"] = 4
    (table,) = [folded.table for folded in _chapter(before, after).tables]
    (row,) = [row for row in table.rows if (row[0].text, row[1].text) == ("test accuracy, %", FIRST)]
    was, now = (
        next(own["estimate"] for own in results["accuracy"] if own["population"] == FIRST)
        for results in (before, after)
    )
    assert [cell.text for cell in row[2:]] == [
        numbers.percent(was["value"]),
        numbers.percent(now["value"]),
        f"+{numbers.percent(now['value'] - was['value'])}",
        "intervals apart",
        "3 → 4",
    ]
    for cell, own in zip(row[2:4], (was, now), strict=True):
        assert cell.detail == f"[{numbers.percent(own['low'])}, {numbers.percent(own['high'])}]"
    assert row[4].value == pytest.approx(100.0 * (now["value"] - was["value"]), rel=1e-6)
    assert row[1].populations == [FIRST]
    assert "95 % intervals" in table.caption
    (down,) = [folded.table for folded in _chapter(after, before).tables]
    (row,) = [row for row in down.rows if (row[0].text, row[1].text) == ("test accuracy, %", FIRST)]
    assert row[4].text.startswith("−")


def test_undefined_numbers_have_no_difference(fresh: Base) -> None:
    before, after = fresh(), fresh()
    after["accuracy"][0]["estimate"].update(value=None, low=None, high=None, why="lost")
    (table,) = [folded.table for folded in _chapter(before, after).tables]
    assert [cell.text for cell in table.rows[0][3:6]] == ["–", "–", "undefined now"]
    assert table.rows[0][3].detail == "undefined"


def _drawn(made: Any) -> figure.Figure:
    return made.figures["changes-accuracy"]


def test_the_figure_draws_every_population_twice(fresh: Base) -> None:
    before, after = fresh(), fresh()
    _raised(after, 2.0)
    own = _drawn(_chapter(before, after))
    root = dom.parse(str(own.svg))
    texts = [node.text() for node in root.all("text")]
    assert {FIRST, SECOND, "before", "now"} <= set(texts)
    (svg,) = root.all("svg")
    assert svg.attributes["aria-label"] == own.message
    value = r"\d\d\.\d\d % \[\d\d\.\d\d, \d\d\.\d\d\]"
    assert re.fullmatch(
        rf"Against the width of its intervals, mean test accuracy moved most for ({FIRST}|{SECOND}): from "
        rf"{value} to {value}, intervals apart\.",
        own.message,
    )
    assert "n = 3 members per mean" in own.caption
    assert "95 % intervals" in own.caption
    assert "Guessing gives 10.0 % (chance level)." in own.caption
    assert own.data is not None
    assert len(own.data.rows) == 4
    first = dict(zip(own.data.columns, own.data.rows[0], strict=True))
    wanted = before["accuracy"][0]["estimate"]
    assert first["analysis"] == "before"
    assert first["value"] == pytest.approx(wanted["value"], rel=1e-8)
    assert first["low"] == pytest.approx(wanted["low"], rel=1e-8)


def test_the_figure_without_moves_or_accuracies(fresh: Base) -> None:
    before, after = fresh(), fresh()
    after["study"]["training"]["epochs"] = 30
    assert _drawn(_chapter(before, after)).message == "Mean test accuracy is what it was in every population."
    _raised(after, 0.1)
    after["accuracy"][0]["estimate"] = before["accuracy"][0]["estimate"]
    assert "1 population unchanged" in _drawn(_chapter(before, after)).message
    after["accuracy"] = []
    own = _drawn(_chapter(before, after))
    assert own.svg is None
    assert own.caption == "No population has an accuracy before and now."


def test_several_studies_are_named(fresh: Base) -> None:
    first, second = fresh(), studies.other(fresh(), "second")
    before = studies.other(first, "second", epochs=30)
    _raised(second, 0.5)
    analyses = [studies.analysis(own) for own in (first, second)]
    theme = style.theme(analyses)
    gone = studies.other(first, "third")
    made = compare.chapter([kept(before), kept(gone)], analyses, theme, "changes")
    assert all(sentence.startswith("second: ") for sentence in made.sentences[:-2])
    assert made.sentences[-2:] == [
        f"{first['study']['name']} was not among the former analyses.",
        "third is not here any more.",
    ]
    both = compare.chapter([kept(before), kept(first)], analyses, theme, "changes")
    tables = [folded.table for folded in both.tables]
    assert [table.columns[0].label for table in tables] == ["study", "study"]
    assert {row[0].text for table in tables for row in table.rows} == {"second"}


def test_other_names_are_said(fresh: Base) -> None:
    before, after = fresh(), fresh()
    before["study"]["name"] = "before"
    assert _chapter(before, after).sentences[0] == (
        f"The studies have different names: before before, {after['study']['name']} now."
    )


def test_names_are_taken_literally(fresh: Base) -> None:
    import json

    text = json.dumps(fresh()).replace(FIRST, json.dumps(f"{HOSTILE}$x^2$_")[1:-1])
    before, after = json.loads(text), json.loads(text)
    _raised(after, 1.5)
    texts = [node.text() for node in dom.parse(str(_drawn(_chapter(before, after)).svg)).all("text")]
    assert f"{HOSTILE}$x^2$_" in texts


def test_equal_input_gives_equal_bytes(fresh: Base) -> None:
    before, after = fresh(), fresh()
    _raised(after, 1.5)
    assert _chapter(before, after) == _chapter(before, after)
