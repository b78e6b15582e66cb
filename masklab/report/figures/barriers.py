"""Population by population: the barrier of the error between two members."""

from collections.abc import Callable, Mapping, Sequence

from masklab.report import load, records, style, text
from masklab.report.figures import figure, heat, matrices, shaping
from masklab.report.landscape import rows, sentences
from masklab.report.landscape import text as landscape

TITLE = "Barriers between populations"


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Matrices of the mean barrier: linear, and the mask path that most pairs of populations have."""
    del theme  # populations stand on the axes
    cells = _cells([row for row in analysis.results.landscape if row.split == "test"])
    chosen = {id(row) for row in cells.values()}
    walked = [row for row in analysis.results.landscape if id(row) in chosen]
    names = [name for name in analysis.names if any(name in (row.a, row.b) for row in walked)]
    paths = _shown(walked)
    panels = heat.known(
        {
            f"{path}, {said}": heat.matrix(names, _barrier(cells, path, seed))
            for path in paths
            for seed, said in matrices.SEEDS.items()
        }
    )
    if not panels:
        why = landscape.nothing(analysis) or "No barrier between members is defined."
        return figure.absent(TITLE, why)
    message = _message(analysis, walked, names)
    svg = heat.drawing(names, panels, heat.Look("magma_r", sentences.places(walked)), key, message)
    columns = ("a", "b", "path", "block", "seed", "rule", "statistics", "pairs", "images")
    data = shaping.table(
        shaping.row(row, *columns, of="barrier.entezari_error")
        for row in walked
        if row.path in paths and row.barrier.entezari_error.value is not None
    )
    return figure.Figure(TITLE, message, _caption(walked, list(panels)), svg, data)


def _shown(walked: Sequence[rows.Path]) -> list[str]:
    """The straight line, and of the other paths that with most cells if it joins any two populations."""
    cells: dict[str, set[tuple[str, str]]] = {}
    for row in walked:
        cells.setdefault(row.path, set()).add((row.a, row.b))
    others = [name for name, own in cells.items() if name != "linear" and any(a != b for a, b in own)]
    widest = max(others, key=lambda name: len(cells[name]), default=None)
    return [name for name in ("linear", widest) if name in cells]


def _cells(walked: Sequence[rows.Path]) -> dict[tuple[str, str, str, str], rows.Path]:
    """(a, b, path, seeds) → pairs that share base weights, or where there are none of those, the others."""
    order = sorted(walked, key=lambda row: row.block == "within")
    return {(row.a, row.b, row.path, row.seed): row for row in order}


def _barrier(
    cells: Mapping[tuple[str, str, str, str], rows.Path], path: str, seed: records.Seed
) -> Callable[[str, str], float | None]:
    def value(a: str, b: str) -> float | None:
        row = cells.get((a, b, path, seed)) or cells.get((b, a, path, seed))
        found = None if row is None else row.barrier.entezari_error.value
        return None if found is None else 100.0 * found

    return value


def _message(analysis: load.Analysis, walked: Sequence[rows.Path], names: Sequence[str]) -> str:
    paths = _shown(walked)
    shown = [row for row in walked if row.path in paths]
    shown.sort(key=lambda row: (paths.index(row.path), sentences.order(analysis, row)))
    said = sentences.barriers(
        analysis, shown, "of", lambda row: f"{row.path}, {sentences.kind(analysis, row)}"
    )
    return said or f"Barriers between members of {len(names)} populations."


def _caption(walked: Sequence[rows.Path], titles: Sequence[str]) -> str:
    shown = {title.partition(",")[0] for title in titles}
    own = [row for row in walked if row.path in shown]
    noise = sentences.noise(own, sentences.places(own)) or "unknown"
    return (
        f"Entezari's barrier of the test error in percentage points, mean over n = "
        f"{text.counted([row.pairs for row in own], 'pair')} per cell, sampled; {_sharing(own)}; "
        f"{text.span([row.images for row in own])} images; {landscape.statistics(own)}. Diagonal: pairs "
        "within a population; same seeds: member i of one population with member i of the other. 0 = no "
        "barrier. Noise in the images makes barriers too large; bias and intervals of every cell stand in "
        f"the table below ({text.interval_methods([row.barrier.entezari_error for row in own])}); straight "
        f"paths would show {noise} points by noise alone (chance level). Empty: not walked."
    )


def _sharing(own: Sequence[rows.Path]) -> str:
    """Which cells are of pairs that share base weights."""
    across = list(dict.fromkeys(f"{row.a} and {row.b}" for row in own if row.block == "across"))
    if not across:
        return "the members of a pair share base weights"
    if all(row.block == "across" for row in own):
        return "the members of a pair do not share base weights"
    return "the members of a pair share base weights, but for those that have no such pairs: " + ", ".join(
        across
    )
