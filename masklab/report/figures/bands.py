"""Lines of estimates with their intervals as bands, as several figures have them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from masklab.report import records, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = Mapping[str, Sequence[tuple[float, records.Estimate]]]
"""Population → (position, estimate), ascending."""


def draw(
    axes: "Axes", series: Series, theme: style.Theme, scale: float, *, opacity: float = 0.18, **look: Any
) -> None:
    """One line per population; what is undefined is left out.

    Args:
        axes: Where to draw.
        series: What to draw.
        theme: Colours.
        scale: Factor on all values: 100 for percent.
        opacity: Of the bands.
        look: Passed on to matplotlib for the lines.
    """
    for name, places in series.items():
        colour = theme.colours[name]
        drawn = [(x, scale * own.value) for x, own in places if own.value is not None]
        if not drawn:
            continue
        options: dict[str, Any] = {"marker": "o", "markersize": 3.5, "markeredgewidth": 0, **look}
        axes.plot(*zip(*drawn, strict=True), color=colour, **options)
        known = [
            (x, scale * own.low, scale * own.high)
            for x, own in places
            if own.low is not None and own.high is not None
        ]
        if len(known) == 1:  # a band of no width would not be seen
            ((x, low, high),) = known
            axes.plot([x, x], [low, high], color=colour, linewidth=1.4)
        elif known:
            xs, lows, highs = zip(*known, strict=True)
            axes.fill_between(xs, lows, highs, color=colour, alpha=opacity, linewidth=0)


def chance(axes: "Axes", levels: Sequence[float]) -> None:
    """Dashed chance levels that lie in the panel or near to it, in percent.

    Args:
        axes: Where everything else was drawn.
        levels: The levels as fractions.
    """
    low, high = axes.get_ylim()
    for level in dict.fromkeys(round(100.0 * level, 6) for level in levels):
        if low - (high - low) <= level <= high + (high - low):
            axes.axhline(level, color=style.INK, linestyle="--", linewidth=1.1)
