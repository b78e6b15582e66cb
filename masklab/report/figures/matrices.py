"""Pruner by pruner: chance-corrected overlap."""

from collections.abc import Callable, Sequence

from masklab.report import load, models, numbers, records, style, text
from masklab.report.figures import figure, heat, shaping

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
    shown = _shown(analysis)
    message = _message(analysis, shown)
    digits = shaping.digits([row.estimate for row in shown], 1.0, 3)
    svg = heat.drawing(analysis.compared, panels, heat.Look("viridis", digits), key, message)
    names = ("a", "b", "layer", "metric", "block", "seed", "chance", "pairs")
    data = shaping.table(shaping.row(row, *names) for row in shown if row.estimate.value is not None)
    return figure.Figure(TITLE, message, _caption(analysis, shown), svg, data)


def _overlap(analysis: load.Analysis, seed: records.Seed) -> Callable[[str, str], float | None]:
    def value(a: str, b: str) -> float | None:
        row = analysis.overlap(a, b, "chance_corrected", block=_block(analysis), seed=seed)
        return None if row is None else row.estimate.value

    return value


def _shown(analysis: load.Analysis) -> list[models.Overlap]:
    """Rows of the cells."""
    block = _block(analysis)
    return [
        row
        for row in analysis.results.overlap
        if row.metric == "chance_corrected" and row.layer == load.WHOLE and row.block == block
    ]


def _block(analysis: load.Analysis) -> records.Block:
    """Pairs that share base weights, unless there are none at all."""
    return "within" if any(row.block == "within" for row in analysis.results.overlap) else "across"


def _message(analysis: load.Analysis, shown: Sequence[models.Overlap]) -> str:
    found = [(row.estimate.value, row) for row in shown if row.a != row.b and row.estimate.value is not None]
    if not found:
        return "Overlap for every pair of pruners."
    value, row = max(found, key=lambda one: one[0])
    seeds = SEEDS[row.seed]
    if any(own.imported for own in analysis.results.populations if own.name in (row.a, row.b)):
        seeds = "seeds unknown"
    digits = shaping.digits([row.estimate], 1.0, 3)
    interval = numbers.interval(row.estimate, 1.0, digits)
    return (
        f"The closest two populations are {row.a} and {row.b}, {seeds}: chance-corrected overlap "
        f"{numbers.fixed(value, digits)}{' ' + interval if interval else ''} "
        f"(n = {numbers.count(row.pairs, 'pair')})."
    )


def _caption(analysis: load.Analysis, rows: Sequence[models.Overlap]) -> str:
    shared = "share" if _block(analysis) == "within" else "do not share"
    return (
        f"Overlap: n = {text.span([row.pairs for row in rows])} pairs per cell, all of which {shared} base "
        "weights; mean over the pairs, 0 = chance level, 1 = identical. Diagonal: pairs within a "
        "population; same seeds: member i of one population with member i of the other. Intervals "
        f"stand in the table of pairs below ({text.interval_methods([row.estimate for row in rows])}). "
        "Empty: no such pairs."
    )
