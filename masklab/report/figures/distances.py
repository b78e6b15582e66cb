"""Clustered heat map of whole-mask distances between all compared members."""

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int

from masklab.report import load, models, numbers, style
from masklab.report.figures import bitmaps, figure, shaping

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Distances between masks"
_NAMED_MEMBERS = 40
_LISTED_MEMBERS = 300  # above this the matrix is no part of the page, and the stripes are a bitmap
_CELLS = 400  # a side; of more members, means over neighbours are drawn, and no branches of so few
_SIZE = (8.8, 8.2)  # inches
_LETTER = 0.064  # inches, of a row label
_LONGEST_NAME = 60
_TREE, _STRIPES = 0.12, 0.04  # of the width

Order = Int[np.ndarray, " members"]
Square = Float64[np.ndarray, "members members"]
Tree = list[tuple[float, float]]
"""Height and place of the corners of all branches, branches apart by NaN."""


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Hamming distances, average-linkage clustering, rows coloured by population and by block."""
    if analysis.distances is None or len(analysis.distances.ids) < 3:
        why = "Clustering needs at least three stored members"
        return figure.absent(TITLE, figure.without_pairs(analysis, why))
    message = _message(analysis)
    order, tree = _clustered(analysis.distances.hamming)
    ids = [analysis.distances.ids[at] for at in order]
    hamming = analysis.distances.hamming[np.ix_(order, order)]
    with style.drawing(key):
        svg = bitmaps.small(style.svg(_drawing(analysis, theme, ids, hamming, tree), key, message))
    together = _together(len(ids))
    means = (
        f" Drawn are means over {together} × {together} neighbouring cells, and no branches of {together} "
        "members or fewer."
        if together > 1
        else ""
    )
    caption = (
        f"n = {numbers.count(len(ids), 'member')}. Cell: Hamming distance between two whole masks, the "
        "fraction of weights that one keeps and the other does not; no interval, as each cell is one pair. "
        f"Order and tree: average linkage on these distances.{means} Left stripes: population and draw of "
        f"base weights. {_chance(analysis)}"
    )
    return figure.Figure(TITLE, message, caption, svg, _data(ids, hamming))


def _data(ids: list[str], hamming: Square) -> figure.Data:
    """The matrix in the order of the drawing."""
    if len(ids) > _LISTED_MEMBERS:
        note = f"The matrix of {len(ids):,} members lies in analysis/overlap.npz (ids, hamming)."
        return figure.Data(["id"], [], note)
    lines = zip(ids, hamming.round(6).tolist(), strict=True)
    return figure.Data(["id", *ids], [(name, *line) for name, line in lines])


def _together(members: int) -> int:
    """Cells a side that are drawn as one."""
    return -(-members // _CELLS)


def _clustered(hamming: Square) -> tuple[Order, Tree]:
    """Order of the members by average linkage, and its tree."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    links = hierarchy.linkage(squareform(hamming, checks=False), method="average")
    order = hierarchy.leaves_list(links)
    heights, places = np.zeros(2 * len(order) - 1), np.zeros(2 * len(order) - 1)
    places[order] = np.arange(len(order)) + 0.5
    tree: Tree = []
    for at, (first, second, height, members) in enumerate(links, len(order)):
        a, b = int(first), int(second)
        heights[at], places[at] = height, (places[a] + places[b]) / 2
        if members > _together(len(order)):
            ends = (heights[a], places[a]), (heights[b], places[b])
            tree += [ends[0], (height, places[a]), (height, places[b]), ends[1], (math.nan, math.nan)]
    return order.astype(np.int64), tree


