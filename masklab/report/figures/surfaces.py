"""Accuracy over planes: through three members, and along two sets of flips."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from masklab.report import load, numbers, style, text
from masklab.report.figures import figure, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Planes of accuracy"
_SHOWN = 4
_LEVELS = 12
_LEAST = 0.5  # points between the ends of the scale
_PAPER = "#ffffff"
_PENCIL = "#111111"  # on colours that are the same in light and dark


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Contours of accuracy, one panel per plane, with the members where they lie."""
    del theme  # colours are accuracies
    planes = _chosen(analysis.results.planes)
    if not planes:
        why = landscape.nothing(analysis) or "No population has the members that a plane is drawn around."
        return figure.absent(TITLE, why)
    message = _message(analysis, planes)
    columns = min(2, len(planes))
    lines = -(-len(planes) // columns)
    with style.drawing(key):
        drawing = style.new_figure(3.7 * lines, 8.8 if columns > 1 else 5.2)
        grid = drawing.subplots(lines, columns, squeeze=False).ravel()
        levels = _levels([analysis.surfaces[plane.array] for plane in planes])
        filled: Any = None
        for axes, plane in zip(grid, planes, strict=False):
            filled = _panel(axes, plane, analysis.surfaces[plane.array], levels)
        for axes in grid[len(planes) :]:
            axes.set_visible(False)
        bar = drawing.colorbar(filled, ax=list(grid), shrink=0.7, pad=0.02)
        bar.set_ticks(_ticks(levels))
        bar.set_label("test accuracy, %")
        bar.outline.set_visible(False)
        svg = style.svg(drawing, key, message)
    left = len(analysis.results.planes) > len(planes)
    note = "Further planes stand in analysis/landscape.npz." if left else ""
    data = shaping.table(
        (row for plane in planes for row in _data(plane, analysis.surfaces[plane.array])), note
    )
    return figure.Figure(TITLE, message, _caption(analysis, planes), svg, data)


def _data(plane: rows.Plane, surface: load.Surface) -> Iterator[shaping.Row]:
    """Every network of a plane, then the members that lie in it."""
    fields: shaping.Row = {"plane": plane.array, "population": plane.population, "kind": plane.kind}
    for y, line in zip(plane.y, surface.tolist(), strict=True):
        for x, accuracy in zip(plane.x, line, strict=True):
            yield {**fields, "id": None, "x": x, "y": y, "accuracy": accuracy}
    for corner in plane.at:
        yield {**fields, "id": corner.id, "x": corner.x, "y": corner.y, "accuracy": corner.accuracy}


def _chosen(planes: Sequence[rows.Plane]) -> list[rows.Plane]:
    """The first planes, of both kinds in turn."""
    kinds = [[plane for plane in planes if plane.kind == kind] for kind in ("members", "flips")]
    return [plane for both in itertools.zip_longest(*kinds) for plane in both if plane is not None][:_SHOWN]


def _levels(surfaces: Sequence[load.Surface]) -> list[float]:
    """Borders between colours, in percent, the same in all panels."""
    from matplotlib import ticker

    low = 100.0 * min(float(surface.min()) for surface in surfaces)
    high = 100.0 * max(float(surface.max()) for surface in surfaces)
    if high - low < _LEAST:
        low, high = low - _LEAST, high + _LEAST
    levels = ticker.MaxNLocator(_LEVELS, steps=[1, 2, 5, 10]).tick_values(low, high)
    return sorted({min(100.0, max(0.0, float(level))) for level in levels})


def _ticks(levels: Sequence[float]) -> list[float]:
    """Round numbers within the levels: 0, 20, …, 100 for all accuracies."""
    from matplotlib import ticker

    ticks = ticker.MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(levels[0], levels[-1])
    return [float(tick) for tick in ticks if levels[0] <= tick <= levels[-1]]


def _panel(axes: "Axes", plane: rows.Plane, surface: load.Surface, levels: list[float]) -> Any:
    filled = axes.contourf(plane.x, plane.y, 100.0 * surface, levels=levels, cmap="viridis")
    filled.set_edgecolor("face")  # else seams show between the areas
    for letter, corner in zip("ABC", plane.at, strict=False):
        disc: Any = {"color": _PAPER, "markeredgecolor": _PENCIL, "markersize": 11, "clip_on": False}
        axes.plot(corner.x, corner.y, "o", zorder=5, **disc)
        middle: Any = {"ha": "center", "va": "center_baseline", "fontsize": 7.5}
        axes.text(corner.x, corner.y, letter, color=_PENCIL, zorder=6, **middle)
    axes.set_title(f"{plane.population}\n{'three members' if plane.kind == 'members' else 'flips'}")
    if plane.kind == "members":
        axes.set_xlabel("x, from A to B")
        axes.set_ylabel("y, from A to C")
    else:
        axes.set_xlabel("x, share of the first set flipped")
        axes.set_ylabel("y, share of the second set flipped")
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)
    axes.tick_params(length=2)
    return filled


def _message(analysis: load.Analysis, planes: Sequence[rows.Plane]) -> str:
    said, digits = [], sentences.places(planes)
    for plane in planes:
        kind = "between three members" if plane.kind == "members" else "under flips"
        low, high = (numbers.percent(value, digits) for value in (plane.accuracy_min, plane.accuracy_max))
        said.append(f"{plane.population} {kind} {low} to {high} %")
    total = len(analysis.results.planes)
    shown = f"the {len(planes)} of {total} planes shown" if total > len(planes) else "each plane"
    return f"Lowest to highest accuracy over {shown}, one evaluation each: {'; '.join(said)}."


def _caption(analysis: load.Analysis, planes: Sequence[rows.Plane]) -> str:
    corners = [
        ", ".join(f"{letter} {corner.id}" for letter, corner in zip("ABC", plane.at, strict=False))
        for plane in planes
    ]
    total = len(analysis.results.planes)
    across = list(dict.fromkeys(plane.population for plane in planes if plane.block == "across"))
    draws = f" The three of {', '.join(across)} lie on different draws of base weights." if across else ""
    others = f" {total - len(planes)} further planes stand in landscape.npz." if total > len(planes) else ""
    flips = [plane.flips for plane in planes if plane.flips is not None]
    sets = (
        f" Flips: from a member, two disjoint random sets of {text.span(flips)} bits, as "
        "many as two members of the population differ in on average; (0, 0) is the member."
        if flips
        else ""
    )
    return (
        f"n = {text.span([len(plane.x) * len(plane.y) for plane in planes])} networks per plane, "
        f"{text.span([plane.images for plane in planes])} test images; {landscape.statistics(planes)}. Three "
        "members: effective weights A + x(B − A) + y(C − A); colours between the networks are interpolated. "
        f"Members, from the first panel on: {'; '.join(corners)}.{draws}{sets} One plane each, so there is "
        f"no interval; {landscape.chance(planes)}.{others}"
    )
