"""Points with their intervals, side by side by population within groups, as several figures have them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from masklab.report import records, style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Series = Mapping[str, Mapping[str, records.Estimate]]
"""Population → group → estimate; a group may lack."""


def points(
    axes: "Axes",
    places: Sequence[tuple[float, records.Estimate]],
    colour: str,
    scale: float,
    *,
    hollow: bool = False,
    flat: bool = False,
) -> None:
    """Estimates in one colour, each with its interval; nothing where one is undefined.

    Args:
        axes: Where to draw.
        places: Place of each on the axis, and what to draw there.
        colour: Their colour.
        scale: Factor on all values: 100 for percent.
        hollow: Draw rings instead of discs.
        flat: Values lie along the horizontal axis; else they stand.
    """
    known = [(x, scale * own.value) for x, own in places if own.value is not None]
    if not known:
        return
    bars(
        axes,
        [
            (x, scale * own.low, scale * own.high)
            for x, own in places
            if own.value is not None and own.low is not None and own.high is not None
        ],
        colour,
        flat=flat,
    )
    look: dict[str, Any] = (
        {"markerfacecolor": "none", "markeredgewidth": 1.2} if hollow else {"markeredgewidth": 0}
    )
    where, values = zip(*known, strict=True)
    ends = (values, where) if flat else (where, values)
    axes.plot(*ends, "o", color=colour, markersize=4.5, **look)


def bars(
    axes: "Axes",
    ends: Sequence[tuple[float, float, float]],
    colour: str,
    *,
    flat: bool = False,
    **look: Any,
) -> None:
    """Straight lines of one colour as a single artist: many small ones are slow to draw.

    Args:
        axes: Where to draw.
        ends: (place, from, to) of each.
        colour: Their colour.
        flat: Lines lie, and places are heights; else they stand.
        look: Passed on to matplotlib.
    """
    if not ends:
        return
    places = [at for place, _, _ in ends for at in (place, place, math.nan)]
    values = [at for _, low, high in ends for at in (low, high, math.nan)]
    options: dict[str, Any] = {"linewidth": 1.4, **look}
    axes.plot(*((values, places) if flat else (places, values)), color=colour, **options)


def span(estimate: records.Estimate, scale: float) -> Iterator[tuple[float, float]]:
    """From the smallest to the largest number that is drawn of an estimate, if any is."""
    ends = [end for end in (estimate.value, estimate.low, estimate.high) if end is not None]
    if estimate.value is not None:
        yield scale * min(ends), scale * max(ends)


def shift(order: int, number: int, width: float = 0.44) -> float:
    """Place of one of several populations beside the middle of a group."""
    return 0.0 if number == 1 else width * (order / (number - 1) - 0.5)


def draw(
    axes: "Axes", groups: Sequence[str], series: Series, theme: style.Theme, *, hollow: bool = False
) -> None:
    """Percent by group and population; nothing is drawn for a population that `series` lacks.

    Args:
        axes: Where to draw.
        groups: In the order of the axis.
        series: What to draw.
        theme: Colours.
        hollow: Draw rings instead of discs, a little to the side.
    """
    for order, (name, own) in enumerate(series.items()):
        beside = shift(order, len(series), 0.6) + (0.035 if hollow else 0.0)
        places = [(place + beside, own[group]) for place, group in enumerate(groups) if group in own]
        points(axes, places, theme.colours[name], 100.0, hollow=hollow)
    axes.set_xticks(range(len(groups)), groups)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=True, axis="y")


def look_entries() -> "list[tuple[Artist, str]]":
    """Legend entries of discs and rings."""
    from matplotlib.lines import Line2D

    common: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4.5, "color": style.INK}
    return [
        (Line2D([], [], markeredgewidth=0, **common), "matched density"),
        (Line2D([], [], markerfacecolor="none", markeredgewidth=1.2, **common), "own density"),
    ]
