"""Points with their intervals, side by side by population within groups, as several figures have them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from masklab.report import records, style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Series = Mapping[str, Mapping[str, records.Estimate]]
"""Population → group → estimate; a group may lack."""


def point(
    axes: "Axes", x: float, estimate: records.Estimate, colour: str, scale: float, *, hollow: bool = False
) -> None:
    """One estimate with its interval; nothing where it is undefined.

    Args:
        axes: Where to draw.
        x: Its place.
        estimate: What to draw.
        colour: Its colour.
        scale: Factor on all values: 100 for percent.
        hollow: Draw a ring instead of a disc.
    """
    if estimate.value is None:
        return
    if estimate.low is not None and estimate.high is not None:
        axes.plot([x, x], [scale * estimate.low, scale * estimate.high], color=colour, linewidth=1.4)
    look: dict[str, Any] = (
        {"markerfacecolor": "none", "markeredgewidth": 1.2} if hollow else {"markeredgewidth": 0}
    )
    axes.plot(x, scale * estimate.value, "o", color=colour, markersize=4.5, **look)


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
        for place, group in enumerate(groups):
            if group in own:
                x = place + shift(order, len(series), 0.6) + (0.035 if hollow else 0.0)
                point(axes, x, own[group], theme.colours[name], 100.0, hollow=hollow)
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
