"""Accuracy on the straight line between members of two populations."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from masklab.report import load, records, style, text
from masklab.report.figures import bands, by_layer, figure, matrices, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Accuracy on straight lines between populations"
_MOST = 4  # panels side by side
_SHOWN = 12  # populations with panels of their own
_LINES = 400  # in all panels together
_LONG_NAME = 28  # letters; panels with longer titles need twice the room

Panels = Mapping[tuple[str, records.Seed], Sequence[rows.Path]]
"""(population, seeds) → rows of pairs that one member of is its."""


def has(analysis: load.Analysis) -> bool:
    """Whether there are lines between populations."""
    return bool(_lines(analysis))


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Linear paths between populations, with different and with equal seeds."""
    found = _lines(analysis)
    if not found:
        why = landscape.nothing(analysis) or "No two populations have members that a line could join."
        return figure.absent(TITLE, why)
    message = _message(analysis, found)
    panels = _panels(analysis, found)
    columns = _columns(panels)
    lines = -(-len(panels) // columns)
    with style.drawing(key):
        drawing = style.new_figure(1.85 * lines + 0.9, style.WIDTH if columns > 1 else 6.0)
        grid = drawing.subplots(lines, columns, sharey=True, squeeze=False)
        for axes, ((name, seed), own) in zip(grid.ravel(), panels.items(), strict=False):
            _panel(axes, name, own, theme)
            axes.set_title(f"from {name},\n{matrices.SEEDS[seed]}", fontsize=8)
        for place, axes in enumerate(grid.ravel()[: len(panels)]):
            bands.chance(axes, [row.chance for row in found])
            if place + columns < len(panels):  # another panel stands below
                axes.tick_params(labelbottom=False)
            else:
                axes.set_xlabel("position t on the line")
        for axes in grid.ravel()[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("test accuracy, %")
        shown = [name for name in analysis.names if any(name in (row.a, row.b) for row in found)]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *by_layer.chance_entry()])
        svg = style.svg(drawing, key, message)
    names = ("a", "b", "path", "block", "seed", "rule", "statistics", "pairs", "images", "chance")
    shown = {name for name, _ in panels}
    drawn = [row for row in found if not shown.isdisjoint((row.a, row.b))]
    data = shaping.table(
        {**{name: getattr(row, name) for name in names}, "t": t, "accuracy_mean": value}
        for row in drawn
        for t, value in zip(row.points, row.accuracy.mean, strict=True)
    )
    return figure.Figure(TITLE, message, _caption(found, shown), svg, data)


def _lines(analysis: load.Analysis) -> list[rows.Path]:
    """Rows of pairs that share base weights, unless there are none."""
    found = [
        row
        for row in analysis.results.landscape
        if row.a != row.b and row.path == "linear" and row.split == "test" and row.points
    ]
    shared = [row for row in found if row.block == "within"]
    return shared or found


def _panels(analysis: load.Analysis, found: Sequence[rows.Path]) -> Panels:
    """Lines that start in each of the first populations, with different and with equal seeds."""
    cells: dict[tuple[str, records.Seed], list[rows.Path]] = {}
    for row in found:
        for name in (row.a, row.b):
            cells.setdefault((name, row.seed), []).append(row)
    names = [name for name in analysis.names if any((name, seed) in cells for seed in matrices.SEEDS)]
    shown = max(1, min(_SHOWN, _LINES * len(names) // (2 * len(found))))
    return {
        (name, seed): cells[name, seed]
        for name in names[:shown]
        for seed in matrices.SEEDS
        if (name, seed) in cells
    }


def _columns(panels: Panels) -> int:
    """As many as their titles leave room for; both kinds of seeds of a population stand side by side."""
    longest = max(len(name) for name, _ in panels)
    most = _MOST if longest <= _LONG_NAME else _MOST // 2
    return min(most, len(panels))


def _panel(axes: "Axes", name: str, found: Sequence[rows.Path], theme: style.Theme) -> None:
    """Lines from one population, each in the colour of the one that it leads to."""
    for row in found:
        mean = [100.0 * value for value in row.accuracy.mean]
        if row.a == name:
            axes.plot(row.points, mean, color=theme.colours[row.b], linewidth=1.3)
        else:
            axes.plot([1.0 - t for t in row.points], mean, color=theme.colours[row.a], linewidth=1.3)
    axes.set_xlim(0.0, 1.0)
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.grid(visible=True)


def _message(analysis: load.Analysis, found: Sequence[rows.Path]) -> str:
    ordered = sorted(found, key=lambda row: sentences.order(analysis, row))
    said = sentences.barriers(analysis, ordered, "between", lambda row: sentences.kind(analysis, row))
    return said or "Accuracy along straight lines between members of two populations."


def _caption(found: Sequence[rows.Path], shown: Collection[str]) -> str:
    shared = "share" if found[0].block == "within" else "do not share"
    left_out = sorted({name for row in found for name in (row.a, row.b)} - set(shown))
    others = f" Without a panel of their own: {', '.join(left_out)}." if left_out else ""
    return (
        f"n = {text.counted([row.pairs for row in found], 'pair of members')} per line, "
        f"{text.span([row.images for row in found])} test images; {landscape.statistics(found)}. The "
        "effective weights at t are (1 − t) times those of one member plus t times those of the other. "
        "A panel holds the lines from members of one population (t = 0), each in the colour of the "
        f"population that it leads to (t = 1), so every line stands in two panels; its pairs {shared} base "
        "weights. Mean over the pairs; intervals of the barriers stand in the table. "
        f"Dashed: {landscape.chance(found)}.{others}"
    )
