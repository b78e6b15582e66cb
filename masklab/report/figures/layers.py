"""Overlap layer by layer against its chance level."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from masklab.report import load, models, numbers, style, text
from masklab.report.figures import figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Overlap by layer"
_BLOCKS: dict[models.Block, str] = {"within": "same base weights", "across": "different base weights"}

Rows = dict[str, list[models.Overlap | None]]


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Mean Jaccard similarity within each population, by layer in network order."""
    layers = [layer.name for layer in analysis.study.network.layers]
    panels: dict[models.Block, Rows] = {
        block: rows for block in _BLOCKS if (rows := _rows(analysis, layers, block))
    }
    if not panels:
        why = "No population has two stored members, so there are no pairs to compare"
        return figure.absent(TITLE, f"{why}{figure.uncounted(analysis)}.")
    message = _message(next(iter(panels.values())), layers)
    with style.drawing(key):
        drawing = style.new_figure(4.1)
        grid = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (block, rows) in zip(grid, panels.items(), strict=True):
            _panel(axes, rows, layers, theme)
            axes.set_title(f"pairs with {_BLOCKS[block]}")
        grid[0].set_ylabel("Jaccard similarity")
        shown = [name for name in analysis.names if any(name in rows for rows in panels.values())]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *_chance_entry()])
        svg = style.svg(drawing, key, message)
    return figure.Figure(TITLE, message, _caption(panels), svg)


def _rows(analysis: load.Analysis, layers: Sequence[str], block: models.Block) -> Rows:
    found = {
        name: [analysis.overlap(name, name, "jaccard_similarity", layer, block=block) for layer in layers]
        for name in analysis.names
    }
    return {
        name: rows
        for name, rows in found.items()
        if any(row is not None and row.estimate.value is not None for row in rows)
    }


def _panel(axes: "Axes", panel: Rows, layers: Sequence[str], theme: style.Theme) -> None:
    drawn: set[tuple[float | None, ...]] = set()
    for order, (name, rows) in enumerate(panel.items()):
        shift = 0.0 if len(panel) == 1 else 0.44 * (order / (len(panel) - 1) - 0.5)
        for place, row in enumerate(rows):
            _estimate(axes, place + shift, row, theme.colours[name])
        known = [(place + shift, row.estimate.value) for place, row in enumerate(rows) if row is not None]
        axes.plot(*zip(*known, strict=True), color=theme.colours[name], linewidth=0.8, alpha=0.6)
        chance = tuple(None if row is None else row.chance for row in rows)
        if chance not in drawn:
            drawn.add(chance)
            for place, level in enumerate(chance):
                if level is not None:
                    axes.plot(
                        [place - 0.38, place + 0.38], [level, level], "--", color=style.INK, linewidth=1.1
                    )
    longest = max((len(layer) for layer in layers), default=0)
    steep = len(layers) * longest > 60
    axes.set_xticks(
        range(len(layers)), layers, rotation=45 if steep else 0, ha="right" if steep else "center"
    )
    axes.set_xlim(-0.6, len(layers) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y")


def _estimate(axes: "Axes", x: float, row: models.Overlap | None, colour: str) -> None:
    if row is None or row.estimate.value is None:
        return
    if row.estimate.low is not None and row.estimate.high is not None:
        axes.plot([x, x], [row.estimate.low, row.estimate.high], color=colour, linewidth=1.4)
    axes.plot(x, row.estimate.value, "o", color=colour, markersize=4.5, markeredgewidth=0)


def _chance_entry() -> "list[tuple[Artist, str]]":
    from matplotlib.lines import Line2D

    return [(Line2D([], [], color=style.INK, linestyle="--", linewidth=1.1), "chance level")]


def _message(panel: Rows, layers: Sequence[str]) -> str:
    excess = [
        (row.estimate.value - row.chance, name, layer, row)
        for name, rows in panel.items()
        for layer, row in zip(layers, rows, strict=True)
        if row is not None
        and row.estimate.value is not None
        and row.chance is not None
        and row.estimate.low is not None
        and row.estimate.low > row.chance
    ]
    if not excess:
        return "In no layer does the interval of the mean Jaccard similarity lie above its chance level."
    _, name, layer, row = max(excess, key=lambda one: one[0])
    value, interval = numbers.fixed(row.estimate.value or 0.0, 3), numbers.interval(row.estimate, 1.0, 3)
    return (
        f"{len(excess)} of {sum(map(len, panel.values()))} intervals lie above chance; the farthest is "
        f"{name} in layer {layer}: {value} {interval} against {numbers.fixed(row.chance or 0.0, 3)} "
        f"({numbers.count(row.pairs, 'pair')}; intervals are not corrected for the choice)."
    )


def _caption(panels: dict[models.Block, Rows]) -> str:
    rows = [row for panel in panels.values() for group in panel.values() for row in group if row is not None]
    pairs = text.span([row.pairs for row in rows])
    return (
        f"n = {pairs} pairs of members per point. Point and line: mean Jaccard similarity of the pairs "
        f"within a population and its interval ({text.interval_methods([row.estimate for row in rows])}); "
        "layers in network order. Dashed: chance level, the value expected for independent masks with the "
        "same number of kept weights in that layer."
    )
