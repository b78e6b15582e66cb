"""Accuracy along every kind of path between two members of a population."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from masklab.report import load, numbers, style, text
from masklab.report.figures import bands, by_layer, figure, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Accuracy along paths within a population"
_COLUMNS = 3
_CURVE = ("accuracy_mean", "accuracy_low", "accuracy_high")

Panels = Mapping[str, Sequence[rows.Path]]
"""Name of a path → its rows, one per population."""


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """One panel per path, one line with a band per population."""
    panels = _panels(analysis)
    if not panels:
        why = landscape.nothing(analysis) or "No population has two members that a path could join."
        return figure.absent(TITLE, why)
    message = _message(analysis, panels)
    columns = min(_COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    with style.drawing(key):
        drawing = style.new_figure(2.7 * lines + 0.6, style.WIDTH if columns > 1 else 6.0)
        grid = drawing.subplots(lines, columns, sharey=True, squeeze=False)
        for axes, (name, found) in zip(grid.ravel(), panels.items(), strict=False):
            _panel(axes, found, theme)
            axes.set_title(name)
        for axes in grid.ravel()[: len(panels)]:
            bands.chance(axes, [row.chance for row in _all(panels)])
        for axes in grid.ravel()[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("test accuracy, %")
        shown = [name for name in analysis.names if any(name == row.a for row in _all(panels))]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *_entries(panels)])
        svg = style.svg(drawing, key, message)
    names = ("a", "b", "path", "block", "rule", "statistics", "pairs", "orders", "images", "chance")
    data = shaping.table(
        {**{name: getattr(row, name) for name in names}, "t": t, **dict(zip(_CURVE, at, strict=True))}
        for row in _all(panels)
        for t, *at in zip(row.points, row.accuracy.mean, row.accuracy.low, row.accuracy.high, strict=True)
    )
    return figure.Figure(TITLE, message, _caption(analysis, panels), svg, data)


def _panels(analysis: load.Analysis) -> Panels:
    """Pairs that share base weights where a population has any."""
    found: dict[str, dict[str, rows.Path]] = {}
    for row in analysis.results.landscape:
        if row.a == row.b and row.split == "test" and row.points:
            own = found.setdefault(row.path, {})
            if row.a not in own or row.block == "within":
                own[row.a] = row
    return {name: list(found[name].values()) for name in landscape.in_order(found)}


def _all(panels: Panels) -> list[rows.Path]:
    return [row for found in panels.values() for row in found]


def _panel(axes: "Axes", found: Sequence[rows.Path], theme: style.Theme) -> None:
    for row in found:
        mean, low, high = (
            [100.0 * value for value in values]
            for values in (row.accuracy.mean, row.accuracy.low, row.accuracy.high)
        )
        colour = theme.colours[row.a]
        axes.plot(row.points, mean, ":" if row.rule == "effective" else "-", color=colour)
        axes.fill_between(row.points, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.set_xlabel("position t on the path")
    axes.set_xlim(0.0, 1.0)
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.grid(visible=True)


def _entries(panels: Panels) -> "list[tuple[Artist, str]]":
    from matplotlib.lines import Line2D

    if all(row.rule != "effective" for row in _all(panels)):
        return by_layer.chance_entry()
    dotted = Line2D([], [], color=style.INK, linestyle=":")
    return [(dotted, "coordinates carry effective values"), *by_layer.chance_entry()]


def _message(analysis: load.Analysis, panels: Panels) -> str:
    said = sentences.barriers(analysis, _all(panels), "within", lambda row: row.path)
    return said or "Accuracy along paths between members of a population."


def _caption(analysis: load.Analysis, panels: Panels) -> str:
    found = _all(panels)
    effective = (
        " Dotted: the two have no base weights in common (a refresh changed them, or draws differ), so a "
        "coordinate carries its effective value in one of them."
        if any(row.rule == "effective" for row in found)
        else ""
    )
    apart = list(dict.fromkeys(row.a for row in found if row.block == "across"))
    different = f" No two members of {', '.join(apart)} share base weights." if apart else ""
    lacking = landscape.lacking(analysis, {name: [row.a for row in own] for name, own in panels.items()})
    without = f" {lacking}" if lacking else ""
    return (
        f"n = {text.counted([row.pairs for row in found], 'pair of members')} per line, random paths in "
        f"{numbers.count(max(row.orders for row in found), 'order')}, "
        f"{text.span([row.images for row in found])} test images; {landscape.statistics(found)}. Line: mean "
        "over pairs and orders; band: smallest to largest of them (not a confidence interval: intervals of "
        f"the barriers stand in the table).{effective}{different}{without} Dashed: "
        f"{landscape.chance(found)}."
    )
