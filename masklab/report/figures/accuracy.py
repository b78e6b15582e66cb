"""Accuracy by population: every member, the mean and its interval."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from masklab.report import load, models, numbers, recipe, style, text
from masklab.report.figures import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Accuracy by pruner"
_TICKS = 10


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Accuracy of one study."""
    return draw_rows([(analysis, name, name) for name in analysis.names], theme, key, TITLE)


def draw_together(analyses: Sequence[load.Analysis], theme: style.Theme, key: str) -> figure.Figure:
    """Accuracy of all populations of several studies, on one axis."""
    rows = [
        (analysis, name, f"{analysis.study.name} · {name}")
        for analysis in analyses
        for name in analysis.names
    ]
    return draw_rows(rows, theme, key, "Accuracy in all studies")


def draw_rows(
    rows: Sequence[tuple[load.Analysis, str, str]], theme: style.Theme, key: str, title: str
) -> figure.Figure:
    """One row per (study, population, label), first on top."""
    members = [
        [m for m in analysis.results.members if m.population == name and m.accuracy is not None]
        for analysis, name, _ in rows
    ]
    if not any(members):
        stored = any(analysis.results.members for analysis, _, _ in rows)
        why = "No accuracy is known: all masks were imported" if stored else "No member is stored"
        return figure.absent(title, f"{why}, so there is no accuracy to show.")
    message = _message(rows)
    blocks = sorted({block for analysis, _, _ in rows for block in analysis.blocks})
    with style.drawing(key):
        drawing = style.new_figure(0.95 + 0.5 * len(rows))
        ends = [
            100.0 * end
            for analysis, name, _ in rows
            if (row := analysis.accuracy(name)) is not None
            for end in (row.estimate.low, row.estimate.high)
            if end is not None
        ]
        values = [100.0 * (member.accuracy or 0.0) for group in members for member in group]
        ranges = _ranges([*values, *ends])
        widths = [high - low for low, high in ranges]
        panels = drawing.subplots(1, len(ranges), sharey=True, squeeze=False, width_ratios=widths)[0]
        for axes, limits in zip(panels, ranges, strict=True):
            for place, ((analysis, name, _), group) in enumerate(zip(rows, members, strict=True)):
                _points(axes, place, group, theme, blocks)
                _mean(axes, place, analysis.accuracy(name))
            ticks = max(1, round(_TICKS * (limits[1] - limits[0]) / sum(widths)))
            _dress(axes, [_marked(*row) for row in rows], limits, ticks)
        drawing.supxlabel("test accuracy after the last epoch, %", fontsize=9.0)
        style.legend(
            drawing, style.block_entries(theme, blocks), loc="outside upper right", ncols=6, handletextpad=0.2
        )
        svg = style.svg(drawing, key, message)
    return figure.Figure(title, message, _caption(rows, sum(map(len, members)), theme, blocks), svg)


def _marked(analysis: load.Analysis, name: str, label: str) -> str:
    """Label of a row, with a second line that says what the population is, if not trained masks."""
    population = next(row for row in analysis.results.populations if row.name == name)
    return "\n".join(filter(None, (label, recipe.mark(population))))


def _ranges(values: Sequence[float]) -> list[tuple[float, float]]:
    """Limits of the axis, in percent: two parts at one scale when a gap takes most of the whole range."""
    ordered = sorted(values)
    gaps = [(high - low, place) for place, (low, high) in enumerate(pairwise(ordered), 1)]
    gap, place = max(gaps, default=(0.0, 0))
    wide = gap > 0.6 * (ordered[-1] - ordered[0]) and gap > 10.0
    groups = [ordered[:place], ordered[place:]] if wide else [ordered]
    pad = max(0.5, 0.08 * sum(group[-1] - group[0] for group in groups))
    return [(group[0] - pad, group[-1] + pad) for group in groups]


def _dress(axes: "Axes", labels: Sequence[str], limits: tuple[float, float], ticks: int) -> None:
    from matplotlib import ticker

    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(ticks, steps=[1, 2, 5, 10]))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _points(
    axes: "Axes", place: int, group: Sequence[models.Member], theme: style.Theme, blocks: Sequence[int]
) -> None:
    """Members of one population, one below the other so that none hides another."""
    for order, member in enumerate(sorted(group, key=lambda member: (member.block, member.index))):
        lift = 0.0 if len(group) == 1 else 0.44 * order / (len(group) - 1) - 0.12
        axes.plot(
            100.0 * (member.accuracy or 0.0),
            place + lift,
            theme.marker(member.block, blocks),
            color=theme.colours[member.population],
            markersize=5,
            alpha=0.8,
            markeredgewidth=0,
        )


def _mean(axes: "Axes", place: int, row: models.Accuracy | None) -> None:
    if row is None or row.estimate.value is None:
        return
    estimate, height = row.estimate, place - 0.27
    if estimate.low is not None and estimate.high is not None:
        axes.plot(
            [100.0 * estimate.low, 100.0 * estimate.high], [height, height], color=style.INK, linewidth=1.4
        )
    axes.plot(100.0 * row.estimate.value, height, "D", color=style.INK, markersize=5)


def _message(rows: Sequence[tuple[load.Analysis, str, str]]) -> str:
    means = [
        (row.estimate.value, label)
        for analysis, name, label in rows
        if (row := analysis.accuracy(name)) is not None and row.estimate.value is not None
    ]
    if not means:
        return "Accuracy of every stored member."
    (high, best), (low, worst) = max(means), min(means)
    if len(means) == 1:
        return f"{best} reaches {numbers.percent(high)} % test accuracy on average."
    return (
        f"Mean test accuracy runs from {numbers.percent(low)} % ({worst}) "
        f"to {numbers.percent(high)} % ({best})."
    )


def _known(rows: Sequence[tuple[load.Analysis, str, str]]) -> str:
    foreign = any(member.accuracy is None for analysis, _, _ in rows for member in analysis.results.members)
    return "whose accuracy is known " if foreign else ""


def _caption(
    rows: Sequence[tuple[load.Analysis, str, str]], n: int, theme: style.Theme, blocks: Sequence[int]
) -> str:
    estimates = [row.estimate for analysis, name, _ in rows if (row := analysis.accuracy(name)) is not None]
    studies = {id(analysis): analysis for analysis, _, _ in rows}.values()
    outside = [label for analysis, name, label in rows if name not in analysis.compared]
    markers = ", marker by draw of base weights" if theme.blocks_have_markers(blocks) else ""
    chance = sorted({len(analysis.study.data.classes) for analysis in studies} - {0})
    guess = " or ".join(f"{100.0 / classes:.3g} %" for classes in chance)
    return " ".join(
        part
        for part in (
            f"n = {numbers.count(n, 'member')}: every stored member {_known(rows)}is a point (colour by "
            f"population{markers}); diamond and line: mean and interval "
            f"({text.interval_methods(estimates)}). Where a gap would take most of the axis it is left out; "
            "both parts have one scale.",
            f"Guessing gives {guess}." if guess else "",
            *dict.fromkeys(recipe.near_chance(analysis) for analysis in studies),
            f"Accuracy reference, outside every overlap: {', '.join(outside)}." if outside else "",
            *(text.sampling(analysis) for analysis in list(studies)[:1]),
        )
        if part
    )
