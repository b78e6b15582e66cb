import csv
import io
import re
from typing import Any

import pytest

from masklab.report import load, numbers, style, together
from masklab.report.figures import figure
from masklab.report.together import colours, drawing, lines, measures, plan, points, scales

from .. import dom, variants
from ..recipe import HOSTILE
from . import studies
from .conftest import Base

Drawn = tuple[studies.Row, dict[str, figure.Figure]]


def _figures(*results: studies.Row) -> dict[str, figure.Figure]:
    analyses = [studies.analysis(own) for own in results]
    return together.figures(analyses, style.theme(analyses), "axes")


def only_accuracy(*results: studies.Row) -> figure.Figure:
    """The one figure where nothing but accuracies is measured."""
    bare = [{**own, **{key: [] for key in studies.KEPT}} for own in results]
    (found,) = _figures(*bare).values()
    return found


@pytest.fixture(scope="module")
def drawn(slim: Base) -> Drawn:
    """Five densities of one study, and its figures."""
    results = studies.spread(slim(), studies.DENSITIES)
    return results, _figures(results)


def _texts(drawn: figure.Figure) -> list[str]:
    return [node.text() for node in dom.parse(str(drawn.svg)).all("text")]


def _rows(drawn: figure.Figure) -> list[dict[str, Any]]:
    assert drawn.data is not None
    return [dict(zip(drawn.data.columns, row, strict=True)) for row in drawn.data.rows]


def test_nothing_varies_in_one_study_of_one_density(base: studies.Row) -> None:
    analysis = studies.analysis(base)
    assert not together.has([analysis])
    assert _figures(base) == {}
    assert together.tables([analysis], style.theme([analysis]), "axes") == []
    variants.add_reference(base)  # of another density, but of another kind
    assert not together.has([studies.analysis(base)])


def test_densities_of_one_study(drawn: Drawn) -> None:
    results, found = drawn
    assert together.has([studies.analysis(results)])
    assert list(found) == [
        "axes-accuracy-density",
        "axes-overlap-density",
        "axes-stability-density",
        "axes-barrier-density",
    ]
    for key, own in found.items():
        root = dom.parse(str(own.svg))
        (svg,) = root.all("svg")
        assert svg.attributes["aria-label"] == own.message
        assert all(
            node.attributes["id"].startswith(f"{key}-") for node in root.all() if "id" in node.attributes
        )
        texts = _texts(own)
        assert {"edge-popup", "biprop", "biprop+recycle", "chance level"} <= set(texts)
        assert "density (fraction of weights kept)" in texts
        for wanted in ("n = ", "95 % interval, jackknife", "chance level", "differ in nothing but density"):
            assert wanted in own.caption
        assert "at density 0.02" in own.message
        assert "at density 0.5" in own.message


def test_data_are_the_numbers_of_the_results(drawn: Drawn) -> None:
    results, figures = drawn
    found = {row["population"]: row for row in _rows(figures["axes-accuracy-density"])}
    wanted = [row for row in results["accuracy"] if row["metric"] == "accuracy"]
    assert len(found) == len(wanted) == 15
    for row in wanted:
        own = found[row["population"]]
        assert [own[end] for end in ("value", "low", "high")] == [
            row["estimate"][end] for end in ("value", "low", "high")
        ]
        assert (own["chance"], own["members"], own["blocks"], own["width"]) == (0.1, 4, 2, 0.5)
    overlaps = _rows(figures["axes-overlap-density"])
    assert {row["metric"] for row in overlaps} == {"chance_corrected", "jaccard_similarity"}
    for row in overlaps:
        if row["metric"] == "jaccard_similarity":
            assert row["chance"] == pytest.approx(row["density"] / (2.0 - row["density"]))


def test_the_message_carries_the_extent_at_both_ends(drawn: Drawn) -> None:
    results, figures = drawn
    at = {
        density: [
            row["estimate"]
            for row in results["accuracy"]
            if row["metric"] == "accuracy" and row["population"].endswith(f"-d{density:g}")
        ]
        for density in (0.02, 0.5)
    }
    said = []
    for density, own in at.items():
        low, high = (100.0 * choose(row["value"] for row in own) for choose in (min, max))
        ends = 100.0 * min(row["low"] for row in own), 100.0 * max(row["high"] for row in own)
        said.append(
            rf"{low:.2f}( \([a-z+-]+\))? to {high:.2f} %( \([a-z+-]+\))? "
            rf"\[{ends[0]:.2f}, {ends[1]:.2f}\] at density {density:g}"
        )
    message = figures["axes-accuracy-density"].message
    assert re.fullmatch(
        rf"Mean test accuracy of trained masks: {', '.join(said)}\. Brackets: from the lowest end .*", message
    )


