"""Figures of a study, one file each: `draw(analysis, theme, key)` gives a `Figure`."""

from collections.abc import Callable

from masklab.report import load, style
from masklab.report.figures import (
    accuracy,
    algebra,
    barriers,
    chains,
    consensus,
    differences,
    distances,
    embeddings,
    ensembles,
    flatness,
    gathering,
    interpolation,
    layers,
    matrices,
    movement,
    paths,
    rarefaction,
    scatter,
    sensitivity,
    separation,
    shares,
    surfaces,
    transfer,
)
from masklab.report.figures.figure import Figure
from masklab.report.landscape import text as landscape

Draw = Callable[[load.Analysis, style.Theme, str], Figure]

ALL: dict[str, Draw] = {
    "accuracy": accuracy.draw,
    "distances": distances.draw,
    "matrices": matrices.draw,
    "layers": layers.draw,
    "shares": shares.draw,
    "embeddings": embeddings.draw,
    "differences": differences.draw,
    "separation": separation.draw,
    "scatter": scatter.draw,
    "ensembles": ensembles.draw,
    "rarefaction": rarefaction.draw,
    "consensus": consensus.draw,
    "movement": movement.draw,
    "paths": paths.draw,
    "interpolation": interpolation.draw,
    "barriers": barriers.draw,
    "flatness": flatness.draw,
    "sensitivity": sensitivity.draw,
    "algebra": algebra.draw,
    "gathering": gathering.draw,
    "transfer": transfer.draw,
    "surfaces": surfaces.draw,
    "chains": chains.draw,
}
"""Figures by anchor, in the order of the page."""

OPTIONAL: dict[str, Callable[[load.Analysis], bool]] = {
    "movement": lambda analysis: bool(analysis.results.movement),
    "interpolation": interpolation.has,
    "barriers": lambda analysis: bool(analysis.results.landscape),
    "flatness": landscape.measured,
    "sensitivity": lambda analysis: bool(analysis.results.neighbourhood),
    "algebra": landscape.measured,
    "gathering": lambda analysis: bool(analysis.results.algebra),
    "transfer": landscape.measured,
    "surfaces": landscape.measured,
    "chains": landscape.measured,
}
"""Anchors of figures that a study does not have at all where this is false."""

__all__ = ["ALL", "OPTIONAL", "Figure"]
