"""Accuracy on the straight line between members of two populations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from masklab.report import load, numbers, style, text
from masklab.report.figures import figure, matrices
from masklab.report.landscape import rows
from masklab.report.landscape import text as landscape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Accuracy on straight lines between populations"


def has(analysis: load.Analysis) -> bool:
    """Whether there are lines between populations."""
    return bool(_lines(analysis))


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Linear paths between populations, with different and with equal seeds."""
    found = _lines(analysis)
    if not found:
        why = landscape.nothing(analysis) or "No two populations have members that a line could join."
        return figure.absent(TITLE, why)
    panels = {
        f"members of {matrices.SEEDS[seed]}": own
        for seed in matrices.SEEDS
        if (own := [row for row in found if row.seed == seed])
    }
    message = _message(analysis, found)
    with style.drawing(key):
        drawing = style.new_figure(4.3, style.WIDTH if len(panels) > 1 else 7.0)
        grid = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, own) in zip(grid, panels.items(), strict=True):
            _panel(axes, own, theme)
            axes.set_title(title)
        grid[0].set_ylabel("test accuracy, %")
        shown = [name for name in analysis.names if any(name in (row.a, row.b) for row in found)]
        style.legend_below(drawing, style.population_entries(theme, shown))
        svg = style.svg(drawing, key, message)
    return figure.Figure(TITLE, message, _caption(found), svg)


def _lines(analysis: load.Analysis) -> list[rows.Path]:
    """Rows of pairs that share base weights, unless there are none."""
    found = [
        row
        for row in analysis.results.landscape
        if row.a != row.b and row.path == "linear" and row.split == "test" and row.points
    ]
    shared = [row for row in found if row.block == "within"]
    return shared or found


def _panel(axes: "Axes", found: Sequence[rows.Path], theme: style.Theme) -> None:
    for row in found:
        stripes = {"linestyle": (0, (4, 4)), "gapcolor": theme.colours[row.b]}
        mean = [100.0 * value for value in row.accuracy.mean]
        axes.plot(row.points, mean, color=theme.colours[row.a], **stripes)
    axes.set_xlabel("position t on the line")
    axes.set_xlim(0.0, 1.0)
    axes.grid(visible=True)


def _message(analysis: load.Analysis, found: Sequence[rows.Path]) -> str:
    shown = landscape.trained(analysis, [name for row in found for name in (row.a, row.b)])
    drops = [
        (row.barrier.entezari_error.value, row.a, row.b, matrices.SEEDS[row.seed])
        for row in found
        if row.barrier.entezari_error.value is not None and {row.a, row.b}.issubset(shown)
    ]
    if not drops:
        return "Accuracy along straight lines between members of two populations."
    value, a, b, seeds = min(drops)
    return (
        f"The lowest mean barrier between two populations is that of {a} and {b}, {seeds}: "
        f"{numbers.percent(value)} points of test error."
    )


def _caption(found: Sequence[rows.Path]) -> str:
    shared = "share" if found[0].block == "within" else "do not share"
    return (
        f"n = {text.span([row.pairs for row in found])} pairs of members per line, "
        f"{text.span([row.images for row in found])} test images; {landscape.statistics(found)}. The "
        "effective weights at t are (1 − t) times those of one member plus t times those of the other. "
        "A striped line joins two populations, from the one first in the legend (t = 0) to the other; its "
        f"pairs {shared} base weights. Mean over the pairs; intervals of the barriers stand in the table. "
        f"Accuracy: {landscape.chance(found)}."
    )
