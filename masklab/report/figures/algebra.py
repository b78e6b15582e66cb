"""Accuracy of unions, intersections and majorities of masks."""

from collections.abc import Sequence

from masklab.report import load, records, style, text
from masklab.report.figures import bands, by_layer, dots, figure, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

TITLE = "Union, intersection, majority of masks"

OPERATIONS = ("members", "union", "intersection", "majority", "symmetric-difference", "random")
CONSENSUS = "consensus"


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Points by operation, beside members and matched random masks."""
    found = [row for row in analysis.results.algebra if row.operation != CONSENSUS]
    if not found:
        why = landscape.nothing(analysis) or (
            "No two masks of a population share base weights, so none are joined or intersected."
        )
        return figure.absent(TITLE, why)
    groups = list(dict.fromkeys([*OPERATIONS, *(row.operation for row in found)]))
    groups = [name for name in groups if any(row.operation == name for row in found)]
    message = _message(analysis, found)
    with style.drawing(key):
        drawing = style.new_figure(4.2)
        axes = drawing.subplots()
        for kind in ("matched", "own"):
            dots.draw(axes, groups, _series(analysis, found, kind), theme, hollow=kind == "own")
        bands.chance(axes, [row.chance for row in found])
        axes.set_ylabel("test accuracy, %")
        shown = [name for name in analysis.names if any(row.population == name for row in found)]
        entries = [*dots.look_entries(), *by_layer.chance_entry()]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *entries])
        svg = style.svg(drawing, key, message)
    names = ("population", "operation", "density_kind", "density", "masks", "sets", "statistics")
    data = shaping.table(
        shaping.row(row, *names, "images", "chance", of="accuracy")
        for row in found
        if row.accuracy.value is not None
    )
    return figure.Figure(TITLE, message, _caption(analysis, found), svg, data)


def _series(analysis: load.Analysis, found: Sequence[rows.Algebra], kind: str) -> dots.Series:
    """Estimates of every population that has any, so that both kinds stand at the same places."""
    names = [name for name in analysis.names if any(row.population == name for row in found)]
    return {
        name: {
            row.operation: row.accuracy
            for row in found
            if row.population == name and row.density_kind == kind
        }
        for name in names
    }


def _message(analysis: load.Analysis, found: Sequence[rows.Algebra]) -> str:
    own = sentences.chosen(analysis, [row.population for row in found])
    joined = [
        row
        for row in found
        if row.population in own.names
        and row.density_kind == "matched"
        and row.operation not in ("members", "random")
        and row.gain.value is not None
    ]
    if not joined:
        return "Accuracy of what operations make of the masks of a population."
    gains: dict[str, dict[str, records.Estimate]] = {}
    for row in joined:
        gains.setdefault(row.operation, {})[row.population] = row.gain
    digits = sentences.places(joined)
    said = "; ".join(f"{name} {sentences.extent(values, digits)}" for name, values in gains.items())
    return (
        f"Accuracy at matched density over that of the members, points, of {own.called} "
        f"(n = {text.counted([row.sets for row in joined], 'set of masks')}; brackets: from the lowest end "
        f"to the highest of the intervals): {said}."
    )


def _caption(analysis: load.Analysis, found: Sequence[rows.Algebra]) -> str:
    return (
        f"n = {text.counted([row.sets for row in found], 'set of masks')} per point (draws of base weights; "
        f"pairs for the symmetric difference), {text.span([row.images for row in found])} test images; "
        f"{landscape.statistics(found)}. Disc: at the members' density, layer by layer; ring: at the density "
        "that the operation gives. members: mean of the masks themselves; random: a random mask on the same "
        "base weights. Line: interval "
        f"({text.interval_methods([row.accuracy for row in found])}). Dashed: "
        f"{landscape.chance(found)}.{left_out(analysis, found)}"
    )


def left_out(analysis: load.Analysis, found: Sequence[rows.Algebra]) -> str:
    """Populations without a row, as a sentence with a space before it."""
    known = {row.population for row in found}
    without = [
        own.name
        for own in analysis.results.populations
        if own.compared and not own.imported and own.name not in known
    ]
    if not without:
        return ""
    return f" Without two members over the same base weights (a refresh changes them): {', '.join(without)}."
