"""Clustered heat map of whole-mask distances between all compared members."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np

from masklab.report import load, models, numbers, style
from masklab.report.figures import figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from seaborn.matrix import ClusterGrid

TITLE = "Distances between masks"
_VECTOR_MEMBERS = 20  # above this the cells become one bitmap: n² vector cells weigh 150 bytes each
_NAMED_MEMBERS = 40
_SIZE = (8.8, 8.2)  # inches
_LETTER = 0.064  # inches, of a row label
_LONGEST_NAME = 60


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Hamming distances, average-linkage clustering, rows coloured by population and by block."""
    if analysis.distances is None or len(analysis.distances.ids) < 3:
        why = "Clustering needs at least three stored members"
        return figure.absent(TITLE, figure.without_pairs(analysis, why))
    distances = analysis.distances
    message = _message(analysis)
    with style.drawing(key), _agg():
        import matplotlib.pyplot as plt

        grid = _cluster(analysis, theme, distances)
        try:
            _finish(grid, analysis, theme, distances)
            svg = style.svg(grid.figure, key, message)
        finally:
            plt.close(grid.figure)
    caption = (
        f"n = {numbers.count(len(distances.ids), 'member')}. Cell: Hamming distance between two whole masks, "
        "the fraction of weights that one keeps and the other does not; no interval, as each cell is one "
        "pair. Order and tree: average linkage on these distances. Left stripes: population and draw of "
        "base weights. " + _chance(analysis)
    )
    return figure.Figure(TITLE, message, caption, svg)


@contextmanager
def _agg() -> Iterator[None]:
    """Seaborn's cluster map draws through pyplot: never open a window, give the caller's backend back."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    previous = mpl.get_backend(auto_select=False)
    plt.switch_backend("agg")
    try:
        yield
    finally:
        if previous is not None:
            plt.switch_backend(previous)


def _cluster(analysis: load.Analysis, theme: style.Theme, distances: load.Distances) -> "ClusterGrid":
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    tree = hierarchy.linkage(squareform(distances.hamming, checks=False), method="average")
    with warnings.catch_warnings():
        # equal masks everywhere: the tree has no height, which is what it should show
        warnings.filterwarnings("ignore", "Attempting to set identical low and high", UserWarning)
        return _cluster_map(analysis, theme, distances, tree)


def _cluster_map(
    analysis: load.Analysis, theme: style.Theme, distances: load.Distances, tree: np.ndarray
) -> "ClusterGrid":
    import seaborn

    hamming = distances.hamming
    n = len(distances.ids)
    off = hamming[~np.eye(n, dtype=bool)]
    greys = _greys(analysis)
    members = [analysis.members[name] for name in distances.ids]
    return seaborn.clustermap(
        hamming,
        mask=np.eye(n, dtype=bool),
        row_linkage=tree,
        col_linkage=tree,
        row_colors=[
            [theme.colours[member.population] for member in members],
            [greys[member.block] for member in members],
        ],
        cmap="viridis",
        vmin=off.min(),
        vmax=off.max() if off.max() > off.min() else off.min() + 1e-9,
        figsize=_SIZE,
        dendrogram_ratio=(0.12, 0.02),
        colors_ratio=0.02,
        cbar_pos=(0.04, 0.03, 0.22, 0.02),
        cbar_kws={"orientation": "horizontal"},
        tree_kws={"colors": [style.INK], "linewidths": 0.8},
        xticklabels=False,
        yticklabels=_names(distances) or False,
        rasterized=n > _VECTOR_MEMBERS,
    )


def _names(distances: load.Distances) -> list[str]:
    """Row labels, none when they would not fit."""
    fits = len(distances.ids) <= _NAMED_MEMBERS and max(map(len, distances.ids)) <= _LONGEST_NAME
    return distances.ids if fits else []


def _present(analysis: load.Analysis) -> list[str]:
    stored = {member.population for member in analysis.results.members}
    return [name for name in analysis.compared if name in stored]


def _finish(
    grid: "ClusterGrid", analysis: load.Analysis, theme: style.Theme, distances: load.Distances
) -> None:
    """Legend, colour bar, and room for them."""
    from matplotlib import ticker

    stripes, colour_bar = cast("Axes", grid.ax_row_colors), cast("Axes", grid.ax_cbar)
    grid.ax_col_dendrogram.set_visible(False)
    entries = [*style.population_entries(theme, _present(analysis)), *_block_entries(analysis)]
    width, height = _SIZE
    columns = style.columns(entries, width)
    names = _LETTER * max(map(len, _names(distances)), default=0)
    grid.figure.subplots_adjust(
        left=0.03,
        right=0.97 - names / width,
        bottom=0.09,
        top=1.0 - (0.3 + 0.19 * -(-len(entries) // columns)) / height,
    )
    heat = grid.ax_heatmap.get_position()
    colour_bar.set_position((heat.x0, heat.y0 - 0.045, 0.3 * heat.width, 0.018))
    for collection in stripes.collections:
        collection.set_rasterized(len(distances.ids) > 300)
    stripes.set_xticks([])
    stripes.tick_params(length=0)
    grid.ax_heatmap.tick_params(length=0, labelsize=7.5)
    colour_bar.yaxis.set_label_position("right")
    colour_bar.set_ylabel("Hamming distance", rotation=0, ha="left", va="center", fontsize=8.5)
    colour_bar.tick_params(labelsize=8)
    colour_bar.xaxis.set_major_locator(ticker.MaxNLocator(4))
    style.legend(
        grid.figure,
        entries,
        loc="upper left",
        bbox_to_anchor=(0.02, 0.995),
        ncols=columns,
    )


def _greys(analysis: load.Analysis) -> dict[int, str]:
    import seaborn

    shades = seaborn.color_palette("Greys", len(analysis.blocks) + 2).as_hex()[1:-1]
    return dict(zip(analysis.blocks, shades, strict=True))


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
    values = [row.estimate.value for row in rows if row.estimate.value is not None]
    low, high = numbers.fixed(min(values), 3), numbers.fixed(max(values), 3)
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
