"""How masks move in training: bits that flip between snapshots, and the way left to the final mask."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from masklab.report import load, models, numbers, style, text
from masklab.report.figures import bands, figure, shaping

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "How masks move in training"

Series = dict[str, list[models.Movement]]
"""Population → its rows with a value, by epoch."""


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Flips per epoch and distance to the final mask, whole masks, over the epochs."""
    flips, ways = _series(analysis, "flipped_per_epoch"), _series(analysis, "to_final")
    if not flips and not ways:
        return figure.absent(TITLE, "No member holds snapshots of its mask.")
    message = _message(flips, ways)
    with style.drawing(key):
        drawing = style.new_figure(4.1)
        left, right = drawing.subplots(1, 2)
        middles = {n: [((r.epoch + r.to) / 2.0, r.estimate) for r in rows] for n, rows in flips.items()}
        bands.draw(left, middles, theme, 100.0)
        begins = {n: [(float(r.epoch), r.estimate) for r in rows] for n, rows in ways.items()}
        bands.draw(right, begins, theme, 1.0)
        left.set_title("bits flipped between snapshots")
        left.set_ylabel("share of mask bits flipped per epoch, %")
        right.set_title("distance to the final mask")
        right.set_ylabel("Hamming distance")
        dashed = _chance(right, ways, theme)
        for axes in (left, right):
            _dress(axes)
        shown = [name for name in analysis.names if name in flips or name in ways]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *dashed])
        svg = style.svg(drawing, key, message)
    names = ("population", "metric", "layer", "epoch", "to", "chance", "members")
    data = shaping.table(
        shaping.row(row, *names) for series in (flips, ways) for rows in series.values() for row in rows
    )
    return figure.Figure(TITLE, message, _caption(flips, ways), svg, data)


def _series(analysis: load.Analysis, metric: models.MovementMetric) -> Series:
    found = {name: analysis.movement(name, metric) for name in analysis.names}
    return {name: rows for name, rows in found.items() if rows}


def _dress(axes: "Axes") -> None:
    """Axes from zero, once everything is drawn: a limit that is set stops the other from following."""
    from matplotlib import ticker

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_ylim(bottom=0.0)
    axes.grid(visible=True)


def _chance(axes: "Axes", ways: Series, theme: style.Theme) -> "list[tuple[Artist, str]]":
    """Dashed chance levels, one for all populations that have the same; returns their legend entry."""
    from matplotlib.lines import Line2D

    levels: dict[tuple[tuple[int, float], ...], list[str]] = {}
    for name, rows in ways.items():
        level = tuple((row.epoch, row.chance) for row in rows if row.chance is not None)
        if level:
            levels.setdefault(level, []).append(name)
    for level, names in levels.items():
        colour = style.INK if len(names) > 1 or len(levels) == 1 else theme.colours[names[0]]
        epochs, values = [epoch for epoch, _ in level], [value for _, value in level]
        if len(level) == 1:
            axes.axhline(values[0], color=colour, linestyle="--", linewidth=1.1)
        else:
            axes.plot(epochs, values, "--", color=colour, linewidth=1.1)
    if not levels:
        return []
    return [(Line2D([], [], color=style.INK, linestyle="--", linewidth=1.1), "chance level")]


def _message(flips: Series, ways: Series) -> str:
    said = []
    if flips:
        first, last = _ends(flips)
        ends = [first] if first == last else [first, last]
        shares = [f"{_span(rows, 100.0, 2)} % from {_between(rows)}" for rows in ends]
        said.append(f"Mean share of mask bits that flip per epoch: {', '.join(shares)}")
    if ways:
        first, _ = _ends(ways)
        epochs = text.span([row.epoch for row in first])
        said.append(f"Hamming distance to the final mask at epoch {epochs}: {_span(first, 1.0, 3)}")
    return f"{'. '.join(said)}."


def _ends(series: Series) -> tuple[list[models.Movement], list[models.Movement]]:
    """First and last row of every population."""
    return [rows[0] for rows in series.values()], [rows[-1] for rows in series.values()]


def _between(rows: Sequence[models.Movement]) -> str:
    return f"epochs {text.span([row.epoch for row in rows])} to {text.span([row.to for row in rows])}"


def _span(rows: Sequence[models.Movement], scale: float, most: int) -> str:
    digits = shaping.digits([row.estimate for row in rows], scale, most)
    values = [scale * row.estimate.value for row in rows if row.estimate.value is not None]
    low, high = numbers.fixed(min(values), digits), numbers.fixed(max(values), digits)
    return low if low == high else f"{low} to {high}"


def _caption(flips: Series, ways: Series) -> str:
    rows = [row for series in (flips, ways) for found in series.values() for row in found]
    members = text.span([row.members for row in rows])
    intervals = text.interval_methods([row.estimate for row in rows])
    return (
        f"n = {members} members per point. Left: Hamming distance between the masks at two successive "
        "snapshots divided by the epochs between them, in percent of the whole mask's bits, at the midpoint "
        "of the two epochs; the final mask is the last snapshot. Right: Hamming distance of the mask at that "
        "epoch to the final mask of the same member. Point and line: mean over the members; band: its "
        f"interval ({intervals}). Dashed: chance level, the value expected for independent masks with the "
        "same per-layer kept counts. Layer by layer in the study's analysis/movement.csv."
    )
