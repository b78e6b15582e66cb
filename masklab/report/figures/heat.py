"""Matrices of populations by populations with their values in the cells, as several figures have them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup

from masklab.report import numbers, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONG_NAME = 28  # letters; two matrices with longer names do not fit side by side
_WRITTEN = 12  # populations; the values of more do not fit into the cells

Matrix = Float64[np.ndarray, "populations populations"]


@dataclass(frozen=True)
class Look:
    """How the matrices of a figure are drawn.

    Attributes:
        colours: Colour map.
        digits: Decimals of the values in the cells.
    """

    colours: str
    digits: int


def matrix(names: Sequence[str], value: Callable[[str, str], float | None]) -> Matrix:
    """Values of all ordered pairs of names; NaN where there is none."""
    cells = [[found if (found := value(a, b)) is not None else np.nan for b in names] for a in names]
    return np.array(cells, dtype=np.float64).reshape(len(names), len(names))


def known(panels: Mapping[str, Matrix]) -> dict[str, Matrix]:
    """Those with a value."""
    return {title: found for title, found in panels.items() if not np.isnan(found).all()}


def drawing(names: Sequence[str], panels: Mapping[str, Matrix], look: Look, key: str, message: str) -> Markup:
    """Lower triangles side by side, on one colour scale.

    Args:
        names: Populations, in the order of rows and columns.
        panels: Title → matrix.
        look: How they are drawn.
        key: Prefix of every id.
        message: What the figure shows.
    """
    longest = max(map(len, names))
    columns = min(2 if longest <= _LONG_NAME else 1, len(panels))
    lines = -(-len(panels) // columns)
    with style.drawing(key):
        figure = style.new_figure(
            lines * (0.8 + 0.045 * longest + 0.36 * len(names)), 5.0 * columns if columns > 1 else 7.0
        )
        grid = figure.subplots(lines, columns, squeeze=False).ravel()
        limits = _limits(panels)
        for axes, (title, found) in zip(grid, panels.items(), strict=False):
            _panel(axes, names, found, look, limits)
            axes.set_title(title)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        return style.svg(figure, key, message)


def _limits(panels: Mapping[str, Matrix]) -> tuple[float, float]:
    values = np.concatenate([found.ravel() for found in panels.values()])
    return min(0.0, float(np.nanmin(values))), max(float(np.nanmax(values)), 1e-6)


def _panel(
    axes: "Axes", names: Sequence[str], found: Matrix, look: Look, limits: tuple[float, float]
) -> None:
    import seaborn

    written = len(names) <= _WRITTEN
    texts = [["" if np.isnan(one) else numbers.fixed(one, look.digits) for one in line] for line in found]
    seaborn.heatmap(
        found,
        ax=axes,
        mask=np.isnan(found) | np.triu(np.ones_like(found, dtype=bool), 1),
        annot=np.array(texts) if written else False,
        fmt="",
        annot_kws={"fontsize": 7.5},
        cmap=look.colours,
        vmin=limits[0],
        vmax=limits[1],
        square=True,
        linewidths=0.0,
        cbar=not written,
        xticklabels=names,
        yticklabels=names,
    )
    axes.tick_params(length=0, labelsize=8)
    axes.tick_params(axis="y", rotation=0)
    for label in axes.get_xticklabels():
        label.set(rotation=35, ha="right", rotation_mode="anchor")
    for spine in axes.spines.values():
        spine.set_visible(False)
