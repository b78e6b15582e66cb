"""Accuracy after ever more flipped bits: how flat the cube is around a mask."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from masklab.report import load, style, text
from masklab.report.figures import bands, by_layer, figure, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Accuracy around masks"

KINDS = {
    "random": "random flips",
    "swap": "swaps, density kept",
    "margin": "flips nearest to the threshold",
}
_NAMED = 0.1  # share of the message

Panels = Mapping[str, Mapping[str, Sequence[rows.Flips]]]
"""Kind of flips → population → its rows, by share."""


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """One panel per kind of flips, one line per population."""
    panels = _panels(analysis)
    if not panels:
        why = landscape.nothing(analysis) or "The neighbourhood of masks was not measured."
        return figure.absent(TITLE, why)
    message = _message(analysis, panels)
    with style.drawing(key):
        drawing = style.new_figure(3.9, style.WIDTH if len(panels) > 1 else 6.0)
        grid = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (kind, found) in zip(grid, panels.items(), strict=True):
            _panel(axes, found, theme)
            axes.set_title(KINDS.get(kind, kind))
        levels = [row.chance for row in _all(panels)]
        for axes in grid:
            bands.chance(axes, levels)
        grid[0].set_ylabel("test accuracy, %")
        shown = [name for name in analysis.names if any(name in own for own in panels.values())]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *by_layer.chance_entry()])
        svg = style.svg(drawing, key, message)
    names = ("population", "kind", "layer", "share", "flips", "statistics")
    data = shaping.table(
        shaping.row(row, *names, "members", "images", "chance", of="accuracy") for row in _all(panels)
    )
    return figure.Figure(TITLE, message, _caption(panels), svg, data)


def _panels(analysis: load.Analysis) -> Panels:
    found: dict[str, dict[str, list[rows.Flips]]] = {}
    for row in analysis.results.neighbourhood:
        if row.layer == load.WHOLE and row.accuracy.value is not None:
            found.setdefault(row.kind, {}).setdefault(row.population, []).append(row)
    order = dict.fromkeys([*KINDS, *found])
    return {
        kind: {
            name: sorted(found[kind][name], key=lambda row: row.share)
            for name in analysis.names
            if name in found[kind]
        }
        for kind in order
        if kind in found
    }


def _all(panels: Panels) -> list[rows.Flips]:
    return [row for own in panels.values() for found in own.values() for row in found]


def _panel(axes: "Axes", found: Mapping[str, Sequence[rows.Flips]], theme: style.Theme) -> None:
    from matplotlib import ticker

    series = {name: [(100.0 * row.share, row.accuracy) for row in own] for name, own in found.items()}
    bands.draw(axes, series, theme, 100.0, opacity=0.1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(ticker.LogLocator(subs=(2.0, 5.0)))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_xlabel("bits changed, % of the weights")
    axes.grid(visible=True)


def _message(analysis: load.Analysis, panels: Panels) -> str:
    kind, found = next(iter(panels.items()))
    named = {name: min(own, key=lambda row: abs(math.log(row.share / _NAMED))) for name, own in found.items()}
    own = sentences.chosen(analysis, named)
    shown = {name: named[name] for name in own.names if named[name].drop.value is not None}
    said = KINDS.get(kind, kind)
    if not shown:
        return f"Accuracy after {said}."
    share = 100.0 * next(iter(shown.values())).share
    lost = sentences.extent({name: row.drop for name, row in shown.items()}, sentences.places(shown.values()))
    return (
        f"Mean points of accuracy lost by {own.called} after {said} of {share:.2g} % of the bits "
        f"(n = {text.counted([row.members for row in shown.values()], 'member')} each; brackets: from the "
        f"lowest end to the highest of their intervals): {lost}."
    )


def _caption(panels: Panels) -> str:
    found = _all(panels)
    without = "" if "margin" in panels else " No scores are kept, so none are flipped by their score."
    return (
        f"n = {text.counted([row.members for row in found], 'member')} per point, "
        f"{text.span([row.images for row in found])} test images; {landscape.statistics(found)}. Bits of "
        "the whole mask are changed, the more containing the fewer, and the rule is applied anew. Line: mean "
        f"over members; band: its interval ({text.interval_methods([row.accuracy for row in found])}). "
        f"Dashed: {landscape.chance(found)}.{without}"
    )