def test_names_stand_only_where_intervals_are_apart(base: studies.Row) -> None:
    results = studies.spread(base, [0.1, 0.5])
    for row in results["accuracy"]:
        top = 0.9 if row["population"].startswith("biprop+") else 0.5
        studies.move(row["estimate"], top)
        row["estimate"].update(low=top - 0.01, high=top + 0.01)
    message = only_accuracy(results).message
    assert "50.00 to 90.00 % (biprop+recycle) [49.00, 91.00] at density 0.1" in message


def test_what_is_not_measured_is_not_drawn(base: studies.Row) -> None:
    results = studies.spread(base, [0.1, 0.5])
    for key in ("overlap", "stability", "landscape"):
        results[key] = []
    assert list(_figures(results)) == ["axes-accuracy-density"]


def test_without_intervals_and_with_a_single_interval(base: studies.Row) -> None:
    results = studies.spread(base, [0.1, 0.3, 0.5])
    for row in results["accuracy"]:
        if row["population"] != "biprop-d0.3":
            row["estimate"].update(low=None, high=None, why="one value")
    drawn = only_accuracy(results)
    assert "(no interval) at density 0.1" in drawn.message
    assert drawn.svg is not None


def test_widths_and_networks(base: studies.Row) -> None:
    drawn = _figures(
        base, studies.other(base, "wide", width=2.0), studies.other(base, "deep", network="conv6")
    )
    assert list(drawn) == [
        "axes-accuracy-width",
        "axes-accuracy-network",
        "axes-overlap-width",
        "axes-overlap-network",
        "axes-stability-width",
        "axes-barrier-width",
    ]
    assert "at width 0.5" in drawn["axes-accuracy-width"].message
    assert "on conv4" in drawn["axes-accuracy-network"].message
    assert (
        "Left out, as no line reaches them: 3 populations of deep (conv6)."
        in drawn["axes-accuracy-width"].caption
    )
    assert {"conv4", "conv6"} <= set(_texts(drawn["axes-accuracy-network"]))


def test_studies_that_differ_in_more_are_not_joined_and_the_page_says_in_what(base: studies.Row) -> None:
    drawn = _figures(base, studies.other(base, "far", network="conv6", epochs=30, learning_rate=0.5))
    (key,) = drawn
    assert key == "axes-accuracy-network"
    assert drawn[key].svg is None
    assert drawn[key].caption == (
        "No two populations of a pruner differ in network alone: beside it they differ in epochs (20, 30); "
        "learning rate (0.1, 0.5)."
    )


def test_an_axis_without_values_says_so(base: studies.Row) -> None:
    results = studies.spread(base, [0.1, 0.5])
    for row in results["accuracy"]:
        row["estimate"].update(value=None, low=None, high=None, why="none")
    own = only_accuracy(results)
    assert own.caption == "No two populations of a pruner differ in density alone, as too few have a value."


def test_data_sets_have_a_panel_and_a_scale_each(base: studies.Row) -> None:
    first = studies.spread(base, [0.1, 0.5])
    second = studies.other(first, "second", data="mnist", accuracy=-0.5)
    drawn = only_accuracy(first, second)
    texts = _texts(drawn)
    assert {"cifar10", "mnist"} <= set(texts)
    assert texts.count("test accuracy, %") == 2
    assert "Different data sets are not on one scale." in drawn.caption
    found = points.gather([studies.analysis(own) for own in (first, second)])
    panels, _ = lines.panels(found, lines.DENSITY, measures.ACCURACY.get)
    groups = {scales.group(measures.ACCURACY, panel) for panel in panels}
    assert len(groups) == 2
    assert len({scales.group(measures.CORRECTED, panel) for panel in panels}) == 1
    limits = scales.limits([measures.ACCURACY], panels)
    assert set(limits) == groups


