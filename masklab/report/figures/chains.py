"""Barriers between a mask and itself some epochs later."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from masklab.report import load, style, text
from masklab.report.figures import bands, figure, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

TITLE = "Barriers between masks along training"

Panels = Mapping[str, Mapping[str, Sequence[rows.Chain]]]
"""Path → population → its links, by epoch."""


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """One panel per path, one line per population, over the epochs."""
    panels = _panels(analysis)
    if not panels:
        return figure.absent(TITLE, landscape.nothing(analysis) or _why(analysis))
    message = _message(analysis, panels)
    with style.drawing(key):
        drawing = style.new_figure(3.9, style.WIDTH if len(panels) > 1 else 6.5)
        grid = drawing.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (path, found) in zip(grid, panels.items(), strict=True):
            _panel(axes, found, theme)
            axes.set_title(path)
        grid[0].set_ylim(bottom=0.0)  # last: it ends the scaling of all panels
        grid[0].set_ylabel("barrier, points of test error")
        shown = [name for name in analysis.names if any(name in own for own in panels.values())]
        style.legend_below(drawing, [*style.population_entries(theme, shown), *_entry(panels)])
        svg = style.svg(drawing, key, message)
    names = ("population", "path", "epoch", "to", "statistics", "members", "images", "threshold")
    data = shaping.table(shaping.row(row, *names, of="barrier.entezari_error") for row in _all(panels))
    return figure.Figure(TITLE, message, _caption(panels), svg, data)


def _why(analysis: load.Analysis) -> str:
    if not analysis.results.movement:
        return "No member holds snapshots of its mask, so there are none to join along training."
    return (
        "Snapshots are joined only where base weights stayed as they were drawn, and no member that holds "
        "snapshots has such weights."
    )


def _panels(analysis: load.Analysis) -> Panels:
    found: dict[str, dict[str, list[rows.Chain]]] = {}
    for row in analysis.results.chains:
        if row.split == "test" and row.barrier.entezari_error.value is not None:
            found.setdefault(row.path, {}).setdefault(row.population, []).append(row)
    return {
        path: {name: sorted(own[name], key=lambda row: row.epoch) for name in analysis.names if name in own}
        for path, own in found.items()
    }


def _all(panels: Panels) -> list[rows.Chain]:
    return [row for own in panels.values() for found in own.values() for row in found]


def _panel(axes: "Axes", found: Mapping[str, Sequence[rows.Chain]], theme: style.Theme) -> None:
    from matplotlib import ticker

    series = {
        name: [((row.epoch + row.to) / 2.0, row.barrier.entezari_error) for row in own]
        for name, own in found.items()
    }
    bands.draw(axes, series, theme, 100.0)
    for threshold in dict.fromkeys(row.threshold for own in found.values() for row in own):
        axes.axhline(100.0 * threshold, color=style.INK, linestyle="--", linewidth=1.1)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.grid(visible=True)


def _entry(panels: Panels) -> "list[tuple[Artist, str]]":
    from matplotlib.lines import Line2D

    levels = dict.fromkeys(row.threshold for row in _all(panels))
    said = " and ".join(f"{100.0 * level:g}" for level in levels)
    return [
        (Line2D([], [], color=style.INK, linestyle="--", linewidth=1.1), f"connected: below {said} points")
    ]


def _message(analysis: load.Analysis, panels: Panels) -> str:
    own = sentences.chosen(analysis, [name for found in panels.values() for name in found])
    links = {
        f"{what} link, {path}": [found[name][at] for name in own.names if name in found]
        for path, found in panels.items()
        for what, at in (("first", 0), ("last", -1))
    }
    shown = [row for found in links.values() for row in found]
    digits = sentences.places(shown)
    said = "; ".join(
        f"{what} {sentences.extent({row.population: row.barrier.entezari_error for row in found}, digits)}"
        for what, found in links.items()
        if found
    )
    level = sentences.noise(shown, digits)
    beside = f" Noise alone would show {level} points." if level else ""
    one = all(row.members == 1 for row in shown)
    alone = " One member carries nothing about a population." if one else ""
    return (
        f"Mean barriers between successive masks of members of {own.called}, points of test error "
        f"(n = {text.counted([row.members for row in shown], 'member')} per population; brackets: from the "
        f"lowest end to the highest of the intervals over members): {said}.{beside}{alone}"
    )


def _caption(panels: Panels) -> str:
    found = _all(panels)
    barriers = [row.barrier.entezari_error for row in found]
    return (
        f"n = {text.counted([row.members for row in found], 'member')} per point, "
        f"{text.span([row.images for row in found])} test images; {landscape.statistics(found)}. Entezari's "
        "barrier between the masks at two successive snapshots of one member, at the midpoint of the two "
        "epochs; the final mask is the last. Point: mean over members; band: its interval "
        f"({text.interval_methods(barriers)}). No barrier: 0; what noise alone shows stands in the table. "
        f"Accuracy: {landscape.chance(found)}."
    )