def _drawing(
    analysis: load.Analysis, theme: style.Theme, ids: list[str], hamming: Square, tree: Tree
) -> "Figure":
    """Legend above, then tree, stripes and heat map side by side, the colour bar below."""
    width, height = _SIZE
    drawing = style.new_figure(height, width)
    drawing.set_layout_engine("none")
    entries = [*style.population_entries(theme, _present(analysis)), *_block_entries(analysis)]
    columns = style.columns(entries, width)
    style.legend(drawing, entries, loc="upper left", bbox_to_anchor=(0.02, 0.995), ncols=columns)
    names = _names(ids)
    left, right = 0.03, 0.97 - _LETTER * max(map(len, names), default=0) / width
    bottom, top = 0.09, 1.0 - (0.3 + 0.19 * -(-len(entries) // columns)) / height
    begins = [left + share * (right - left) for share in (0.0, _TREE, _TREE + _STRIPES, 1.0)]
    branches, stripes, heat = (
        drawing.add_axes((begin, bottom, end - begin, top - bottom))
        for begin, end in itertools.pairwise(begins)
    )
    _branches(branches, tree, len(ids))
    _stripes(stripes, analysis, theme, ids)
    bar = drawing.add_axes((begins[2], bottom - 0.045, 0.3 * (right - begins[2]), 0.018))
    _heat(heat, bar, names, hamming)
    return drawing


def _branches(axes: "Axes", tree: Tree, members: int) -> None:
    axes.plot(*zip(*tree, strict=True), color=style.INK, linewidth=0.8)
    axes.set_xlim(1.05 * np.nanmax([height for height, _ in tree]) or 1.0, 0.0)
    axes.set_ylim(members, 0.0)
    axes.set_axis_off()


def _stripes(axes: "Axes", analysis: load.Analysis, theme: style.Theme, ids: list[str]) -> None:
    """Population and draw of base weights of every member; neighbours alike are one bar."""
    greys = _greys(analysis)
    members = [analysis.members[name] for name in ids]
    colours = [theme.colours[own.population] for own in members], [greys[own.block] for own in members]
    for place, own in enumerate(colours):
        runs = [(colour, len(list(run))) for colour, run in itertools.groupby(own)]
        lengths = [length for _, length in runs]
        begins = [0, *itertools.accumulate(lengths[:-1])]
        look: Any = {"color": [colour for colour, _ in runs], "linewidth": 0, "width": 1.0}
        axes.bar([place] * len(runs), lengths, bottom=begins, rasterized=len(ids) > _LISTED_MEMBERS, **look)
    axes.set_xlim(-0.5, 1.5)
    axes.set_ylim(len(ids), 0.0)
    axes.set_axis_off()


def _heat(axes: "Axes", bar: "Axes", names: list[str], hamming: Square) -> None:
    """Distances without the diagonal, one pixel for each: the browser scales them."""
    from matplotlib import ticker

    shown = _means(np.where(np.eye(len(hamming), dtype=bool), np.nan, hamming), _together(len(hamming)))
    low, high = np.nanmin(shown), np.nanmax(shown)
    look: Any = {"cmap": "viridis", "vmin": low, "vmax": max(high, low + 1e-9)}
    image = axes.imshow(shown, aspect="auto", interpolation="none", **look)
    axes.yaxis.tick_right()
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=7.5)
    axes.spines[:].set_visible(False)
    scale: Any = bar.figure.colorbar(image, cax=bar, orientation="horizontal")
    scale.solids.set_rasterized(True)
    bar.yaxis.set_label_position("right")
    bar.set_ylabel("Hamming distance", rotation=0, ha="left", va="center", fontsize=8.5)
    bar.tick_params(labelsize=8)
    bar.xaxis.set_major_locator(ticker.MaxNLocator(4))


def _means(square: Square, together: int) -> np.ndarray:
    """Means over blocks of cells; those without a value count nowhere.

    Examples:
        >>> _means(np.array([[np.nan, 1.0, 2.0], [1.0, np.nan, 3.0], [2.0, 3.0, np.nan]]), 2).tolist()
        [[1.0, 2.5], [2.5, nan]]
    """
    if together == 1:
        return square
    lacking = -len(square) % together
    padded = np.pad(square, (0, lacking), constant_values=np.nan)
    side = len(padded) // together
    blocks = padded.reshape(side, together, side, together)
    known = ~np.isnan(blocks)
    counts = known.sum(axis=(1, 3))
    sums = np.where(known, blocks, 0.0).sum(axis=(1, 3))
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _names(ids: list[str]) -> list[str]:
    """Row labels, none when they would not fit."""
    fits = len(ids) <= _NAMED_MEMBERS and max(map(len, ids)) <= _LONGEST_NAME
    return ids if fits else []


def _present(analysis: load.Analysis) -> list[str]:
    stored = {member.population for member in analysis.results.members}
    return [name for name in analysis.compared if name in stored]


def _greys(analysis: load.Analysis) -> dict[int, str]:
    from matplotlib import colormaps, colors

    shades = colormaps["Greys"](np.linspace(0.2, 0.8, len(analysis.blocks)))
    return {block: colors.to_hex(shade) for block, shade in zip(analysis.blocks, shades, strict=True)}


def _block_entries(analysis: load.Analysis) -> "list[tuple[Artist, str]]":
    from matplotlib.patches import Patch

    if not 1 < len(analysis.blocks) <= 6:
        return []
    return [
        (Patch(facecolor=grey, edgecolor="none"), f"weight draw {block}")
        for block, grey in _greys(analysis).items()
    ]


def _message(analysis: load.Analysis) -> str:
    """Chance-corrected overlap of pairs that share base weights: like compared with like."""
    trained = {
        population.name
        for population in analysis.results.populations
        if population.control is None and not population.imported
    }
    rows = [
        row
        for row in analysis.results.overlap
        if row.metric == "chance_corrected"
        and row.layer == load.WHOLE
        and row.block == "within"
        and row.estimate.value is not None
        and {row.a, row.b} <= trained
    ]
    kinds = (
        ("within a population", [row for row in rows if row.a == row.b]),
        (
            "between populations with different seeds",
            [r for r in rows if r.a != r.b and r.seed == "different"],
        ),
        ("between populations with equal seeds", [r for r in rows if r.a != r.b and r.seed == "same"]),
    )
    said = [f"{_span(found)} {kind}" for kind, found in kinds if found]
    if not said:
        return "Hamming distances between all stored masks."
    return (
        "Masks of pruners that share base weights overlap, corrected for chance (0 = chance, 1 = identical), "
        f"by {', '.join(said)} (means over pairs)."
    )


def _span(rows: list[models.Overlap]) -> str:
    digits = shaping.digits([row.estimate for row in rows], 1.0, 3)
    values = [row.estimate.value for row in rows if row.estimate.value is not None]
    low, high = numbers.fixed(min(values), digits), numbers.fixed(max(values), digits)
    return low if low == high else f"{low} to {high}"


def _chance(analysis: load.Analysis) -> str:
    levels: dict[str, list[str]] = {}
    for row in analysis.results.overlap:
        if row.metric == "hamming" and row.layer == load.WHOLE and row.a == row.b and row.chance is not None:
            names = levels.setdefault(f"{row.chance:.4f}", [])
            if row.a not in names:
                names.append(row.a)
    if not levels:
        return "Chance level: not available."
    if len(levels) == 1:
        return (
            f"Chance level within a population (independent masks, same kept counts): {next(iter(levels))}."
        )
    listed = "; ".join(f"{level} ({', '.join(names)})" for level, names in levels.items())
    return f"Chance levels within populations (independent masks, same kept counts): {listed}."
