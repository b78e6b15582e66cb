"""Pruner by pruner: chance-corrected overlap and barrier."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Pruner by pruner"
_LONG_NAME = 28  # letters; two matrices with longer names do not fit side by side
_SEEDS: dict[records.Seed, str] = {"different": "different seeds", "same": "same seeds"}

Matrix = Float64[np.ndarray, "populations populations"]


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Matrices of mean overlap and mean barrier; the diagonal holds the pairs within a population."""
    del theme  # populations stand on the axes
    panels = _panels(analysis)
    if not panels:
        why = "There are no pairs of members to compare"
        return figure.absent(TITLE, figure.without_pairs(analysis, why))
    message = _message(analysis, panels)
    longest = max(map(len, analysis.compared))
    columns = min(2 if longest <= _LONG_NAME else 1, len(panels))
    lines = -(-len(panels) // columns)
    with style.drawing(key):
        drawing = style.new_figure(
            lines * (0.8 + 0.045 * longest + 0.36 * len(analysis.compared)),
            5.0 * columns if columns > 1 else 7.0,
        )
        grid = drawing.subplots(lines, columns, squeeze=False).ravel()
        for axes, (title, matrix) in zip(grid, panels.items(), strict=False):
            _panel(axes, analysis.compared, matrix, title, _limits(panels, title))
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        svg = style.svg(drawing, key, message)
    return figure.Figure(TITLE, message, _caption(analysis, panels), svg)


def _panels(analysis: load.Analysis) -> dict[str, Matrix]:
    def overlap(block: records.Block, seed: records.Seed) -> Callable[[str, str], float | None]:
        def value(a: str, b: str) -> float | None:
            row = analysis.overlap(a, b, "chance_corrected", block=block, seed=seed)
            return None if row is None else row.estimate.value

        return value

    def barrier(block: records.Block, seed: records.Seed) -> Callable[[str, str], float | None]:
        def value(a: str, b: str) -> float | None:
            row = analysis.path(a, b, block, seed)
            points = None if row is None else row.barrier.entezari_error.value
            return None if points is None else 100.0 * points

        return value

    wanted = {
        f"{name}, {_SEEDS[seed]}": _matrix(analysis.compared, source(_block(analysis), seed))
        for name, source in (("chance-corrected overlap", overlap), ("barrier, points", barrier))
        for seed in _SEEDS
    }
    return {title: matrix for title, matrix in wanted.items() if not np.isnan(matrix).all()}


def _block(analysis: load.Analysis) -> records.Block:
    """Pairs that share base weights, unless there are none at all."""
    return "within" if any(row.block == "within" for row in analysis.results.overlap) else "across"


def _matrix(names: list[str], value: Callable[[str, str], float | None]) -> Matrix:
    cells = [[found if (found := value(a, b)) is not None else np.nan for b in names] for a in names]
    return np.array(cells, dtype=np.float64).reshape(len(names), len(names))


def _limits(panels: dict[str, Matrix], title: str) -> tuple[float, float]:
    """Colour scale shared by the panels of one kind."""
    kind = title.partition(",")[0]
    values = np.concatenate([matrix.ravel() for name, matrix in panels.items() if name.startswith(kind)])
    return min(0.0, float(np.nanmin(values))), max(float(np.nanmax(values)), 1e-6)


def _panel(axes: "Axes", names: list[str], matrix: Matrix, title: str, limits: tuple[float, float]) -> None:
    import seaborn

    overlap = title.startswith("chance")
    digits = 3 if overlap else 2
    seaborn.heatmap(
        matrix,
        ax=axes,
        mask=np.isnan(matrix) | np.triu(np.ones_like(matrix, dtype=bool), 1),
        annot=np.vectorize(lambda value: "" if np.isnan(value) else numbers.fixed(value, digits))(matrix)
        if len(names) <= 12
        else False,
        fmt="",
        annot_kws={"fontsize": 7.5},
        cmap="viridis" if overlap else "rocket_r",
        vmin=limits[0],
        vmax=limits[1],
        square=True,
        linewidths=0.0,
        cbar=len(names) > 12,
        xticklabels=names,
        yticklabels=names,
    )
    axes.set_title(title)
    axes.tick_params(length=0, labelsize=8)
    axes.tick_params(axis="y", rotation=0)
    for label in axes.get_xticklabels():
        label.set(rotation=35, ha="right", rotation_mode="anchor")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _message(analysis: load.Analysis, panels: dict[str, Matrix]) -> str:
    cells = [
        (
            float(matrix[row, column]),
            title.partition(", ")[2],
            analysis.compared[column],
            analysis.compared[row],
        )
        for title, matrix in panels.items()
        if title.startswith("chance")
        for row, column in zip(*np.tril_indices(len(matrix), -1), strict=True)
        if not np.isnan(matrix[row, column])
    ]
    if not cells:
        return "Overlap and barrier for every pair of pruners."
    value, seeds, first, second = max(cells)
    if any(own.imported for own in analysis.results.populations if own.name in (first, second)):
        seeds = "seeds unknown"
    overlap = numbers.fixed(value, 3)
    return (
        f"The closest two populations are {first} and {second}, {seeds}: chance-corrected overlap {overlap}."
    )


def _caption(analysis: load.Analysis, panels: dict[str, Matrix]) -> str:
    block = _block(analysis)
    rows = [
        row
        for row in analysis.results.overlap
        if row.metric == "chance_corrected" and row.layer == load.WHOLE and row.block == block
    ]
    shared = "share" if block == "within" else "do not share"
    walked = [row.pairs for row in analysis.results.landscape if row.block == block]
    barrier = (
        " Barrier: Entezari's, of the test error, in percentage points, mean over a sample of "
        f"n = {text.span(walked)} of these pairs per cell."
        if any(title.startswith("barrier") for title in panels)
        else " Barriers were not measured."
    )
    return (
        f"Overlap: n = {text.span([row.pairs for row in rows])} pairs per cell, all of which {shared} base "
        "weights; mean over the pairs, 0 = chance level, 1 = identical. Diagonal: pairs within a "
        f"population; same seeds: member i of one population with member i of the other.{barrier} Intervals "
        f"stand in the table of pairs below ({text.interval_methods([row.estimate for row in rows])}). "
        "Empty: no such pairs."
    )
