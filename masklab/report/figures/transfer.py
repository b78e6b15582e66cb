"""Accuracy of masks on other base weights than their own."""

from collections.abc import Sequence

from masklab.report import load, style, text
from masklab.report.figures import bands, by_layer, dots, figure
from masklab.report.landscape import rows
from masklab.report.landscape import text as landscape

TITLE = "Masks on other base weights"

WEIGHTS = {
    "own": "their own",
    "same-draw": "another member's,\nsame draw",
    "other-draw": "another draw",
    "fresh": "a fresh draw",
    "random": "their own,\nrandom mask",
}


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Points by kind of base weights."""
    found = analysis.results.transfer
    if not found:
        why = landscape.nothing(analysis) or "No mask was put on other base weights."
        return figure.absent(TITLE, why)
    groups = [
        name
        for name in dict.fromkeys([*WEIGHTS, *(row.weights for row in found)])
        if any(row.weights == name for row in found)
    ]
    names = [name for name in analysis.names if any(row.population == name for row in found)]
    series = {name: {row.weights: row.accuracy for row in found if row.population == name} for name in names}
    message = _message(analysis, found)
    with style.drawing(key):
        drawing = style.new_figure(4.0)
        axes = drawing.subplots()
        dots.draw(axes, groups, series, theme)
        axes.set_xticks(range(len(groups)), [WEIGHTS.get(name, name) for name in groups])
        bands.chance(axes, [row.chance for row in found])
        axes.set_ylabel("test accuracy, %")
        style.legend_below(drawing, [*style.population_entries(theme, names), *by_layer.chance_entry()])
        svg = style.svg(drawing, key, message)
    return figure.Figure(TITLE, message, _caption(found), svg)


def _message(analysis: load.Analysis, found: Sequence[rows.Transfer]) -> str:
    said = []
    for kind in ("same-draw", "other-draw", "fresh"):
        known = {row.population: row.accuracy.value for row in found if row.weights == kind}
        values = {
            name: value for name in landscape.trained(analysis, known) if (value := known[name]) is not None
        }
        if values:
            said.append(f"{kind} {landscape.ends(values, 1, ' %')}")
    if not said:
        return "Accuracy of masks on other base weights than their own."
    return f"Mean accuracy on other base weights: {'; '.join(said)}."


def _caption(found: Sequence[rows.Transfer]) -> str:
    return (
        f"n = {text.span([row.members for row in found])} members per point, "
        f"{text.span([row.images for row in found])} test images; {landscape.statistics(found)}. Point: mean "
        f"over members; line: its interval ({text.interval_methods([row.accuracy for row in found])}). "
        "Another member's base weights of the same draw differ only where a refresh changed them; a random "
        "mask keeps as many weights of each layer. Dashed: "
        f"{landscape.chance(found)}."
    )
