"""Matrices of populations by populations with their values in the cells, as several figures have them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup

from masklab.report import numbers, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONG_NAME = 28  # letters; two matrices with longer names do not fit side by side
_WRITTEN = 12  # populations; the values of more do not fit into the cells
_CELL, _SMALL = 0.36, 0.17  # inches, with values and without
_LIGHT = 0.22  # luminance from which on a cell gets dark letters
_DARK, _PALE = "#262626", "#ffffff"  # on colours that are the same in light and dark

Matrix = Float64[np.ndarray, "populations populations"]


@dataclass(frozen=True)
class Look:
    """How a matrix is drawn.

    Attributes:
        colours: Colour map.
        digits: Decimals of the values in the cells.
        centred: Whether 0 lies in the middle of the colours, for values of both signs.
        marked: What is said of a cell after its value, row by row; empty for nothing.
    """

    colours: str
    digits: int
    centred: bool = False
    marked: Sequence[Sequence[str]] = ()


def matrix(names: Sequence[str], value: Callable[[str, str], float | None]) -> Matrix:
    """Values of all ordered pairs of names; NaN where there is none."""
    cells = [[found if (found := value(a, b)) is not None else np.nan for b in names] for a in names]
    return np.array(cells, dtype=np.float64).reshape(len(names), len(names))


def known(panels: Mapping[str, Matrix]) -> dict[str, Matrix]:
    """Those with a value."""
    return {title: found for title, found in panels.items() if not np.isnan(found).all()}


def written(populations: int) -> bool:
    """Whether the values of so many populations stand in the cells."""
    return populations <= _WRITTEN


def drawing(
    names: Sequence[str],
    panels: Mapping[str, Matrix],
    look: Look | Mapping[str, Look],
    key: str,
    message: str,
) -> Markup:
    """Lower triangles side by side.

    Args:
        names: Populations, in the order of rows and columns.
        panels: Title → matrix.
        look: How they are drawn: all on one colour scale, or each by its title on its own.
        key: Prefix of every id.
        message: What the figure shows.
    """
    longest, fits = max(map(len, names)), written(len(names))
    columns = min(2 if longest <= _LONG_NAME and fits else 1, len(panels))
    lines = -(-len(panels) // columns)
    cell = _CELL if fits else min(_SMALL, 8.0 / len(names))
    with style.drawing(key):
        figure = style.new_figure(
            lines * (0.8 + 0.045 * longest + cell * len(names)), 5.0 * columns if columns > 1 else 7.0
        )
        grid = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, (title, found) in zip(grid, panels.items(), strict=False):
            if isinstance(look, Look):
                _panel(axes, names, found, look, list(panels.values()))
            else:
                _panel(axes, names, found, look[title], [found])
            axes.set_title(title)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        return style.svg(figure, key, message)


def _limits(panels: Sequence[Matrix], look: Look) -> tuple[float, float]:
    values = np.concatenate([found.ravel() for found in panels])
    if look.centred:
        far = max(float(np.nanmax(np.abs(values))), 1e-6)
        return -far, far
    return min(0.0, float(np.nanmin(values))), max(float(np.nanmax(values)), 1e-6)


def _panel(axes: "Axes", names: Sequence[str], found: Matrix, look: Look, together: Sequence[Matrix]) -> None:
    low, high = _limits(together, look)
    shown = np.where(np.tri(len(names), dtype=bool), found, np.nan)
    colours: Any = {"cmap": look.colours, "vmin": low, "vmax": high}
    if written(len(names)):
        cells = axes.pcolormesh(shown, **colours)
    else:  # one pixel for each, which the browser scales
        cells = axes.imshow(shown, interpolation="none", extent=(0, len(names), len(names), 0), **colours)
    if written(len(names)) or look.marked:
        fills: Any = cells.to_rgba(shown)
        for (row, column), said in np.ndenumerate(_texts(shown, look)):
            ink = _DARK if _luminance(fills[row, column]) > _LIGHT else _PALE
            place: Any = {
                "ha": "center",
                "va": "center",
                "fontsize": 7.0 if look.marked else 7.5,
                "color": ink,
            }
            if said:
                axes.text(column + 0.5, row + 0.5, said, **place)
    if not written(len(names)):
        scale: Any = axes.figure.colorbar(cells, ax=axes, shrink=0.6, aspect=30)
        scale.solids.set_rasterized(True)
    places = np.arange(len(names)) + 0.5
    axes.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    axes.set_ylim(len(names), 0)
    axes.set_aspect("equal")
    axes.tick_params(length=0, labelsize=8 if written(len(names)) else 7)
    axes.spines[:].set_visible(False)


def _luminance(colour: Float64[np.ndarray, "4"]) -> float:
    """Relative luminance of a colour as WCAG 2 defines it; what is written on it must stand out from it."""
    red, green, blue = np.where(
        colour[:3] <= 0.04045, colour[:3] / 12.92, ((colour[:3] + 0.055) / 1.055) ** 2.4
    )
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def _texts(found: Matrix, look: Look) -> np.ndarray:
    """What stands in the cells: values with their marks, marks alone where there are too many values."""
    many = not written(len(found))
    marks = look.marked or [[""] * len(found)] * len(found)
    texts = [
        [
            "" if np.isnan(one) else f"{'' if many else numbers.fixed(one, look.digits)}{mark}"
            for one, mark in zip(line, marked, strict=True)
        ]
        for line, marked in zip(found, marks, strict=True)
    ]
    return np.array(texts)
