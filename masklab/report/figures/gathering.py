"""Accuracy of the consensus of ever more masks."""

from collections.abc import Mapping, Sequence

from masklab.report import load, style, text
from masklab.report.figures import algebra, bands, by_layer, figure, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

TITLE = "Consensus of masks"

Series = Mapping[str, Sequence[rows.Algebra]]
"""Population → its rows, by number of masks."""


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """One line per population over the number of masks."""
    from matplotlib import ticker

    series = _series(analysis)
    if not series:
        why = landscape.nothing(analysis) or "No two masks of a population share base weights."
        return figure.absent(TITLE, why)
    message = _message(analysis, series)
    with style.drawing(key):
        drawing = style.new_figure(3.9, 7.5)
        axes = drawing.subplots()
        places = {
            name: [(float(row.masks or 0), row.accuracy) for row in own] for name, own in series.items()
        }
        bands.draw(axes, places, theme, 100.0, opacity=0.12)
        bands.chance(axes, [row.chance for own in series.values() for row in own])
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.set_xlabel("masks")
        axes.set_ylabel("test accuracy, %")
        axes.grid(visible=True)
        style.legend_below(drawing, [*style.population_entries(theme, series), *by_layer.chance_entry()])
        svg = style.svg(drawing, key, message)
    names = ("population", "operation", "masks", "density_kind", "density", "sets", "statistics")
    data = shaping.table(
        shaping.row(row, *names, "images", "chance", of="accuracy") for own in series.values() for row in own
    )
    return figure.Figure(TITLE, message, _caption(analysis, series), svg, data)


def _series(analysis: load.Analysis) -> Series:
    found: dict[str, list[rows.Algebra]] = {}
    for row in analysis.results.algebra:
        if row.operation == algebra.CONSENSUS and row.masks and row.accuracy.value is not None:
            found.setdefault(row.population, []).append(row)
    return {
        name: sorted(found[name], key=lambda row: row.masks or 0) for name in analysis.names if name in found
    }


def _message(analysis: load.Analysis, series: Series) -> str:
    own = sentences.chosen(analysis, [name for name, found in series.items() if len(found) > 1])
    if not own.names:
        return "Accuracy of the weights that most masks keep."
    said = []
    for at in (0, -1):
        shown = {name: series[name][at] for name in own.names}
        masks = text.counted([round(row.masks) for row in shown.values()], "mask")
        reached = {name: row.accuracy for name, row in shown.items()}
        said.append(f"{masks} {sentences.extent(reached, sentences.places(shown.values()), ' %')}")
    sets = text.counted([row.sets for name in own.names for row in series[name]], "set of masks")
    return (
        f"Accuracy of the weights that most masks keep, of {own.called} (n = {sets}; brackets: from "
        f"the lowest end to the highest of the intervals): {'; '.join(said)}."
    )


def _caption(analysis: load.Analysis, series: Series) -> str:
    found = [row for own in series.values() for row in own]
    return (
        f"n = {text.counted([row.sets for row in found], 'set of masks')} per point, each of one draw of "
        f"base weights; {text.span([row.images for row in found])} test images; "
        f"{landscape.statistics(found)}. The weights that most of so many masks keep, as many of each layer "
        "as a member keeps, ties at random; one mask is a member itself. Line: mean over the sets; band: its "
        "interval "
        f"({text.interval_methods([row.accuracy for row in found])}). Dashed: "
        f"{landscape.chance(found)}.{algebra.left_out(analysis, found)}"
    )
