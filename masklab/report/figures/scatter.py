"""Is structural difference functional difference? Mask distance against disagreement, pair by pair."""

from masklab.report import comparisons, load, numbers, records, style
from masklab.report.figures import bitmaps, figure, shaping

TITLE = "Mask distance and disagreement"
_VECTOR_PAIRS = 600  # above this the points become one bitmap


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Every pair within a population: filled where it shares base weights, hollow where it does not."""
    couples = analysis.results.scatter
    if not couples:
        return figure.absent(TITLE, without_function(analysis))
    message = _message(analysis)
    groups: dict[tuple[str, str], list[records.Couple]] = {}
    for couple in couples:
        groups.setdefault((analysis.members[couple.id_a].population, couple.block), []).append(couple)
    blocks = [block for block in ("within", "across") if any(own == block for _, own in groups)]
    with style.drawing(key):
        drawing = style.new_figure(4.2)
        grid = drawing.subplots(1, len(blocks), sharey=True, squeeze=False)[0]
        for axes, block in zip(grid, blocks, strict=True):
            for name in analysis.names:
                own = groups.get((name, block), [])
                axes.plot(
                    [couple.hamming for couple in own],
                    [100.0 * couple.disagreement for couple in own],
                    "o",
                    color=theme.colours[name],
                    markersize=4,
                    alpha=0.7,
                    markeredgewidth=0,
                    rasterized=len(couples) > _VECTOR_PAIRS,
                )
            shared = "same" if block == "within" else "different"
            axes.set_title(f"pairs with {shared} base weights")
            axes.set_xlabel("Hamming distance of the masks")
            axes.grid(visible=True)
        grid[0].set_ylabel("disagreement, % of test images")
        shown = [name for name in analysis.names if any(own == name for own, _ in groups)]
        style.legend_below(drawing, style.population_entries(theme, shown))
        svg = bitmaps.small(style.svg(drawing, key, message))
    data = shaping.table(
        {
            "id_a": couple.id_a,
            "id_b": couple.id_b,
            "population": analysis.members[couple.id_a].population,
            "block": couple.block,
            "hamming": couple.hamming,
            "disagreement": couple.disagreement,
        }
        for couple in couples
    )
    return figure.Figure(TITLE, message, _caption(analysis), svg, data)


def without_function(analysis: load.Analysis) -> str:
    """Why nothing is known of what members predict together."""
    scope = analysis.results.scope
    if scope is None or not scope.members:
        why = "No predictions of members that are compared are known"
    else:
        why = "No population has two stored members with predictions"
    return figure.without_pairs(analysis, why)


def _mantel(analysis: load.Analysis) -> list[records.Test]:
    return [row for row in analysis.results.tests if row.test == comparisons.MANTEL]


def _said(row: records.Test) -> str:
    value = numbers.fixed(row.estimate.value or 0.0, 2)
    interval = numbers.interval(row.estimate, 1.0, 2)
    return f"r = {value}{' ' + interval if interval else ''}, p = {numbers.probability(row.p)}"


def _message(analysis: load.Analysis) -> str:
    whole = next((row for row in _mantel(analysis) if row.a is None), None)
    if whole is None or whole.estimate.value is None or whole.p is None:
        why = whole.why or whole.estimate.why if whole else None
        return f"Whether farther masks disagree more is not tested{': ' + why if why else ''}."
    return (
        "Mantel correlation of mask distance with disagreement within populations and weight draws, pooled "
        f"over populations: {_said(whole)} (n = {whole.n}, chance level 0)."
    )


def _caption(analysis: load.Analysis) -> str:
    scope, count = analysis.results.scope, len(analysis.results.scatter)
    of = scope.scatter.of if scope and scope.scatter else count
    sampled = f", drawn from {of:,}" if of > count else ""
    each = "; ".join(
        f"{row.a} {_said(row)}, adjusted p = {numbers.probability(row.adjusted_p)}"
        for row in _mantel(analysis)
        if row.a is not None and row.estimate.value is not None
    )
    bitmap = " The points of a panel are one bitmap." if count > _VECTOR_PAIRS else ""
    images = max((row.images for row in analysis.results.function), default=scope.images if scope else 0)
    return (
        f"n = {numbers.count(count, 'pair')} of members within populations{sampled}; {images:,} test images. "
        f"Each point is one pair, without an interval.{bitmap} Chance level of the Mantel correlation: 0. "
        "Populations are never pooled into one cloud: they differ in both at once. "
        + (f"Mantel within weight draws: {each}." if each else "No population could be tested.")
    )
