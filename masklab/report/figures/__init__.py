"""Figures of a study, one file each: `draw(analysis, theme, key)` gives a `Figure`."""

from collections.abc import Callable

from masklab.report import load, style
from masklab.report.figures import (
    accuracy,
    consensus,
    distances,
    embeddings,
    ensembles,
    interpolation,
    layers,
    matrices,
    movement,
    rarefaction,
    scatter,
    shares,
)
from masklab.report.figures.figure import Figure

Draw = Callable[[load.Analysis, style.Theme, str], Figure]

ALL: dict[str, Draw] = {
    "accuracy": accuracy.draw,
    "distances": distances.draw,
    "matrices": matrices.draw,
    "layers": layers.draw,
    "shares": shares.draw,
    "embeddings": embeddings.draw,
    "scatter": scatter.draw,
    "ensembles": ensembles.draw,
    "rarefaction": rarefaction.draw,
    "consensus": consensus.draw,
    "movement": movement.draw,
    "interpolation": interpolation.draw,
}
"""Figures by anchor, in the order of the page."""

OPTIONAL = {"movement"}
"""Anchors of figures that a study without their numbers does not have at all."""

__all__ = ["ALL", "OPTIONAL", "Figure"]
