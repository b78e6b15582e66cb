"""One panel with a value per population and layer, as several figures have it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from masklab.report import models, records, style
from masklab.report.figures import dots

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


@runtime_checkable
class Level(Protocol):
    """A value with its chance level."""

    @property
    def estimate(self) -> records.Estimate:
        """The value."""
        ...

    @property
    def chance(self) -> float | None:
        """What to compare it with."""
        ...


Row = models.Overlap | records.Measured | records.Structure
Rows = dict[str, list[Row | None]]
"""Population → its rows, in the order of the layers."""


def known(rows: Rows) -> Rows:
    """The populations of which at least one value is defined."""
    return {
        name: own
        for name, own in rows.items()
        if any(row is not None and row.estimate.value is not None for row in own)
    }


def flat(rows: Rows) -> list[Row]:
    """All rows that have a value, population by population."""
    return [row for own in rows.values() for row in own if row is not None and row.estimate.value is not None]


def panel(
    axes: "Axes",
    shown: Mapping[str, Sequence[Level | None]],
    layers: Sequence[str],
    theme: style.Theme,
    *,
    scale: float = 1.0,
) -> None:
    """Points with intervals, one group per layer, and the chance level of each as a dashed line.

    Args:
        axes: Where to draw.
        shown: Population → its rows, in the order of the layers.
        layers: Names of the layers.
        theme: Colours.
        scale: Factor on all values: 100 for percent.
    """
    drawn: set[tuple[float | None, ...]] = set()
    for order, (name, rows) in enumerate(shown.items()):
        shift = dots.shift(order, len(shown))
        places = [(place + shift, row.estimate) for place, row in enumerate(rows) if row is not None]
        dots.points(axes, places, theme.colours[name], scale)
        known = [
            (place + shift, scale * row.estimate.value)
            for place, row in enumerate(rows)
            if row is not None and row.estimate.value is not None
        ]
        axes.plot(*zip(*known, strict=True), color=theme.colours[name], linewidth=0.8, alpha=0.6)
        chance = tuple(None if row is None or row.chance is None else round(row.chance, 9) for row in rows)
        if chance not in drawn:
            drawn.add(chance)
            levels = [
                (scale * level, place - 0.38, place + 0.38)
                for place, level in enumerate(chance)
                if level is not None
            ]
            dots.bars(axes, levels, style.INK, flat=True, linestyle="--", linewidth=1.1)
    longest = max((len(line) for layer in layers for line in layer.split("\n")), default=0)
    steep = len(layers) * longest > 60
    axes.set_xticks(
        range(len(layers)), layers, rotation=45 if steep else 0, ha="right" if steep else "center"
    )
    axes.set_xlim(-0.6, len(layers) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y")


def chance_entry() -> "list[tuple[Artist, str]]":
    """Legend entry of a dashed chance level."""
    from matplotlib.lines import Line2D

    return [(Line2D([], [], color=style.INK, linestyle="--", linewidth=1.1), "chance level")]
