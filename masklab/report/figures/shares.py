"""Where the distance between masks comes from: the share that each layer has of it."""

from collections.abc import Iterator, Sequence

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import by_layer, figure, shaping

TITLE = "Share of the distance by layer"
METRIC = "distance_share"


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Each layer's share of the Hamming distance within populations, beside that of independent masks."""
    layers = [layer.name for layer in analysis.study.network.layers]
    block, rows = _rows(analysis, layers)
    if not rows:
        why = "No population has two stored members that differ"
        return figure.absent(TITLE, figure.without_pairs(analysis, why))
    message = _message(rows, layers)
    relative = _relative(rows)
    with style.drawing(key):
        drawing = style.new_figure(3.8)
        axes = drawing.subplots()
        by_layer.panel(axes, relative, _labels(rows, layers), theme)
        axes.set_ylabel("share ÷ chance level")
        style.legend_below(drawing, [*style.population_entries(theme, rows), *by_layer.chance_entry()])
        svg = style.svg(drawing, key, message)
    return figure.Figure(TITLE, message, _caption(rows, block), svg, shaping.table(_data(rows, relative)))


def _data(rows: by_layer.Rows, relative: by_layer.Rows) -> Iterator[shaping.Row]:
    """Shares, and what is drawn of them: multiples of their chance levels."""
    for name, own in rows.items():
        for row, times in zip(own, relative[name], strict=True):
            if isinstance(row, records.Structure) and times is not None and times.estimate.value is not None:
                ends = ("value", "low", "high")
                ratios: shaping.Row = {f"ratio_{end}": getattr(times.estimate, end) for end in ends}
                yield {**shaping.row(row, "population", "layer", "metric", "block", "chance"), **ratios}


def _rows(analysis: load.Analysis, layers: Sequence[str]) -> tuple[str, by_layer.Rows]:
    """Of pairs that share base weights, unless there are none at all."""
    found = {
        (row.block, row.population, row.layer): row
        for row in analysis.results.structure
        if row.metric == METRIC
    }
    for block in ("within", "across"):
        rows: by_layer.Rows = {
            name: [found.get((block, name, layer)) for layer in layers] for name in analysis.compared
        }
        if rows := by_layer.known(rows):
            return block, rows
    return "", {}


def _relative(rows: by_layer.Rows) -> by_layer.Rows:
    """The same as multiples of the chance level."""
    return {name: [_divided(row) for row in own] for name, own in rows.items()}


def _divided(row: by_layer.Row | None) -> by_layer.Row | None:
    if row is None or not row.chance:
        return None
    ends = {
        key: None if value is None else value / row.chance
        for key, value in (
            ("value", row.estimate.value),
            ("low", row.estimate.low),
            ("high", row.estimate.high),
        )
    }
    return row.model_copy(update={"estimate": row.estimate.model_copy(update=ends), "chance": 1.0})


def _labels(rows: by_layer.Rows, layers: Sequence[str]) -> list[str]:
    """Layers with the share that they would have at chance."""
    found = []
    for place, layer in enumerate(layers):
        levels = [
            100.0 * row.chance for own in rows.values() if (row := own[place]) and row.chance is not None
        ]
        low, high = (f"{end:.3g}" for end in (min(levels, default=0.0), max(levels, default=0.0)))
        found.append(f"{layer}\n{low if low == high else f'{low} to {high}'} %")
    return found


def _message(rows: by_layer.Rows, layers: Sequence[str]) -> str:
    ratios = [
        (row.estimate.value / row.chance, name, layer, row)
        for name, own in rows.items()
        for layer, row in zip(layers, own, strict=True)
        if row is not None and row.estimate.value is not None and row.chance
    ]
    if not ratios:
        return "Share of the distance between masks that lies in each layer."
    ratio, name, layer, row = min(ratios, key=lambda one: one[0])
    digits = shaping.digits([row.estimate], 100.0, 2)
    value, level = (numbers.percent(own or 0.0, digits) for own in (row.estimate.value, row.chance))
    interval = numbers.interval(row.estimate, 100.0, digits)
    return (
        f"Farthest under its chance level is layer {layer} in {name}: it has {value} % "
        f"{interval + ' ' if interval else ''}of the distance and would have {level} % among independent "
        f"masks ({ratio:.2f} times; n = {row.estimate.n})."
    )


def _caption(rows: by_layer.Rows, block: str) -> str:
    found = [row for own in rows.values() for row in own if isinstance(row, records.Structure)]
    shared = "share" if block == "within" else "do not share"
    return (
        f"n = {text.span([row.estimate.n for row in found])} members per point. Point and line: share of the "
        f"summed Hamming distance of the pairs that {shared} base weights which lies in that layer, divided "
        f"by its chance level, and its interval ({text.interval_methods([row.estimate for row in found])}). "
        "Dashed: chance level; under each layer its share of the distance between independent masks with the "
        "same kept counts. Layers below 1 are where masks agree more than elsewhere."
    )
