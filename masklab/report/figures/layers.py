"""Overlap layer by layer against its chance level."""

from collections.abc import Sequence

from markupsafe import Markup

from masklab.report import load, models, numbers, records, style, text
from masklab.report.figures import by_layer, figure, shaping

TITLE = "Overlap by layer"
_BLOCKS: dict[records.Block, str] = {"within": "same base weights", "across": "different base weights"}


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Mean Jaccard similarity within each population, by layer in network order.

    Without pairs it is the stability, which takes none.
    """
    layers = [layer.name for layer in analysis.study.network.layers]
    if analysis.results.without_pairs:
        return _stability(analysis, theme, key, layers)
    found: dict[records.Block, by_layer.Rows] = {
        block: by_layer.known(_rows(analysis, layers, block)) for block in _BLOCKS
    }
    panels: dict[records.Block, by_layer.Rows] = {block: rows for block, rows in found.items() if rows}
    if not panels:
        why = "No population has two stored members, so there are no pairs to compare"
        return figure.absent(TITLE, f"{why}{figure.uncounted(analysis)}.")
    message = _message(next(iter(panels.values())), layers, "mean Jaccard similarity")
    titles = {f"pairs with {_BLOCKS[block]}": rows for block, rows in panels.items()}
    svg = _svg(analysis, theme, key, message, titles, "Jaccard similarity")
    shown = [row for rows in panels.values() for row in by_layer.flat(rows)]
    names = ("a", "b", "layer", "metric", "block", "seed", "chance", "pairs")
    data = shaping.table(shaping.row(row, *names) for row in shown)
    return figure.Figure(TITLE, message, _caption(panels), svg, data)


def _stability(analysis: load.Analysis, theme: style.Theme, key: str, layers: Sequence[str]) -> figure.Figure:
    rows: by_layer.Rows = {
        name: [analysis.stability(name, layer) for layer in layers] for name in analysis.compared
    }
    rows = by_layer.known(rows)
    if not rows:
        why = "No population has two stored members that share base weights, so nothing can be compared"
        return figure.absent(TITLE, f"{why}{figure.uncounted(analysis)}.")
    message = _message(rows, layers, "stability")
    svg = _svg(analysis, theme, key, message, {"masks with same base weights": rows}, "stability")
    found = by_layer.flat(rows)
    caption = (
        f"n = {text.span([row.estimate.n for row in found])} members per point. Point and line: Nogueira's "
        "stability of the masks of a population and its interval "
        f"({text.interval_methods([row.estimate for row in found])}); layers in network order. Dashed: "
        "chance level, 0 for independent masks; 1: all masks are equal."
    )
    data = shaping.table(
        shaping.row(row, "population", "layer", "metric", "block", "chance", "pairs") for row in found
    )
    return figure.Figure(TITLE, message, caption, svg, data)


def _svg(
    analysis: load.Analysis,
    theme: style.Theme,
    key: str,
    message: str,
    panels: dict[str, by_layer.Rows],
    label: str,
) -> Markup:
    layers = [layer.name for layer in analysis.study.network.layers]
    with style.drawing(key):
        drawing = style.new_figure(4.1)
        grid = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, rows) in zip(grid, panels.items(), strict=True):
            by_layer.panel(axes, rows, layers, theme)
            axes.set_title(title)
        grid[0].set_ylabel(label)
        shown = [name for name in analysis.names if any(name in rows for rows in panels.values())]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *by_layer.chance_entry()])
        return style.svg(drawing, key, message)


def _rows(analysis: load.Analysis, layers: Sequence[str], block: records.Block) -> by_layer.Rows:
    return {
        name: [analysis.overlap(name, name, "jaccard_similarity", layer, block=block) for layer in layers]
        for name in analysis.names
    }


def _message(panel: by_layer.Rows, layers: Sequence[str], measure: str) -> str:
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
        return f"In no layer does the interval of the {measure} lie above its chance level."
    _, name, layer, row = max(excess, key=lambda one: one[0])
    digits = shaping.digits([row.estimate], 1.0, 3)
    value = numbers.fixed(row.estimate.value or 0.0, digits)
    interval = numbers.interval(row.estimate, 1.0, digits)
    return (
        f"{len(excess)} of {sum(map(len, panel.values()))} intervals lie above chance; the farthest is "
        f"{name} in layer {layer}: {value} {interval} against {numbers.fixed(row.chance or 0.0, digits)} "
        f"(n = {row.estimate.n}; intervals are not corrected for the choice)."
    )


def _caption(panels: dict[records.Block, by_layer.Rows]) -> str:
    rows = [row for panel in panels.values() for row in by_layer.flat(panel)]
    pairs = text.span([row.pairs for row in rows if isinstance(row, models.Overlap)])
    return (
        f"n = {pairs} pairs of members per point. Point and line: mean Jaccard similarity of the pairs "
        f"within a population and its interval ({text.interval_methods([row.estimate for row in rows])}); "
        "layers in network order. Dashed: chance level, the value expected for independent masks with the "
        "same number of kept weights in that layer."
    )
