"""Accuracy on the straight line between two members."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from masklab.report import load, models, numbers, style, text
from masklab.report.figures import figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Accuracy between masks"


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Linear paths within populations, and between populations with different and with equal seeds."""
    rows = [row for row in analysis.results.landscape if row.path == "linear" and row.points]
    if not rows:
        if all(population.imported for population in analysis.results.populations):
            return figure.absent(TITLE, "Unknown (imported): what network and data the masks are for.")
        return figure.absent(TITLE, "The accuracy between members was not measured (no landscape rows).")
    panels = _panels(rows)
    message = _message(analysis, rows)
    with style.drawing(key):
        drawing = style.new_figure(4.3)
        grid = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, found) in zip(grid, panels.items(), strict=True):
            _panel(axes, found, theme)
            axes.set_title(title)
        grid[0].set_ylabel("test accuracy, %")
        shown = [name for name in analysis.names if any(name in (row.a, row.b) for row in rows)]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *_block_entries(rows)])
        svg = style.svg(drawing, key, message)
    return figure.Figure(TITLE, message, _caption(analysis, rows), svg)


def _panels(rows: Sequence[models.Path]) -> dict[str, list[models.Path]]:
    between = _comparable([row for row in rows if row.a != row.b])
    panels = {
        "within a population": [row for row in rows if row.a == row.b],
        "between populations, different seeds": [row for row in between if row.seed == "different"],
        "between populations, same seeds": [row for row in between if row.seed == "same"],
    }
    return {title: found for title, found in panels.items() if found}


def _comparable(rows: Sequence[models.Path]) -> list[models.Path]:
    """Rows of pairs that share base weights, unless there are none."""
    shared = [row for row in rows if row.block == "within"]
    return shared or list(rows)


def _panel(axes: "Axes", rows: Sequence[models.Path], theme: style.Theme) -> None:
    for row in rows:
        mean, low, high = (
            [100.0 * value for value in values]
            for values in (row.accuracy.mean, row.accuracy.low, row.accuracy.high)
        )
        colour = theme.colours[row.a]
        if row.a != row.b:
            stripes = {"linestyle": (0, (4, 4)), "gapcolor": theme.colours[row.b]}
            axes.plot(row.points, mean, color=colour, **stripes)
            continue
        faint = row.block == "across"
        axes.plot(row.points, mean, ":" if faint else "-", color=colour, alpha=0.5 if faint else 1.0)
        axes.fill_between(row.points, low, high, color=colour, alpha=0.06 if faint else 0.15, linewidth=0)
    axes.set_xlabel("position t on the line")
    axes.set_xlim(0.0, 1.0)
    axes.grid(visible=True)


def _block_entries(rows: Sequence[models.Path]) -> "list[tuple[Artist, str]]":
    from matplotlib.lines import Line2D

    if len({row.block for row in rows if row.a == row.b}) < 2:
        return []
    return [
        (Line2D([], [], color=style.INK), "same base weights"),
        (Line2D([], [], color=style.INK, linestyle=":", alpha=0.6), "different base weights (faint)"),
    ]


def _message(analysis: load.Analysis, rows: Sequence[models.Path]) -> str:
    trained = {population.name for population in analysis.results.populations if population.control is None}
    drops = [
        (row.barrier.entezari_error.value, row.a)
        for row in _comparable([row for row in rows if row.a == row.b])
        if row.barrier.entezari_error.value is not None and row.a in trained
    ]
    if not drops:
        return "Accuracy along straight lines between members."
    (high, worst), (low, best) = max(drops), min(drops)
    if len({name for _, name in drops}) == 1:
        return f"Mean barrier within {worst}: {numbers.percent(high)} points of error."
    return (
        f"Mean barriers within the population of a pruner run from {numbers.percent(low)} ({best}) to "
        f"{numbers.percent(high)} points of error ({worst})."
    )


def _caption(analysis: load.Analysis, rows: Sequence[models.Path]) -> str:
    pairs = text.span([row.pairs for row in rows])
    images = text.span([row.images for row in rows])
    splits = " and ".join(sorted({row.split for row in rows}))
    guess = (
        f" Guessing gives {100.0 / classes:.3g} %." if (classes := len(analysis.study.data.classes)) else ""
    )
    between = _comparable([row for row in rows if row.a != row.b])
    shared = "share" if between and between[0].block == "within" else "do not share"
    striped = (
        " A striped line joins two populations, from the one first in the legend (t = 0) to the other; its "
        f"pairs {shared} base weights."
        if between
        else ""
    )
    return (
        f"n = {pairs} pairs of members per line, {images} {splits} images. The effective weights at t are "
        "(1 − t) times those of one member plus t times those of the other. Line: mean over the pairs; band: "
        f"smallest to largest pair (not a confidence interval).{striped}{guess}"
    )
