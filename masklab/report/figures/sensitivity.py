"""Which layer's bits matter most."""

from collections.abc import Sequence
from dataclasses import dataclass

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import by_layer, figure, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

TITLE = "Sensitivity of layers"


@dataclass(frozen=True)
class _Drop:
    """Accuracy lost; what independent flips would cost is not known."""

    estimate: records.Estimate
    chance: float | None = None


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Accuracy lost when a share of the bits of one layer at a time is swapped."""
    found = [row for row in analysis.results.neighbourhood if row.kind == "layer"]
    layers = [layer.name for layer in analysis.study.network.layers]
    drops = _by_layer(analysis, found, layers)
    if not drops:
        why = landscape.nothing(analysis) or "The flips of single layers were not measured."
        return figure.absent(TITLE, why)
    message = _message(analysis, found)
    with style.drawing(key):
        drawing = style.new_figure(3.9)
        axes = drawing.subplots()
        by_layer.panel(axes, drops, layers, theme, scale=100.0)
        axes.axhline(0.0, color=style.INK, linewidth=0.8)
        axes.set_ylabel("accuracy lost, points")
        style.legend_below(drawing, style.population_entries(theme, drops))
        svg = style.svg(drawing, key, message)
    names = ("population", "kind", "layer", "share", "flips", "statistics", "members", "images")
    data = shaping.table(
        shaping.row(row, *names, of="drop")
        for row in found
        if row.layer in layers and row.drop.value is not None
    )
    return figure.Figure(TITLE, message, _caption(found), svg, data)


def _by_layer(
    analysis: load.Analysis, found: Sequence[rows.Flips], layers: Sequence[str]
) -> dict[str, list[_Drop | None]]:
    """Populations that have a value, with their values in the order of the layers."""
    drops = {(row.population, row.layer): _Drop(row.drop) for row in found if row.drop.value is not None}
    every = {name: [drops.get((name, layer)) for layer in layers] for name in analysis.names}
    return {name: own for name, own in every.items() if any(own)}


def _message(analysis: load.Analysis, found: Sequence[rows.Flips]) -> str:
    """Only a layer whose interval lies above those of all others is named."""
    drops: dict[str, dict[str, records.Estimate]] = {}
    for row in found:
        if row.drop.value is not None:
            drops.setdefault(row.population, {})[row.layer] = row.drop
    own = sentences.chosen(analysis, drops)
    said: dict[str, list[str]] = {}
    for name in own.names:
        first = max(drops[name], key=lambda layer: drops[name][layer].value or 0.0)
        lost = numbers.percent(drops[name][first].value or 0.0, sentences.places(found))
        if len(drops[name]) > 1 and sentences.apart(drops[name], first, lowest=False):
            said.setdefault(first, []).append(f"{name} ({lost} points)")
    members = text.counted([row.members for row in found if row.population in own.names], "member")
    if not said:
        return (
            f"Intervals of layers overlap (n = {members} each) in {own.called}: which layer's swaps cost "
            "most is not known."
        )
    parts = [f"{layer} in {', '.join(names)}" for layer, names in said.items()]
    others = len(own.names) - sum(map(len, said.values()))
    rest = f"; intervals of layers overlap in {others} of {len(own.names)} {own.called}" if others else ""
    return f"Swapped bits cost most in layer {'; '.join(parts)} (n = {members}){rest}."


def _caption(found: Sequence[rows.Flips]) -> str:
    share = text.span([round(100.0 * row.share) for row in found])
    return (
        f"n = {text.counted([row.members for row in found], 'member')} per point, "
        f"{text.span([row.images for row in found])} test images; {landscape.statistics(found)}. About "
        f"{share} % of the bits of one layer are swapped, kept for pruned, all others stay. Point: mean over "
        "members of the accuracy lost against the members themselves; line: its interval "
        f"({text.interval_methods([row.drop for row in found])}). Without effect: 0; accuracy: "
        f"{landscape.chance(found)}. By flipped bit in the table below."
    )
