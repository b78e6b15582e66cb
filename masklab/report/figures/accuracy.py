"""Accuracy by population: every member, the mean and its interval."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from masklab.report import load, models, numbers, recipe, style, text
from masklab.report.figures import bitmaps, broken, dots, figure, shaping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Accuracy by pruner"
_VECTOR_MEMBERS = 2000  # above this the points become one bitmap

Row = tuple[load.Analysis, str, str]
"""Study, population, label."""


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


def draw_rows(rows: Sequence[Row], theme: style.Theme, key: str, title: str) -> figure.Figure:
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
    data = shaping.table(_data(rows, members))
    n = sum(map(len, members))
    with style.drawing(key):
        drawing = style.new_figure(0.95 + 0.5 * len(rows))
        panels = broken.panels(drawing, _spans(rows, members))
        for axes in panels:
            for place, ((analysis, name, _), group) in enumerate(zip(rows, members, strict=True)):
                _points(axes, place, group, theme, blocks, raster=n > _VECTOR_MEMBERS)
                _mean(axes, place, analysis.accuracy(name))
        panels[0].set_yticks(range(len(rows)), [_marked(*row) for row in rows])
        panels[0].set_ylim(len(rows) - 0.45, -0.55)
        drawing.supxlabel("test accuracy after the last epoch, %", fontsize=9.0)
        style.legend(
            drawing, style.block_entries(theme, blocks), loc="outside upper right", ncols=6, handletextpad=0.2
        )
        svg = bitmaps.small(style.svg(drawing, key, message))
    return figure.Figure(title, message, _caption(rows, n, theme, blocks), svg, data)


def _data(rows: Sequence[Row], members: Sequence[Sequence[models.Member]]) -> Iterator[shaping.Row]:
    """One row per member, and one per mean."""
    several = len({id(analysis) for analysis, _, _ in rows}) > 1
    for (analysis, name, _), group in zip(rows, members, strict=True):
        study: shaping.Row = {"study": analysis.study.name} if several else {}
        if (mean := analysis.accuracy(name)) is not None and mean.estimate.value is not None:
            yield {**study, "kind": "mean", **shaping.row(mean, "population", "metric")}
        for own in group:
            fields: shaping.Row = {"id": own.id, "block": own.block, "value": own.accuracy}
            yield {**study, "kind": "member", "population": name, "metric": "accuracy", **fields}


def _spans(rows: Sequence[Row], members: Sequence[Sequence[models.Member]]) -> Iterator[broken.Span]:
    """Every point and interval, in percent."""
    for (analysis, name, _), group in zip(rows, members, strict=True):
        yield from ((100.0 * own.accuracy, 100.0 * own.accuracy) for own in group if own.accuracy is not None)
        if (mean := analysis.accuracy(name)) is not None:
            yield from dots.span(mean.estimate, 100.0)


def _marked(analysis: load.Analysis, name: str, label: str) -> str:
    """Label of a row, with a second line that says what the population is, if not trained masks."""
    population = next(row for row in analysis.results.populations if row.name == name)
    return "\n".join(filter(None, (label, recipe.mark(population))))


def _points(
    axes: "Axes",
    place: int,
    group: Sequence[models.Member],
    theme: style.Theme,
    blocks: Sequence[int],
    *,
    raster: bool,
) -> None:
    """Members of one population, one below the other so that none hides another; one artist per draw."""
    low, high = axes.get_xlim()
    drawn: dict[int, list[tuple[float, float]]] = {}
    for order, member in enumerate(sorted(group, key=lambda member: (member.block, member.index))):
        lift = 0.0 if len(group) == 1 else 0.44 * order / (len(group) - 1) - 0.12
        if low <= (x := 100.0 * (member.accuracy or 0.0)) <= high:
            drawn.setdefault(member.block, []).append((x, place + lift))
    for block, points in drawn.items():
        axes.plot(
            *zip(*points, strict=True),
            theme.marker(block, blocks),
            color=theme.colours[group[0].population],
            markersize=5,
            alpha=0.8,
            markeredgewidth=0,
            rasterized=raster,
        )


def _mean(axes: "Axes", place: int, row: models.Accuracy | None) -> None:
    if row is None or row.estimate.value is None:
        return
    estimate, height = row.estimate, place - 0.27
    if estimate.low is not None and estimate.high is not None:
        dots.bars(axes, [(height, 100.0 * estimate.low, 100.0 * estimate.high)], style.INK, flat=True)
    axes.plot(100.0 * row.estimate.value, height, "D", color=style.INK, markersize=5)


def _message(rows: Sequence[Row]) -> str:
    means = [
        (row.estimate.value, label)
        for analysis, name, label in rows
        if (row := analysis.accuracy(name)) is not None and row.estimate.value is not None
    ]
    if not means:
        return "Accuracy of every stored member."
    digits = numbers.places(min(analysis.study.data.test or 0 for analysis, _, _ in rows))
    (high, best), (low, worst) = max(means), min(means)
    if len(means) == 1:
        return f"{best} reaches {numbers.percent(high, digits)} % test accuracy on average."
    return (
        f"Mean test accuracy runs from {numbers.percent(low, digits)} % ({worst}) "
        f"to {numbers.percent(high, digits)} % ({best})."
    )


def _known(rows: Sequence[Row]) -> str:
    foreign = any(member.accuracy is None for analysis, _, _ in rows for member in analysis.results.members)
    return "whose accuracy is known " if foreign else ""


def _caption(rows: Sequence[Row], n: int, theme: style.Theme, blocks: Sequence[int]) -> str:
    estimates = [row.estimate for analysis, name, _ in rows if (row := analysis.accuracy(name)) is not None]
    studies = {id(analysis): analysis for analysis, _, _ in rows}.values()
    outside = [label for analysis, name, label in rows if name not in analysis.compared]
    markers = ", marker by draw of base weights" if theme.blocks_have_markers(blocks) else ""
    bitmap = " The points are one bitmap." if n > _VECTOR_MEMBERS else ""
    chance = sorted({len(analysis.study.data.classes) for analysis in studies} - {0})
    guess = " or ".join(f"{100.0 / classes:.3g} %" for classes in chance)
    return " ".join(
        part
        for part in (
            f"n = {numbers.count(n, 'member')}: every stored member {_known(rows)}is a point (colour by "
            f"population{markers}); diamond and line: mean and interval "
            f"({text.interval_methods(estimates)}).{bitmap} Where a gap would take most of the axis it is "
            "left out; both parts have one scale.",
            f"Guessing gives {guess}." if guess else "",
            *dict.fromkeys(recipe.near_chance(analysis) for analysis in studies),
            f"Accuracy reference, outside every overlap: {', '.join(outside)}." if outside else "",
            *(text.sampling(analysis) for analysis in list(studies)[:1]),
        )
        if part
    )
