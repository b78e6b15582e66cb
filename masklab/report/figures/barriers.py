"""Population by population: the barrier of the error between two members."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import figure, heat, matrices
from masklab.report.landscape import rows
from masklab.report.landscape import text as landscape

TITLE = "Barriers between populations"


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Matrices of the mean barrier: linear, and the mask path that most pairs of populations have."""
    del theme  # populations stand on the axes
    walked = [row for row in analysis.results.landscape if row.split == "test"]
    names = [name for name in analysis.names if any(name in (row.a, row.b) for row in walked)]
    panels = heat.known(
        {
            f"{path}, {said}": heat.matrix(names, _barrier(analysis, path, seed, _block(walked)))
            for path in _shown(walked)
            for seed, said in matrices.SEEDS.items()
        }
    )
    if not panels:
        why = landscape.nothing(analysis) or "No barrier between members is defined."
        return figure.absent(TITLE, why)
    message = _message(analysis, panels, names)
    svg = heat.drawing(names, panels, heat.Look("rocket_r", 2), key, message)
    return figure.Figure(TITLE, message, _caption(walked, list(panels)), svg)


def _shown(walked: Sequence[rows.Path]) -> list[str]:
    """The straight line, and of the other paths that with most cells if it joins any two populations."""
    cells: dict[str, set[tuple[str, str]]] = {}
    for row in walked:
        cells.setdefault(row.path, set()).add((row.a, row.b))
    others = [name for name, own in cells.items() if name != "linear" and any(a != b for a, b in own)]
    widest = max(others, key=lambda name: len(cells[name]), default=None)
    return [name for name in ("linear", widest) if name in cells]


def _block(walked: Sequence[rows.Path]) -> records.Block:
    """Pairs that share base weights, unless there are none at all."""
    return "within" if any(row.block == "within" for row in walked) else "across"


def _barrier(
    analysis: load.Analysis, path: str, seed: records.Seed, block: records.Block
) -> Callable[[str, str], float | None]:
    def value(a: str, b: str) -> float | None:
        row = analysis.path(a, b, block, seed, path=path)
        found = None if row is None else row.barrier.entezari_error.value
        return None if found is None else 100.0 * found

    return value


def _message(analysis: load.Analysis, panels: Mapping[str, heat.Matrix], names: Sequence[str]) -> str:
    title, matrix = next(iter(panels.items()))
    shown = [names.index(name) for name in landscape.trained(analysis, names)]
    within = {names[at]: float(matrix[at, at]) / 100.0 for at in shown if not np.isnan(matrix[at, at])}
    between = {
        f"{names[a]} and {names[b]}": float(matrix[a, b]) / 100.0
        for a, b in itertools.combinations(shown, 2)
        if not np.isnan(matrix[a, b])
    }
    parts = {"within populations": within, "between them": between}
    said = [f"{where} {landscape.ends(values, 2)}" for where, values in parts.items() if values]
    path, _, seeds = title.partition(", ")
    return f"Mean barriers on {path} paths, {seeds}, points of test error: {'; '.join(said)}."


def _caption(walked: Sequence[rows.Path], titles: Sequence[str]) -> str:
    shown = {title.partition(",")[0] for title in titles}
    block = _block(walked)
    own = [row for row in walked if row.path in shown and row.block == block]
    shared = "share" if block == "within" else "do not share"
    return (
        f"Entezari's barrier of the test error in percentage points, mean over n = "
        f"{text.span([row.pairs for row in own])} sampled pairs per cell that {shared} base weights, "
        f"{text.span([row.images for row in own])} images; {landscape.statistics(own)}. Diagonal: pairs "
        "within a population; same seeds: member i of one population with member i of the other. 0 = no "
        "barrier. Noise in the images makes barriers too large; bias and intervals stand in the table below "
        f"({text.interval_methods([row.barrier.entezari_error for row in own])}); straight paths would show "
        f"{_noise(own)} points by noise alone (chance level). Empty: not walked."
    )


def _noise(walked: Sequence[rows.Path]) -> str:
    """Barriers of straight paths on as many images, in points."""
    levels = [
        images.chance
        for row in walked
        if (images := row.over_images.get("entezari_error")) is not None and images.chance is not None
    ]
    if not levels:
        return "unknown"
    low, high = numbers.percent(min(levels)), numbers.percent(max(levels))
    return low if low == high else f"{low} to {high}"
