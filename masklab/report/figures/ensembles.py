"""What ensembles of members gain over their mean member, by size."""

from typing import TYPE_CHECKING

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import figure, scatter, shaping

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Ensembles"
_RULES = {"average": "probabilities averaged", "vote": "majority vote"}

Series = dict[str, list[records.Ensemble]]


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Gain in accuracy by ensemble size, one panel per rule."""
    panels = {rule: rows for rule in _RULES if (rows := _rows(analysis, rule))}
    if not panels:
        return figure.absent(TITLE, _why(analysis))
    message = _message(next(iter(panels.values())))
    with style.drawing(key):
        drawing = style.new_figure(3.6)
        grid = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (rule, series) in zip(grid, panels.items(), strict=True):
            _panel(axes, series, theme)
            axes.set_title(_RULES[rule])
        grid[0].set_ylabel("gain over the mean member, points")
        shown = [name for name in analysis.names if any(name in series for series in panels.values())]
        style.legend_below(drawing, [*style.population_entries(theme, shown), _independent()])
        svg = style.svg(drawing, key, message)
    data = shaping.table(
        {
            **shaping.row(row, "population", "rule", "size", "members", "images", of="gain"),
            "chance": _chance(row),
        }
        for series in panels.values()
        for rows in series.values()
        for row in rows
    )
    return figure.Figure(TITLE, message, _caption(panels), svg, data)


def _why(analysis: load.Analysis) -> str:
    scope = analysis.results.scope
    reasons = [row.gain.why for row in analysis.results.ensembles if row.gain.why]
    if reasons:
        return f"{reasons[0]}."
    if scope and scope.members and scope.labels:
        return f"True classes are not known: {scope.labels}."
    return scatter.without_function(analysis)


def _rows(analysis: load.Analysis, rule: str) -> Series:
    found: Series = {}
    for row in analysis.results.ensembles:
        if row.rule == rule and row.gain.value is not None:
            found.setdefault(row.population, []).append(row)
    return {name: sorted(rows, key=lambda row: row.size) for name, rows in found.items()}


def _panel(axes: "Axes", series: Series, theme: style.Theme) -> None:
    for name, rows in series.items():
        colour, sizes = theme.colours[name], [row.size for row in rows]
        axes.plot(
            sizes, [100.0 * (row.gain.value or 0.0) for row in rows], "o-", color=colour, markersize=3.5
        )
        known = [
            (row.size, 100.0 * row.gain.low, 100.0 * row.gain.high)
            for row in rows
            if row.gain.low is not None and row.gain.high is not None
        ]
        if len(known) > 1:
            places, lows, highs = zip(*known, strict=True)
            axes.fill_between(places, lows, highs, color=colour, alpha=0.13, linewidth=0)
        levels = [(row.size, 100.0 * level) for row in rows if (level := _chance(row)) is not None]
        if levels:
            axes.plot(*zip(*levels, strict=True), ":", color=colour, linewidth=1.1)
    ticks = sorted({row.size for rows in series.values() for row in rows})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{size}" for size in ticks])
    axes.minorticks_off()
    axes.set_xlabel("members of the ensemble")
    axes.grid(visible=True)


def _chance(row: records.Ensemble) -> float | None:
    """The gain if the members' errors were independent."""
    if row.independent is None or row.mean_member is None:
        return None
    return row.independent - row.mean_member


def _independent() -> "tuple[Artist, str]":
    from matplotlib.lines import Line2D

    return Line2D([], [], color=style.INK, linestyle=":", linewidth=1.1), "if errors were independent"


def _message(series: Series) -> str:
    largest = {name: rows[-1] for name, rows in series.items()}
    name, row = max(largest.items(), key=lambda one: one[1].gain.value or 0.0)
    digits = shaping.digits([row.gain], 100.0, numbers.places(row.images))
    interval = numbers.interval(row.gain, 100.0, digits)
    return (
        f"Largest gain of all members together: {name}, {numbers.percent(row.gain.value or 0.0, digits)}"
        f"{' ' + interval if interval else ''} points with {row.size} members over their mean accuracy."
    )


def _caption(panels: dict[str, Series]) -> str:
    rows = [row for series in panels.values() for own in series.values() for row in own]
    return (
        f"n = {text.span([row.members for row in rows])} members per population, "
        f"{text.span([row.images for row in rows])} test images. Accuracy of an ensemble minus the mean "
        "accuracy of its members, in percentage points; band: its interval "
        f"({text.interval_methods([row.gain for row in rows])}). Dotted: chance level, the gain if the "
        "members' errors were independent. Members share test images; diversity alone predicts the accuracy "
        "of an ensemble poorly."
    )
