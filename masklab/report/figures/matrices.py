"""Pruner by pruner: chance-corrected overlap."""

from collections.abc import Callable, Mapping

import numpy as np

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import figure, heat

TITLE = "Pruner by pruner"
SEEDS: dict[records.Seed, str] = {"different": "different seeds", "same": "same seeds"}


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Matrices of mean overlap; the diagonal holds the pairs within a population."""
    del theme  # populations stand on the axes
    panels = heat.known(
        {
            f"chance-corrected overlap, {said}": heat.matrix(analysis.compared, _overlap(analysis, seed))
            for seed, said in SEEDS.items()
        }
    )
    if not panels:
        why = "There are no pairs of members to compare"
        return figure.absent(TITLE, figure.without_pairs(analysis, why))
    message = _message(analysis, panels)
    svg = heat.drawing(analysis.compared, panels, heat.Look("viridis", 3), key, message)
    return figure.Figure(TITLE, message, _caption(analysis), svg)


def _overlap(analysis: load.Analysis, seed: records.Seed) -> Callable[[str, str], float | None]:
    def value(a: str, b: str) -> float | None:
        row = analysis.overlap(a, b, "chance_corrected", block=_block(analysis), seed=seed)
        return None if row is None else row.estimate.value

    return value


def _block(analysis: load.Analysis) -> records.Block:
    """Pairs that share base weights, unless there are none at all."""
    return "within" if any(row.block == "within" for row in analysis.results.overlap) else "across"


def _message(analysis: load.Analysis, panels: Mapping[str, heat.Matrix]) -> str:
    cells = [
        (
            float(matrix[row, column]),
            title.partition(", ")[2],
            analysis.compared[column],
            analysis.compared[row],
        )
        for title, matrix in panels.items()
        for row, column in zip(*np.tril_indices(len(matrix), -1), strict=True)
        if not np.isnan(matrix[row, column])
    ]
    if not cells:
        return "Overlap for every pair of pruners."
    value, seeds, first, second = max(cells)
    if any(own.imported for own in analysis.results.populations if own.name in (first, second)):
        seeds = "seeds unknown"
    overlap = numbers.fixed(value, 3)
    return (
        f"The closest two populations are {first} and {second}, {seeds}: chance-corrected overlap {overlap}."
    )


def _caption(analysis: load.Analysis) -> str:
    block = _block(analysis)
    rows = [
        row
        for row in analysis.results.overlap
        if row.metric == "chance_corrected" and row.layer == load.WHOLE and row.block == block
    ]
    shared = "share" if block == "within" else "do not share"
    return (
        f"Overlap: n = {text.span([row.pairs for row in rows])} pairs per cell, all of which {shared} base "
        "weights; mean over the pairs, 0 = chance level, 1 = identical. Diagonal: pairs within a "
        "population; same seeds: member i of one population with member i of the other. Intervals "
        f"stand in the table of pairs below ({text.interval_methods([row.estimate for row in rows])}). "
        "Empty: no such pairs."
    )
