"""Scales of panels: one for all panels of a measure and, where that matters, of a data set."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from masklab.report import records
from masklab.report.figures import broken
from masklab.report.together.lines import Line, Panel, Position
from masklab.report.together.measures import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DECADE = 10.0
_NEAR = 0.036  # share of the width of a figure below which two labels touch

Limits = Sequence[tuple[float, float]]
"""Ends of an axis: of one part, or of two with a gap between them that is left out."""

Group = tuple[str, str]


def group(measure: Measure, panel: Panel) -> Group:
    """Panels of equal groups have one scale."""
    return measure.name, panel.data if measure.by_data else ""


def named(panel: Panel) -> bool:
    """Whether positions are names."""
    return any(isinstance(place, str) for place in panel.places)


def known(measure: Measure, line: Line) -> list[tuple[Position, records.Estimate]]:
    """Positions of a line, and its values where they are defined."""
    found = [(place, measure.get(point)) for place, point in line.places]
    return [(place, own) for place, own in found if own is not None and own.value is not None]


def levels(measure: Measure, panel: Panel) -> list[float]:
    """Chance levels that are drawn as lines."""
    found = [level for point in panel.points if (level := measure.chance(point)) is not None]
    return list(dict.fromkeys(round(measure.scale * level, 6) for level in measure.levels(found)))


def limits(measures: Sequence[Measure], panels: Sequence[Panel]) -> Mapping[Group, Limits]:
    """Ends of the vertical axis of every group."""
    groups: dict[Group, list[tuple[Measure, Panel]]] = {}
    for measure in measures:
        for panel in panels:
            groups.setdefault(group(measure, panel), []).append((measure, panel))
    return {key: _limits(own[0][0], [panel for _, panel in own]) for key, own in groups.items()}


def _limits(measure: Measure, panels: Sequence[Panel]) -> Limits:
    """A gap is left out only where no line crosses it."""
    drawn = [_ends(measure, line) for panel in panels for line in panel.lines]
    spans = [(min(own), max(own)) for own in drawn if own]
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    near = [level for panel in panels for level in _chances(measure, panel)]
    shown = [level for level in near if low - (high - low) <= level <= high + (high - low)]
    shown += [] if measure.within is None else [measure.within]
    spans += [(level, level) for level in shown]
    if measure.breaks:
        return broken.ranges(spans)
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    pad = 0.05 * (high - low) or 0.5 * measure.scale / 100.0
    return [(low - pad, high + pad)]


def _ends(measure: Measure, line: Line) -> list[float]:
    """Values of a line and the ends of their intervals."""
    found = [end for _, own in known(measure, line) for end in (own.value, own.low, own.high)]
    return [measure.scale * end for end in found if end is not None]


def _chances(measure: Measure, panel: Panel) -> list[float]:
    if measure.curve is None:
        return levels(measure, panel)
    found = [measure.chance(point) for point in panel.points]
    places = [place for place in panel.places if not isinstance(place, str)]
    on_curve = [measure.curve(place) for place in (places[0], places[-1])]
    return [measure.scale * level for level in (*found, *on_curve) if level is not None]


def across(axes: "Axes", panel: Panel, columns: int) -> None:
    """Horizontal axis with ticks at the positions themselves, in logarithms over more than a decade.

    Args:
        axes: Where to draw.
        panel: Whose positions, all of them numbers.
        columns: Panels side by side: the more, the fewer labels fit.
    """
    from matplotlib import ticker

    places = [place for place in panel.places if not isinstance(place, str)]
    if places[0] > 0.0 and places[-1] > _DECADE * places[0] * (1.0 + 1e-9):
        axes.set_xscale("log")
        margin = (places[-1] / places[0]) ** 0.05
        axes.set_xlim(places[0] / margin, places[-1] * margin)
    else:
        pad = 0.05 * ((places[-1] - places[0]) or 1.0)
        axes.set_xlim(places[0] - pad, places[-1] + pad)
    at = axes.transScale.transform([(place, 1.0) for place in places])[:, 0]
    span = float(at[-1] - at[0]) or 1.0
    shown, last = [], None
    for place, where in zip(places, at, strict=True):
        if last is None or (where - last) / span >= columns * _NEAR:
            shown.append(place)
            last = where
    axes.set_xticks(shown, [f"{place:g}" for place in shown])
    axes.xaxis.set_minor_locator(ticker.FixedLocator(list(places)))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
