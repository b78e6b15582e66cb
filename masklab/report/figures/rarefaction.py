"""Would more masks add something? Effective number and coverage by number of masks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import figure, shaping

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Effective number and coverage"

Series = dict[str, list[records.Rarefaction]]


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Left: Vendi score in percent of the masks; right: share of the weights that at least one keeps."""
    left = _series(analysis, "vendi", "within") or _series(analysis, "vendi", "all")
    right = _series(analysis, "coverage", "all") or _series(analysis, "coverage", "within")
    if not left and not right:
        why = "No population has two stored members to compare"
        return figure.absent(TITLE, figure.without_pairs(analysis, why))
    message = _message(left)
    with style.drawing(key):
        drawing = style.new_figure(3.8)
        grid = drawing.subplots(1, 2)
        _vendi(grid[0], left, theme)
        _coverage(grid[1], right, theme)
        for axes, series in zip(grid, (left, right), strict=True):
            _dress(axes, series)
        shown = [name for name in analysis.names if name in left or name in right]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *_entries()])
        svg = style.svg(drawing, key, message)
    data = shaping.table([*_effective(left), *_covered(right)])
    return figure.Figure(TITLE, message, _caption(left, right), svg, data)


def _effective(left: Series) -> Iterator[shaping.Row]:
    """Scores, with their share of the masks as it is drawn; of random masks that share alone."""
    names = ("population", "metric", "block", "size", "members")
    for row in (row for rows in left.values() for row in rows):
        value = row.estimate.value or 0.0
        yield {
            "kind": "members",
            **{name: getattr(row, name) for name in names},
            "value": value,
            "share": value / row.size,
        }
    for size, low, mean, high in _null(left):
        shares: shaping.Row = {"share": mean, "share_low": low, "share_high": high}
        yield {"kind": "random masks", "metric": "vendi", "size": size, **shares}


def _covered(right: Series) -> Iterator[shaping.Row]:
    names = ("population", "metric", "block", "size", "members", "chance")
    for row in (row for rows in right.values() for row in rows):
        fields: shaping.Row = {name: getattr(row, name) for name in names}
        yield {"kind": "members", **fields, "value": row.estimate.value, "share": row.estimate.value}


def _series(analysis: load.Analysis, metric: str, block: str) -> Series:
    found: Series = {}
    for row in analysis.results.rarefaction:
        if (row.metric, row.block) == (metric, block) and row.estimate.value is not None:
            found.setdefault(row.population, []).append(row)
    return {name: sorted(rows, key=lambda row: row.size) for name, rows in found.items() if len(rows) > 1}


def _vendi(axes: "Axes", series: Series, theme: style.Theme) -> None:
    for name, rows in series.items():
        colour = theme.colours[name]
        places = [(row.size, 100.0 * (row.estimate.value or 0.0) / row.size) for row in rows]
        axes.plot(*zip(*places, strict=True), "o-", color=colour, markersize=3.5)
    if null := _null(series):
        sizes = [size for size, *_ in null]
        lows, means, highs = ([100.0 * row[at] for row in null] for at in (1, 2, 3))
        axes.fill_between(sizes, lows, highs, color=style.INK, alpha=0.15, linewidth=0)
        axes.plot(sizes, means, "--", color=style.INK, linewidth=1.1)
    axes.set_title("effective number of masks")
    axes.set_ylabel("Vendi score, % of the masks")


def _null(series: Series) -> list[tuple[int, float, float, float]]:
    """Size, and as shares of it the smallest, mean and largest score of random masks of all populations."""
    nulls: dict[int, list[records.Null]] = {}
    for rows in series.values():
        for row in rows:
            if row.null is not None:
                nulls.setdefault(row.size, []).append(row.null)
    return [
        (
            size,
            min(null.low for null in own) / size,
            sum(null.mean for null in own) / len(own) / size,
            max(null.high for null in own) / size,
        )
        for size, own in sorted(nulls.items())
    ]


def _coverage(axes: "Axes", series: Series, theme: style.Theme) -> None:
    drawn: set[tuple[float | None, ...]] = set()
    for name, rows in series.items():
        sizes = [row.size for row in rows]
        values = [100.0 * (row.estimate.value or 0.0) for row in rows]
        axes.plot(sizes, values, "o-", color=theme.colours[name], markersize=3.5)
        levels = [100.0 * row.chance for row in rows if row.chance is not None]
        key = tuple(round(level, 6) for level in levels)
        if len(levels) == len(sizes) and key not in drawn:
            drawn.add(key)
            axes.plot(sizes, levels, "--", color=style.INK, linewidth=1.1)
    axes.set_title("weights kept by at least one mask")
    axes.set_ylabel("share of the weights, %")


def _dress(axes: "Axes", series: Series) -> None:
    if not series:
        axes.set_axis_off()
        return
    ticks = sorted({row.size for rows in series.values() for row in rows})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{size}" for size in ticks])
    axes.minorticks_off()
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel("masks")
    axes.grid(visible=True)


def _entries() -> "list[tuple[Artist, str]]":
    from matplotlib.lines import Line2D

    return [(Line2D([], [], color=style.INK, linestyle="--", linewidth=1.1), "random masks")]


def _message(left: Series) -> str:
    last = {name: rows[-1] for name, rows in left.items() if rows[-1].null is not None}
    if not last:
        return "How much each further mask adds."
    name, row = min(last.items(), key=lambda one: (one[1].estimate.value or 0.0) / one[1].size)
    return (
        f"Fewest really different masks: {name}, {numbers.fixed(row.estimate.value or 0.0, 3)} effective of "
        f"{row.size}; as many random masks have {numbers.null(row.null, 1.0, 3)}."
    )


def _caption(left: Series, right: Series) -> str:
    rows = [row for series in (left, right) for own in series.values() for row in own]
    among = "masks of one draw of base weights, mean over draws"
    if any(row.block == "all" for own in left.values() for row in own):
        among = "masks of all draws together"
    return (
        f"n = {text.span([row.members for row in rows])} members per population. Left: Vendi score of random "
        f"subsets of {among}; 100 %: every mask is unlike every other. Grey: chance level, matched random "
        "masks, mean (dashed) and range over the sets of all populations. Right: share of the weights that "
        "at least one of so many masks keeps, mean over all subsets, draws together; dashed: chance level of "
        "independent masks, exact. No interval: both are of the masks at hand. A line on its chance level "
        "says that every further mask is as new as a random one."
    )
