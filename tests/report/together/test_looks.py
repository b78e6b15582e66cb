import re

import numpy as np
import pytest

from masklab.report import style
from masklab.report.together import colours, drawing, lines, measures, points, scales

from . import studies
from .test_figures import only_accuracy


def test_a_gap_is_left_out_only_where_no_line_crosses_it(base: studies.Row) -> None:
    def limits(results: studies.Row) -> scales.Limits:
        found = points.gather([studies.analysis(results)])
        panels, _ = lines.panels(found, lines.DENSITY, measures.ACCURACY.get)
        ((_, own),) = scales.limits([measures.ACCURACY], panels).items()
        return own

    results = studies.spread(base, [0.3, 0.5])
    for row in results["accuracy"]:
        studies.move(row["estimate"], 0.1 if row["population"].startswith("biprop-") else 0.9)
    (low, high), (other, top) = limits(results)
    assert low < 10.0 < high < other < 90.0 < top
    drawn = only_accuracy(results)
    assert "both parts have one scale" in drawn.caption
    for row in results["accuracy"]:
        studies.move(row["estimate"], 0.1 if row["population"].endswith("0.3") else 0.9)
    assert len(limits(results)) == 1
    assert "one scale" not in only_accuracy(results).caption


@pytest.mark.parametrize(("places", "scale"), [((0.05, 0.5), "linear"), ((0.04, 0.5), "log")])
def test_more_than_a_decade_is_logarithmic(base: studies.Row, places: tuple[float, ...], scale: str) -> None:
    from matplotlib.figure import Figure

    found = points.gather([studies.analysis(studies.spread(base, places))])
    (panel,), _ = lines.panels(found, lines.DENSITY, measures.ACCURACY.get)
    axes = Figure().subplots()
    scales.across(axes, panel, 1)
    assert axes.get_xscale() == scale
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{place:g}" for place in places]
    assert axes.get_xlim()[0] < places[0] < places[-1] < axes.get_xlim()[1]


def test_labels_that_would_touch_are_left_out(base: studies.Row) -> None:
    from matplotlib.figure import Figure

    found = points.gather([studies.analysis(studies.spread(base, (0.1, 0.101, 0.5)))])
    (panel,), _ = lines.panels(found, lines.DENSITY, measures.ACCURACY.get)
    axes = Figure().subplots()
    scales.across(axes, panel, 1)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.1", "0.5"]


def test_chance_levels_are_drawn(base: studies.Row) -> None:
    """The curve of similarity is that of its formula; a recorded level that lies off it has a dash."""
    from matplotlib.figure import Figure

    results = studies.spread(base, [0.1, 0.5])
    for row in results["overlap"]:
        if (row["a"], row["metric"]) == ("biprop-d0.5", "jaccard_similarity"):
            row["chance"] = 0.4
    found = points.gather([studies.analysis(results)])
    (panel,), _ = lines.panels(found, lines.DENSITY, measures.ACCURACY.get)
    axes = Figure().subplots()
    drawing._chance(axes, measures.SIMILARITY, panel)
    curve, *dashes = axes.lines
    for density, level in np.asarray(curve.get_xydata()):
        assert level == pytest.approx(density / (2.0 - density))
    assert [np.asarray(own.get_xydata()).tolist() for own in dashes] == [[[0.5, 0.4]]]
    for measure, level in ((measures.ACCURACY, 10.0), (measures.CORRECTED, 0.0), (measures.STABILITY, 0.0)):
        axes = Figure().subplots()
        drawing._chance(axes, measure, panel)
        assert [np.unique(np.asarray(own.get_xydata())[:, 1]).tolist() for own in axes.lines] == [[level]]
    axes = Figure().subplots()
    drawing._chance(axes, measures.BARRIER, panel)
    noise = [row["over_images"]["entezari_error"]["chance"] for row in results["landscape"]]
    assert [np.unique(np.asarray(own.get_xydata())[:, 1]).tolist() for own in axes.lines] == [
        [pytest.approx(100.0 * max(noise))]
    ]


def _spread_theme(results: studies.Row) -> tuple[dict[str, str], style.Theme]:
    analyses = [studies.analysis(results)]
    theme = style.theme(analyses)
    return colours.pruners(analyses, theme), theme


def test_one_population_per_pruner_lends_its_colour(base: studies.Row) -> None:
    found, theme = _spread_theme(base)
    assert found == {name.removesuffix("-d0.5"): colour for name, colour in theme.colours.items()}


@pytest.mark.parametrize("densities", [(0.1, 0.3, 0.5), (0.1, 0.2, 0.3, 0.5)])
def test_a_line_of_several_populations_is_marked_as_none_of_them(
    base: studies.Row, densities: tuple[float, ...]
) -> None:
    """Hiding one population must not hide the line; nine populations and twelve take different palettes."""
    found, theme = _spread_theme(studies.spread(base, densities))
    assert len(set(found.values())) == 3
    assert not set(found.values()) & set(theme.colours.values())
    drawn = only_accuracy(studies.spread(base, densities))
    assert drawn.svg is not None
    marked = str(style.classed(drawn.svg, theme))
    assert not re.search(r'<(path|use|g)[^>]* class="p\d', marked)
