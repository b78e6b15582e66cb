"""Two populations at a time: by how many points their accuracies differ."""

from typing import TYPE_CHECKING, Any

from masklab.report import load, numbers, style, text
from masklab.report.figures import broken, dots, figure, pairs, shaping

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Differences in accuracy"
_MOST = 28  # pairs of 8 populations; of more, those with one population are drawn
_ROW = 0.21  # inches
_LETTERS = 8.0  # points, of names


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """One line per pair, the largest difference on top: value, interval, whether it is told from none."""
    del theme  # a pair has no colour of its own
    tested = pairs.of(analysis, "accuracy")
    known = [row for row in tested if row.estimate.value is not None]
    if not known:
        return figure.absent(TITLE, _why(analysis, tested))
    reference = _reference(analysis, known)
    shown = [row for row in known if reference is None or reference in (row.a, row.b)]
    shown.sort(key=lambda row: row.estimate.value or 0.0, reverse=True)
    message = _message(analysis, tested)
    with style.drawing(key):
        drawing = style.new_figure(1.0 + _ROW * len(shown))
        spans = [span for row in shown for span in dots.span(row.estimate, 100.0)]
        panels = broken.panels(drawing, [(0.0, 0.0), *spans])
        for axes in panels:
            _panel(axes, shown)
        _names(panels[0], shown)
        drawing.supxlabel("mean test accuracy of the first less that of the second, points", fontsize=9.0)
        style.legend(drawing, _entries(), loc="outside upper right", ncols=3)
        svg = style.svg(drawing, key, message)
    data = shaping.table(
        shaping.row(row, "test", "a", "b", "effect", "chance", "p", "adjusted_p", "smallest_p")
        for row in shown
    )
    return figure.Figure(TITLE, message, _caption(analysis, tested, shown, reference), svg, data)


def _why(analysis: load.Analysis, tested: pairs.Tests) -> str:
    if reasons := pairs.reasons(tested):
        return f"No two accuracies could be compared: {reasons[0]}."
    if all(member.accuracy is None for member in analysis.results.members) and analysis.results.members:
        return "No accuracy is known, so none are compared."
    return f"No two populations have stored members to compare{figure.uncounted(analysis)}."


def _reference(analysis: load.Analysis, known: pairs.Tests) -> str | None:
    """The population whose pairs are drawn where there are too many: the study's first trained one.

    The order of the study was fixed before any result; the best, or the worst, would be chosen by its luck.
    """
    if len(known) <= _MOST:
        return None
    names = {name for row in known for name in (row.a, row.b)}
    found = [own for own in analysis.results.populations if own.name in names]
    return next((own.name for own in found if own.trained), found[0].name)


def _panel(axes: "Axes", shown: pairs.Tests) -> None:
    for hollow in (False, True):
        places = [
            (float(place), row.estimate) for place, row in enumerate(shown) if pairs.differs(row) != hollow
        ]
        dots.points(axes, places, style.INK, 100.0, hollow=hollow, flat=True)
    low, high = axes.get_xlim()
    if low <= 0.0 <= high:
        axes.axvline(0.0, color=style.INK, linestyle="--", linewidth=1.1)


def _names(axes: "Axes", shown: pairs.Tests) -> None:
    """Two columns, so that every name is a text of its own: second populations stand at the axis."""
    from matplotlib.textpath import TextPath

    seconds = [row.b or "" for row in shown]
    axes.set_yticks(range(len(shown)), seconds)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.tick_params(axis="y", labelsize=_LETTERS)
    widest = max(TextPath((0, 0), name, size=_LETTERS).get_extents().width for name in set(seconds))
    look: Any = {"ha": "right", "va": "center_baseline", "fontsize": _LETTERS, "annotation_clip": False}
    for place, row in enumerate(shown):
        axes.annotate(
            row.a or "",
            (0.0, place),
            (-widest - 16.0, 0.0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            **look,
        )


def _entries() -> "list[tuple[Artist, str]]":
    from matplotlib.lines import Line2D

    common: dict[str, Any] = {"color": style.INK, "marker": "o", "markersize": 4.5, "linewidth": 1.4}
    return [
        (Line2D([], [], markeredgewidth=0, **common), pairs.RULE),
        (Line2D([], [], markerfacecolor="none", markeredgewidth=1.2, **common), "not told from 0"),
        (Line2D([], [], color=style.INK, linestyle="--", linewidth=1.1), "chance level"),
    ]


def _message(analysis: load.Analysis, tested: pairs.Tests) -> str:
    own, called = pairs.spoken(analysis, tested)
    if not own:
        return "No difference in accuracy could be tested."
    counted = f"{pairs.judged(own)} of {called} differ in accuracy ({pairs.RULE})"
    found = [row for row in own if pairs.differs(row) and row.estimate.value is not None]
    if not found:
        return " ".join(filter(None, [f"{counted}.", pairs.smallest(own)]))
    row = max(found, key=lambda row: abs(row.estimate.value or 0.0))
    better, worse, gain = pairs.upright(row)
    digits = shaping.digits([gain], 100.0, numbers.places(analysis.study.data.test or 0))
    points, interval = numbers.percent(gain.value or 0.0, digits), numbers.interval(gain, 100.0, digits)
    return (
        f"{counted}; the largest difference: {better} over {worse}, {points} points"
        f"{' ' + interval if interval else ''} (n = {gain.n})."
    )


def _caption(analysis: load.Analysis, tested: pairs.Tests, shown: pairs.Tests, reference: str | None) -> str:
    images = analysis.study.data.test
    methods = dict.fromkeys(row.method for row in shown)
    parts = [
        f"n = {text.span([row.estimate.n for row in shown])} per pair (seeds, or members where seeds are not "
        f"known){f', {images:,} test images' if images else ''}. Point and line: difference of the mean "
        f"accuracies of two populations and its interval "
        f"({text.interval_methods([row.estimate for row in shown])}). Dashed: chance level, no difference. "
        f"Filled: {pairs.RULE}; p is corrected for "
        f"{numbers.count(sum(row.p is not None for row in tested), 'pair')} (Benjamini and Hochberg). "
        f"Tests: {'; '.join(methods)}.",
        f"Of {len(tested)} pairs, those with {reference} are drawn, the first trained population of the "
        "study: no result had a say in that choice. All pairs stand in the table."
        if reference
        else "",
        _undefined(tested) if reference is None else "",
    ]
    return " ".join(part for part in parts if part)


def _undefined(tested: pairs.Tests) -> str:
    without = [row for row in tested if row.estimate.value is None]
    why = f" ({'; '.join(reasons)})" if (reasons := pairs.reasons(without)) else ""
    return f"Not drawn: {numbers.count(len(without), 'pair')}{why}." if without else ""
