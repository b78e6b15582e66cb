"""Accuracy of masks on other base weights than their own."""

import textwrap
from collections.abc import Sequence

from masklab.report import load, style, text
from masklab.report.figures import bands, by_layer, dots, figure, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

TITLE = "Masks on other base weights"
_OTHER = ("same-draw", "other-draw", "fresh")
_WIDE = 19  # letters of a line of a label


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Points by kind of base weights."""
    found = analysis.results.transfer
    if not found:
        why = landscape.nothing(analysis) or "No mask was put on other base weights."
        return figure.absent(TITLE, why)
    groups = [
        name
        for name in dict.fromkeys([*landscape.WEIGHTS, *(row.weights for row in found)])
        if any(row.weights == name for row in found)
    ]
    names = [name for name in analysis.names if any(row.population == name for row in found)]
    series = {name: {row.weights: row.accuracy for row in found if row.population == name} for name in names}
    message = _message(analysis, found)
    with style.drawing(key):
        drawing = style.new_figure(4.0)
        axes = drawing.subplots()
        dots.draw(axes, groups, series, theme)
        axes.set_xticks(range(len(groups)), [_label(name) for name in groups])
        bands.chance(axes, [row.chance for row in found])
        axes.set_ylabel("test accuracy, %")
        style.legend_below(drawing, [*style.population_entries(theme, names), *by_layer.chance_entry()])
        svg = style.svg(drawing, key, message)
    data = shaping.table(
        shaping.row(row, "population", "weights", "statistics", "members", "images", "chance", of="accuracy")
        for row in found
        if row.accuracy.value is not None
    )
    return figure.Figure(TITLE, message, _caption(found), svg, data)


def _label(name: str) -> str:
    return textwrap.fill(landscape.WEIGHTS.get(name, name), _WIDE)


def _message(analysis: load.Analysis, found: Sequence[rows.Transfer]) -> str:
    own = sentences.chosen(analysis, [row.population for row in found])
    moved = [row for row in found if row.population in own.names and row.weights in _OTHER]
    digits, said = sentences.places(moved), []
    for kind in _OTHER:
        values = {
            row.population: row.accuracy
            for row in moved
            if row.weights == kind and row.accuracy.value is not None
        }
        if values:
            said.append(f"{landscape.WEIGHTS[kind]}: {sentences.extent(values, digits, ' %')}")
    if not said:
        return "Accuracy of masks on other base weights than their own."
    return (
        f"Mean accuracy of masks of {own.called} on other base weights "
        f"(n = {text.counted([row.members for row in moved], 'member')} each; brackets: from the lowest end "
        f"to the highest of the intervals; {landscape.chance(moved)}): {'; '.join(said)}."
    )


def _caption(found: Sequence[rows.Transfer]) -> str:
    return (
        f"n = {text.counted([row.members for row in found], 'member')} per point, "
        f"{text.span([row.images for row in found])} test images; {landscape.statistics(found)}. Point: mean "
        f"over members; line: its interval ({text.interval_methods([row.accuracy for row in found])}). "
        "Another member's base weights of the same draw differ only where a refresh changed them; a random "
        "mask keeps as many weights of each layer. Dashed: "
        f"{landscape.chance(found)}."
    )