def test_controls_are_grey_and_dashed(base: studies.Row) -> None:
    results = studies.spread(base, [0.1, 0.5])
    for density in (0.1, 0.5):
        studies.add_control(results, f"random-d{density}", "random", gate="biprop")
        results["populations"][-1]["density"] = density
    drawn = only_accuracy(results)
    dashed = re.findall(rf'style="[^"]*stroke-dasharray[^"]*stroke: {colours.GREY}', str(drawn.svg))
    assert len(dashed) >= 1
    assert "Grey: untrained controls (random)" in drawn.caption
    assert "of trained masks" in drawn.message


def test_names_are_taken_literally(base: studies.Row) -> None:
    import json

    text = json.dumps(studies.spread(base, [0.1, 0.5]))
    for word in ("edge-popup", "conv4"):
        text = text.replace(json.dumps(word)[1:-1], json.dumps(f"{HOSTILE}$x^{{2}}${word}")[1:-1])
    first = json.loads(text)
    drawn = only_accuracy(first, studies.other(first, HOSTILE, data=f"{HOSTILE}_"))
    texts = _texts(drawn)  # parsed: nothing is an element
    assert f"{HOSTILE}$x^{{2}}$edge-popup" in texts
    assert "cifar10" in texts
    assert not list(dom.parse(str(drawn.svg)).all("img"))


def test_equal_studies_give_equal_bytes(drawn: Drawn) -> None:
    results, figures = drawn
    assert only_accuracy(results) == figures["axes-accuracy-density"]


def test_many_panels_are_cut_and_all_data_stay(base: studies.Row) -> None:
    first = studies.spread(base, [0.1, 0.5])
    for key in studies.KEPT:
        first[key] = []
    results = [studies.other(first, f"s{number}", epochs=20 + number) for number in range(14)]
    analyses = [studies.analysis(own) for own in results]
    found = points.gather(analyses)
    own = plan.Plan(0, "Accuracy", lines.DENSITY, [measures.ACCURACY])
    panels, _ = own.panels(found)
    assert len(panels) == 14
    svg = drawing.draw(own, panels[:2] * 7, colours.pruners(analyses, style.theme(analyses)), "k", "m")
    assert [node.text() for node in dom.parse(str(svg)).all("text")].count("test accuracy, %") == drawing.MOST
    caption = together.sentences.caption(own, panels, [], analyses)
    assert f"{drawing.MOST} of 14 are drawn" in caption
    assert len(together.data.rows(own, panels).rows) == 14 * 6


def test_table_has_a_row_per_pruner_and_a_column_per_density(dense: studies.Row) -> None:
    analyses = [studies.analysis(dense)]
    (table,) = together.tables(analyses, style.theme(analyses), "axes")
    assert [column.label for column in table.columns] == ["pruner", "0.02", "0.05", "0.1", "0.3", "0.5"]
    values = {
        row["population"]: row["estimate"]["value"]
        for row in dense["accuracy"]
        if row["metric"] == "accuracy"
    }
    for row in table.rows:
        assert row[0].populations == tuple(f"{row[0].text}-d{column.label}" for column in table.columns[1:])
        for cell, column in zip(row[1:], table.columns[1:], strict=True):
            assert cell.text == numbers.percent(values[f"{row[0].text}-d{column.label}"], 2)
            assert cell.count == "4 members"
    assert len(table.rows) == 3


def test_table_of_several_recipes_names_them(base: studies.Row) -> None:
    first = studies.spread(base, [0.1, 0.5])
    second = studies.other(studies.spread(base, [0.3, 0.5]), "second", epochs=30)
    analyses = [studies.analysis(own) for own in (first, second)]
    (table,) = together.tables(analyses, style.theme(analyses), "axes")
    assert [column.label for column in table.columns] == ["recipe", "pruner", "0.1", "0.3", "0.5"]
    assert {row[0].text for row in table.rows} == {"epochs 20", "epochs 30"}
    assert [cell.text for cell in table.rows[0][2:]][1] == numbers.UNDEFINED


def test_data_can_be_written_as_csv(drawn: Drawn) -> None:
    own = drawn[1]["axes-overlap-density"].data
    assert own is not None
    stream = io.StringIO()
    csv.writer(stream).writerows([own.columns, *own.rows])
    lines_of_file = list(csv.reader(io.StringIO(stream.getvalue())))
    assert {len(line) for line in lines_of_file} == {len(own.columns)}
    assert load.WHOLE not in stream.getvalue()


def test_every_plan_has_a_place_of_its_own() -> None:
    found = together.plans()
    places = [own.place for own in found.values()]
    assert len(set(places)) == len(places) == 10
