"""How many masks keep the same weight, against what independent masks would do."""

from typing import TYPE_CHECKING

import numpy as np

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import dots, figure, shaping

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Weights by the number of masks that keep them"
_COLUMNS = 4
_NAMED = 24  # populations; one panel each


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Histogram of the number of masks that keep a weight, one panel per population."""
    panels = histograms(analysis)
    if not panels:
        why = "No population has two stored members that are compared"
        return figure.absent(TITLE, f"{why}{figure.uncounted(analysis)}.")
    message = _message(panels)
    drawn = dict(list(panels.items())[:_NAMED])
    columns = min(_COLUMNS, len(drawn))
    lines = -(-len(drawn) // columns)
    with style.drawing(key):
        drawing = style.new_figure(1.9 * lines + 0.7)
        grid = drawing.subplots(lines, columns, squeeze=False)
        for axes, (name, rows) in zip(grid.ravel(), drawn.items(), strict=False):
            _panel(axes, rows, theme.colours[name])
            axes.set_title(_short(name), fontsize=8.5)
        for axes in grid.ravel()[len(drawn) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("weights, %")
        style.legend_below(drawing, _chance())
        svg = style.svg(drawing, key, message)
    note = "Further populations stand in analysis/consensus.csv." if len(drawn) < len(panels) else ""
    data = shaping.table((_datum(row) for rows in drawn.values() for row in rows), note)
    return figure.Figure(TITLE, message, _caption(panels, len(drawn)), svg, data)


def _datum(row: records.Consensus) -> shaping.Row:
    names = ("population", "layer", "block", "of", "draws", "kept_by", "share", "chance")
    ends = ("low", "high", "level", "n")
    return {name: getattr(row, name) for name in names} | {
        name: getattr(row.estimate, name, None) for name in ends
    }


def histograms(analysis: load.Analysis) -> dict[str, list[records.Consensus]]:
    """Population → its whole-mask rows by number of masks, within draws of base weights if there are any."""
    found: dict[tuple[str, str], list[records.Consensus]] = {}
    for row in analysis.results.consensus:
        if row.layer == load.WHOLE:
            found.setdefault((row.population, row.block), []).append(row)
    panels = {}
    for name in analysis.compared:
        rows = next(
            (rows for block in ("within", "all") if (rows := _largest(found.get((name, block), [])))), []
        )
        if rows:
            panels[name] = rows
    return panels


def _largest(rows: list[records.Consensus]) -> list[records.Consensus]:
    """Draws may have different numbers of masks: those of which most draws have as many, of at least two."""
    sizes: dict[int, int] = {}
    for row in rows:
        sizes[row.of] = max(sizes.get(row.of, 0), row.draws)
    several = {of: draws for of, draws in sizes.items() if of > 1}
    if not several:
        return []
    chosen = max(several, key=lambda of: (several[of], of))
    return sorted((row for row in rows if row.of == chosen), key=lambda row: row.kept_by)


def _panel(axes: "Axes", rows: list[records.Consensus], colour: str) -> None:
    of = rows[0].of
    edges = np.arange(of + 2) - 0.5
    shares, levels = np.full(of + 1, np.nan), np.full(of + 1, np.nan)
    for row in rows:
        shares[row.kept_by] = 100.0 * row.share
        levels[row.kept_by] = np.nan if row.chance is None else 100.0 * row.chance
    axes.stairs(shares, edges, fill=True, color=colour, alpha=0.75, linewidth=0)
    axes.stairs(levels, edges, color=style.INK, linewidth=1.1, linestyle="--", baseline=None)
    ends = [
        (float(row.kept_by), 100.0 * row.estimate.low, 100.0 * row.estimate.high)
        for row in rows
        if row.estimate and row.estimate.low is not None and row.estimate.high is not None
    ]
    dots.bars(axes, ends, style.INK)
    step = max(1, -(-of // 6))
    axes.set_xticks([*range(0, of, step), of] if of % step else range(0, of + 1, step))
    axes.set_ylim(bottom=0.0)
    axes.tick_params(labelsize=7.5)
    axes.set_xlabel(f"masks that keep a weight, of {of}", fontsize=8)


def _short(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:29]}…"


def _chance() -> "list[tuple[Artist, str]]":
    from matplotlib.lines import Line2D

    return [(Line2D([], [], color=style.INK, linestyle="--", linewidth=1.1), "chance level")]


def ends(rows: list[records.Consensus]) -> tuple[records.Consensus, records.Consensus] | None:
    """Rows of the weights that no mask keeps, and of those that all keep."""
    by = {row.kept_by: row for row in rows}
    return (by[0], by[rows[0].of]) if 0 in by and rows[0].of in by else None


def _message(panels: dict[str, list[records.Consensus]]) -> str:
    found = [(name, both[1]) for name, rows in panels.items() if (both := ends(rows))]
    known = [(name, row, row.chance) for name, row in found if row.chance]
    if not known:
        return "Share of the weights that so many masks of a population keep."
    name, row, chance = max(known, key=lambda one: one[1].share / one[2])
    digits = shaping.digits([row.estimate] if row.estimate else [], 100.0, 2)
    interval = numbers.interval(row.estimate, 100.0, digits) if row.estimate else ""
    share, level = numbers.percent(row.share, digits), numbers.percent(chance, digits)
    return (
        f"Largest core, against chance: {name}, where all {row.of} masks keep {share} % "
        f"{interval + ' ' if interval else ''}of the weights; independent masks would {level} %."
    )


def _caption(panels: dict[str, list[records.Consensus]], drawn: int) -> str:
    rows = [row for own in panels.values() for row in own]
    estimates = [row.estimate for row in rows if row.estimate]
    draws = text.span([row.draws for row in rows])
    cut = f" The first {drawn} of {len(panels)} populations." if drawn < len(panels) else ""
    return (
        f"n = {text.span([row.of for row in rows])} masks per draw of base weights, mean over {draws} draws. "
        "Bar: share of all weights that exactly so many masks keep; at both ends (never kept, core) with the "
        f"interval ({text.interval_methods(estimates)}). Dashed: chance level, independent masks with the "
        f"same kept counts per layer.{cut}"
    )
