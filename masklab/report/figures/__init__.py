"""Figures of a study, one file each: `draw(analysis, theme, key)` gives a `Figure`."""

from collections.abc import Callable

from masklab.report import load, style
from masklab.report.figures import (
    accuracy,
    distances,
    embeddings,
    interpolation,
    layers,
    matrices,
    movement,
)
from masklab.report.figures.figure import Figure

Draw = Callable[[load.Analysis, style.Theme, str], Figure]

ALL: dict[str, Draw] = {
    "accuracy": accuracy.draw,
    "distances": distances.draw,
    "layers": layers.draw,
    "embeddings": embeddings.draw,
    "interpolation": interpolation.draw,
    "matrices": matrices.draw,
    "movement": movement.draw,
}
"""Figures by anchor, in the order of the page."""

OPTIONAL = {"movement"}
"""Anchors of figures that a study without their numbers does not have at all."""

__all__ = ["ALL", "OPTIONAL", "Figure"]
