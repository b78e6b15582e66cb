"""Lines with bands over an axis, one panel for each recipe, on scales that can be compared."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from masklab.report import style
from masklab.report.figures import by_layer, dots
from masklab.report.together import colours, scales
from masklab.report.together.lines import Line, Panel, Position
from masklab.report.together.measures import Measure
from masklab.report.together.plan import Plan

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

MOST = 12
"""Panels that are drawn."""

_DASHES: Sequence[Any] = ("-", (0, (4, 1.4)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
_GREY_DASHES: Sequence[Any] = ((0, (3.5, 2.0)), (0, (1, 2.0)), (0, (5, 2, 1, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHED: Mapping[str, Any] = {"color": style.INK, "linestyle": "--", "linewidth": 1.1}
_TITLE = 46  # characters of a line above a panel
_OFF = 0.002  # chance levels nearer than this are drawn as one

Looks = Mapping[str, str]
"""Pruner → colour."""

_Cell = tuple[Measure, Panel]


def draw(plan: Plan, panels: Sequence[Panel], looks: Looks, key: str, message: str) -> "Markup":
    """The whole figure.

    Args:
        plan: What it is made of.
        panels: At most `MOST` are drawn.
        looks: Colours.
        key: Prefix of every id.
        message: Label for screen readers.
    """
    shown = panels[:MOST]
    cells = _cells(plan, shown)
    columns = len(cells[0])
    with style.drawing(key):
        drawing = style.new_figure(3.1 * len(cells) + 0.75, style.WIDTH if columns > 1 else 6.5)
        grid = drawing.add_gridspec(len(cells), columns)
        limits = scales.limits(plan.measures, shown)
        for down, row in enumerate(cells):
            for across, (measure, panel) in enumerate(row):
                ends = limits[scales.group(measure, panel)]
                parts = _parts(drawing, grid[down, across], ends)
                for axes in parts:
                    _lines(axes, measure, panel, looks)
                    _chance(axes, measure, panel)
                _dress(parts, plan, measure, panel, columns)
        _legend(drawing, shown, looks)
        return style.svg(drawing, key, message)


def _cells(plan: Plan, panels: Sequence[Panel]) -> list[list[_Cell]]:
    """Rows of cells: of one measure by threes; else a row per measure, or per panel where these are many."""
    measures = plan.measures
    if len(measures) == 1:
        columns = min(3, len(panels)) if len(panels) != 4 else 2
        flat = [(measures[0], panel) for panel in panels]
        return [flat[start : start + columns] for start in range(0, len(flat), columns)]
    if len(panels) in {2, 3}:
        return [[(measure, panel) for panel in panels] for measure in measures]
    return [[(measure, panel) for measure in measures] for panel in panels]


def _parts(drawing: "Figure", place: "SubplotSpec", ends: scales.Limits) -> list["Axes"]:
    """One axes, or two on one scale with what lies between them left out; the upper one first."""
    order = sorted(ends, reverse=True)
    grid = place.subgridspec(len(order), 1, height_ratios=[high - low for low, high in order])
    found = [drawing.add_subplot(grid[row, 0]) for row in range(len(order))]
    whole = sum(high - low for low, high in order)
    for axes, (low, high) in zip(found, order, strict=True):
        axes.set_ylim(low, high)
        axes.autoscale(enable=False, axis="y")
        axes.locator_params(axis="y", nbins=max(2, round(7 * (high - low) / whole)))
    for axes in found[:-1]:
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
    return found


def _dress(parts: Sequence["Axes"], plan: Plan, measure: Measure, panel: Panel, columns: int) -> None:
    """Ticks, grid and labels."""
    import textwrap

    named = scales.named(panel)
    for axes in parts:
        if named:
            axes.set_xticks(range(len(panel.places)), [str(place) for place in panel.places])
            axes.set_xlim(-0.6, len(panel.places) - 0.4)
            axes.tick_params(axis="x", length=0)
            axes.grid(visible=True, axis="y")
        else:
            scales.across(axes, panel, columns)
            axes.grid(visible=True)
    parts[0].set_title("\n".join(textwrap.wrap(panel.title, _TITLE)[:3]), fontsize=8.5)
    parts[-1].set_xlabel("" if named else plan.axis.label)
    max(parts, key=lambda axes: axes.get_ylim()[1] - axes.get_ylim()[0]).set_ylabel(measure.label)


def _lines(axes: "Axes", measure: Measure, panel: Panel, looks: Looks) -> None:
    for order, line in enumerate(panel.lines):
        if scales.named(panel):
            _points(axes, measure, line, panel.places, dots.shift(order, len(panel.lines), 0.6), looks)
        else:
            _line(axes, measure, line, looks)


def _dashes(line: Line, looks: Looks) -> Any:
    known = _GREY_DASHES if looks[line.pruner] == colours.GREY else _DASHES
    return known[line.style % len(known)]


def _line(axes: "Axes", measure: Measure, line: Line, looks: Looks) -> None:
    """Means joined, their intervals as bands; an interval beside none is a stroke."""
    colour, scale = looks[line.pruner], measure.scale
    found = [(float(place), own) for place, own in scales.known(measure, line)]
    axes.plot(
        [place for place, _ in found],
        [scale * (own.value or 0.0) for _, own in found],
        color=colour,
        linestyle=_dashes(line, looks),
        marker=_MARKERS[line.style % len(_MARKERS)],
        markersize=4.5,
        markeredgewidth=0,
    )
    runs: list[list[tuple[float, float, float]]] = [[]]
    for place, own in found:
        if own.low is None or own.high is None:
            runs.append([])
        else:
            runs[-1].append((place, scale * own.low, scale * own.high))
    dots.bars(axes, [run[0] for run in runs if len(run) == 1], colour)
    for run in runs:
        if len(run) > 1:
            places, lows, highs = zip(*run, strict=True)
            axes.fill_between(places, lows, highs, color=colour, alpha=0.16, linewidth=0)


def _points(
    axes: "Axes", measure: Measure, line: Line, places: Sequence[Position], shift: float, looks: Looks
) -> None:
    """Means with intervals, side by side in each category."""
    found = [(places.index(place) + shift, own) for place, own in scales.known(measure, line)]
    dots.points(axes, found, looks[line.pruner], measure.scale)


def _chance(axes: "Axes", measure: Measure, panel: Panel) -> None:
    """What there is by chance, dashed: a curve with the levels that lie beside it, or levels alone."""
    if measure.curve is None:
        for level in scales.levels(measure, panel):
            axes.axhline(level, **_DASHED)
        return
    own = [(place, point) for line in panel.lines for place, point in line.places]
    placed = [(place, point) for place, point in own if not isinstance(place, str)]
    first, last = min(place for place, _ in placed), max(place for place, _ in placed)
    fine = [first * (last / first) ** (step / 100.0) for step in range(101)]
    axes.plot(fine, [measure.scale * measure.curve(place) for place in fine], **_DASHED)
    for place, point in placed:
        level = measure.chance(point)
        if level is not None and abs(level - measure.curve(place)) > _OFF:
            axes.plot(place, measure.scale * level, "_", color=style.INK, markersize=9)


def _legend(drawing: "Figure", panels: Sequence[Panel], looks: Looks) -> None:
    from matplotlib.lines import Line2D

    lines = {(line.label, line.style): line for panel in panels for line in panel.lines}
    entries: list[tuple[Artist, str]] = []
    for line in lines.values():
        look: dict[str, Any] = {
            "color": looks[line.pruner],
            "linestyle": _dashes(line, looks),
            "linewidth": 2,
        }
        marker = _MARKERS[line.style % len(_MARKERS)]
        entries.append((Line2D([], [], marker=marker, markersize=5, markeredgewidth=0, **look), line.label))
    style.legend_below(drawing, [*entries, *by_layer.chance_entry()])
