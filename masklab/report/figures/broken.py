"""Horizontal axes of percent or points that leave out a gap where it would take most of the room."""

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TICKS = 10

Span = tuple[float, float]
"""From the smallest to the largest value of something that is drawn; both are one for a point."""


def panels(drawing: "Figure", spans: Iterable[Span]) -> list["Axes"]:
    """One panel, or two side by side on one scale, wide enough for all that is drawn; with limits and ticks.

    Args:
        drawing: Where they stand.
        spans: All that will be drawn, in percent or points.
    """
    from matplotlib import ticker

    limits = ranges(spans)
    widths = [high - low for low, high in limits]
    (found,) = drawing.subplots(1, len(limits), sharey=True, squeeze=False, width_ratios=widths)
    for axes, ends, width in zip(found, limits, widths, strict=True):
        axes.set_xlim(*ends)
        ticks = max(1, round(_TICKS * width / sum(widths)))
        axes.xaxis.set_major_locator(ticker.MaxNLocator(ticks, steps=[1, 2, 5, 10]))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return list(found)


def ranges(spans: Iterable[Span]) -> list[Span]:
    """Limits of the axis: two parts where a gap takes most of the whole range; none goes through a span.

    Examples:
        >>> ranges([(10.0, 10.0), (11.0, 11.0), (85.0, 87.0)])
        [(9.5, 11.5), (84.5, 87.5)]
        >>> ranges([(10.0, 10.0), (11.0, 86.0), (85.0, 87.0)])
        [(3.84, 93.16)]
    """
    groups: list[Span] = []
    for low, high in sorted(spans):
        if groups and low <= groups[-1][1]:
            groups[-1] = (groups[-1][0], max(groups[-1][1], high))
        else:
            groups.append((low, high))
    gaps = [(right[0] - left[1], place) for place, (left, right) in enumerate(pairwise(groups), 1)]
    gap, place = max(gaps, default=(0.0, 0))
    wide = gap > 0.6 * (groups[-1][1] - groups[0][0]) and gap > 10.0
    parts = [groups[:place], groups[place:]] if wide else [groups]
    pad = max(0.5, 0.08 * sum(part[-1][1] - part[0][0] for part in parts))
    return [(part[0][0] - pad, part[-1][1] + pad) for part in parts]
