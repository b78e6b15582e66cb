"""Accuracy by population: every member, the mean and its interval."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from masklab.report import load, models, numbers, recipe, style, text
from masklab.report.figures import bitmaps, broken, dots, figure, shaping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Accuracy by pruner"
_VECTOR_MEMBERS = 2000  # above this the points become one bitmap

Groups = Mapping[str, Sequence[models.Member]]
"""Population → its members whose accuracy is known."""


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """One row per population, first on top."""
    groups = {
        name: [own for own in analysis.results.members if own.population == name and own.accuracy is not None]
        for name in analysis.names
    }
    if not any(groups.values()):
        stored = bool(analysis.results.members)
        why = _unknown(analysis) if stored else "No member is stored"
        return figure.absent(TITLE, f"{why}, so there is no accuracy to show.")
    message = _message(analysis)
    n = sum(map(len, groups.values()))
    with style.drawing(key):
        drawing = style.new_figure(0.95 + 0.5 * len(groups))
        panels = broken.panels(drawing, _spans(analysis, groups))
        for axes in panels:
            for place, (name, group) in enumerate(groups.items()):
                _points(axes, place, group, theme, analysis.blocks, raster=n > _VECTOR_MEMBERS)
                _mean(axes, place, analysis.accuracy(name), style.owner(theme, name))
        panels[0].set_yticks(range(len(groups)), [_marked(own) for own in analysis.results.populations])
        panels[0].set_ylim(len(groups) - 0.45, -0.55)
        drawing.supxlabel("test accuracy after the last epoch, %", fontsize=9.0)
        entries = style.block_entries(theme, analysis.blocks)
        style.legend(drawing, entries, loc="outside upper right", ncols=6, handletextpad=0.2)
        svg = bitmaps.small(style.svg(drawing, key, message))
    data = shaping.table(_data(analysis, groups))
    return figure.Figure(TITLE, message, _caption(analysis, n, theme), svg, data)


def _data(analysis: load.Analysis, groups: Groups) -> Iterator[shaping.Row]:
    """One row per mean, and one per member."""
    for name, group in groups.items():
        if (mean := analysis.accuracy(name)) is not None and mean.estimate.value is not None:
            yield {"kind": "mean", **shaping.row(mean, "population", "metric")}
        for own in group:
            fields: shaping.Row = {"id": own.id, "block": own.block, "value": own.accuracy}
            yield {"kind": "member", "population": name, "metric": "accuracy", **fields}


def _spans(analysis: load.Analysis, groups: Groups) -> Iterator[broken.Span]:
    """Every point and interval, in percent."""
    for name, group in groups.items():
        yield from ((100.0 * own.accuracy, 100.0 * own.accuracy) for own in group if own.accuracy is not None)
        if (mean := analysis.accuracy(name)) is not None:
            yield from dots.span(mean.estimate, 100.0)


def _marked(population: models.Population) -> str:
    """Label of a row, with a second line that says what the population is, if not trained masks."""
    return "\n".join(filter(None, (population.name, recipe.mark(population))))


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


def _unknown(analysis: load.Analysis) -> str:
    stored = {member.population for member in analysis.results.members}
    own = [row for row in analysis.results.populations if row.name in stored]
    return "No accuracy is known" + (": all masks were imported" if all(row.imported for row in own) else "")


def _mean(axes: "Axes", place: int, row: models.Accuracy | None, owner: str) -> None:
    if row is None or row.estimate.value is None:
        return
    estimate, height = row.estimate, place - 0.27
    if estimate.low is not None and estimate.high is not None:
        dots.bars(
            axes, [(height, 100.0 * estimate.low, 100.0 * estimate.high)], style.INK, flat=True, gid=owner
        )
    axes.plot(100.0 * row.estimate.value, height, "D", color=style.INK, markersize=5, gid=owner)


def _message(analysis: load.Analysis) -> str:
    means = [
        (row.estimate.value, name)
        for name in analysis.names
        if (row := analysis.accuracy(name)) is not None and row.estimate.value is not None
    ]
    if not means:
        return "Accuracy of every stored member."
    digits = numbers.places(analysis.study.data.test or 0)
    (high, best), (low, worst) = max(means), min(means)
    if len(means) == 1:
        return f"{best} reaches {numbers.percent(high, digits)} % test accuracy on average."
    return (
        f"Mean test accuracy runs from {numbers.percent(low, digits)} % ({worst}) "
        f"to {numbers.percent(high, digits)} % ({best})."
    )


def _caption(analysis: load.Analysis, n: int, theme: style.Theme) -> str:
    estimates = [row.estimate for name in analysis.names if (row := analysis.accuracy(name)) is not None]
    foreign = any(member.accuracy is None for member in analysis.results.members)
    known = "whose accuracy is known " if foreign else ""
    outside = [name for name in analysis.names if name not in analysis.compared]
    markers = ", marker by draw of base weights" if theme.blocks_have_markers(analysis.blocks) else ""
    bitmap = " The points are one bitmap." if n > _VECTOR_MEMBERS else ""
    classes = len(analysis.study.data.classes)
    return " ".join(
        part
        for part in (
            f"n = {numbers.count(n, 'member')}: every stored member {known}is a point (colour by "
            f"population{markers}); diamond and line: mean and interval "
            f"({text.interval_methods(estimates)}).{bitmap} Where a gap would take most of the axis it is "
            "left out; both parts have one scale.",
            f"Guessing gives {100.0 / classes:.3g} %." if classes else "",
            recipe.near_chance(analysis),
            f"Accuracy reference, outside every overlap: {', '.join(outside)}." if outside else "",
            text.sampling(analysis),
        )
        if part
    )
