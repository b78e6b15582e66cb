"""Accuracies before and now: a dumbbell for each population."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from masklab.report import numbers, style
from masklab.report.compare import quantities
from masklab.report.compare.changes import Changes
from masklab.report.compare.quantities import Moved
from masklab.report.figures import broken, dots, figure, shaping

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Accuracy before and now"
_KIND = "accuracy"
_APART = 0.13  # of a row, from its middle to each of the two

_Row = tuple[Changes, str, Moved]
"""Study, population, its accuracy."""


def draw(compared: Sequence[Changes], theme: style.Theme, key: str) -> figure.Figure:
    """One row per population that both analyses have, in the order of the page.

    Args:
        compared: All studies.
        theme: Colours.
        key: Its anchor.
    """
    rows = list(_rows(compared))
    if not rows:
        return figure.absent(TITLE, "No population has an accuracy before and now.")
    message = _message(rows)
    with style.drawing(key):
        drawing = style.new_figure(1.1 + 0.5 * len(rows))
        panels = broken.panels(drawing, [_span(own) for _, _, own in rows])
        for axes in panels:
            for place, row in enumerate(rows):
                _dumbbell(axes, place, row, theme.colours[row[1]])
        several = len(compared) > 1
        labels = [f"{changes.after.study} · {name}" if several else name for changes, name, _ in rows]
        panels[0].set_yticks(range(len(rows)), labels)
        panels[0].set_ylim(len(rows) - 0.45, -0.55)
        drawing.supxlabel("test accuracy after the last epoch, %", fontsize=9.0)
        style.legend(drawing, _entries(), loc="outside upper right", ncols=2, handletextpad=0.2)
        svg = style.svg(drawing, key, message)
    return figure.Figure(TITLE, message, _caption(rows, compared), svg, _data(rows))


def _dumbbell(axes: "Axes", place: int, row: _Row, colour: str) -> None:
    changes, _, own = row
    heights = (place - _APART, place + _APART)
    ends = [100.0 * (number.value or 0.0) for number in (own.before, own.after)]
    axes.plot(ends, heights, color=colour, linewidth=1.0, alpha=0.6)
    both = ((own.before, changes.before.level), (own.after, changes.after.level))
    for height, (number, level), hollow in zip(heights, both, (True, False), strict=True):
        known = quantities.estimate(number, level)
        dots.points(axes, [(height, known)], colour, 100.0, hollow=hollow, flat=True)


def _rows(compared: Iterable[Changes]) -> Iterable[_Row]:
    for changes in compared:
        known = {
            own.of[0]: own for own in changes.numbers if own.kind == _KIND and own.difference is not None
        }
        yield from (
            (changes, own.name, known[own.name]) for own in changes.after.populations if own.name in known
        )


def _span(own: Moved) -> broken.Span:
    """All that is drawn of one population, in percent."""
    ends = [
        100.0 * end
        for number in (own.before, own.after)
        for end in (number.value, number.low, number.high)
        if end is not None
    ]
    return min(ends), max(ends)


def _entries() -> "list[tuple[Artist, str]]":
    from matplotlib.lines import Line2D

    look = {"linestyle": "none", "marker": "o", "markersize": 4.5, "color": style.INK}
    return [
        (Line2D([], [], markerfacecolor="none", markeredgewidth=1.2, **look), "before"),
        (Line2D([], [], markeredgewidth=0, **look), "now"),
    ]


def _message(rows: Sequence[_Row]) -> str:
    changed = [own for own in rows if own[2].verdict != quantities.EQUAL]
    if not changed:
        return "Mean test accuracy is what it was in every population."
    _, name, own = min(changed, key=lambda row: row[2].order)
    was, now = (
        f"{numbers.percent(number.value or 0.0, own.digits)} % "
        f"{numbers.interval(quantities.estimate(number, 0.0), 100.0, own.digits) or '(no interval)'}"
        for number in (own.before, own.after)
    )
    others = len(rows) - len(changed)
    equal = f"; {numbers.count(others, 'population')} unchanged" if others else ""
    return (
        f"Against the width of its intervals, mean test accuracy moved most for {name}: from {was} to {now}, "
        f"{own.verdict}{equal}."
    )


def _caption(rows: Sequence[_Row], compared: Sequence[Changes]) -> str:
    counts = sorted({number.n for _, _, own in rows for number in (own.before, own.after)})
    n = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,}–{counts[-1]:,}"
    levels = dict.fromkeys(f"{100.0 * own.level:g} %" for one in compared for own in (one.before, one.after))
    classes = [one.after.settings.get("data", {}).get("classes") for one in compared]
    guesses = [1.0 / own for own in classes if isinstance(own, int) and own > 0]
    chance = f" Guessing gives {numbers.extent(guesses, 1)} % (chance level)." if guesses else ""
    return (
        f"n = {n} members per mean. Ring: mean over the members of the former analysis; disc: of the present "
        f"one; strokes: their {' and '.join(levels)} intervals. Members that both have make a difference "
        f"surer than these say.{chance}"
    )


def _data(rows: Sequence[_Row]) -> figure.Data:
    return shaping.table(
        {
            "study": changes.after.study,
            "population": name,
            "analysis": when,
            "created": one.created,
            "value": number.value,
            "low": number.low,
            "high": number.high,
            "level": one.level,
            "n": number.n,
        }
        for changes, name, own in rows
        for when, one, number in (("before", changes.before, own.before), ("now", changes.after, own.after))
    )
