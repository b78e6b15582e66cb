"""Tables with one row per population: function, diversity, consensus, structure, beside chance levels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from masklab.report import load, numbers, records, style, tables
from masklab.report.figures import consensus as figure


@dataclass(frozen=True)
class _Shown:
    """One column.

    Attributes:
        metric: What it shows.
        label: Its heading.
        note: What that means.
        digits: Decimals where there is no interval.
        scale: Factor on the values: 100 for percent.
        axis: Axis of a structural metric.
    """

    metric: str
    label: str
    note: str
    digits: int = 3
    scale: float = 1.0
    axis: str | None = None

    def column(self) -> tables.Column:
        return tables.Column(self.label, note=self.note)


_NAME = tables.Column("population", numeric=False)

_FUNCTION = (
    _Shown("disagreement", "disagreement, %", "test images that two members class differently", 2, 100.0),
    _Shown(
        "normalised_disagreement",
        "disagreement ÷ error",
        "chance level: independent errors; relabelled: the better member with random errors added",
    ),
    _Shown("kappa", "Cohen's κ", "agreement beyond chance: 0 = chance, 1 = the same predictions"),
    _Shown("q_statistic", "Yule's Q", "0 = errors are independent, 1 = they coincide"),
    _Shown("double_fault", "double fault, %", "test images that both get wrong", 2, 100.0),
    _Shown("jensen_shannon", "Jensen–Shannon, bits", "divergence of the predicted probabilities"),
)


def function(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """How differently members of one population predict."""
    found = {(row.a, row.metric, row.block): row for row in analysis.results.function if row.a == row.b}
    rows = []
    for name in analysis.compared:
        block = "within" if any(own[0] == name and own[2] == "within" for own in found) else "across"
        own = {shown.metric: found.get((name, shown.metric, block)) for shown in _FUNCTION}
        if any(own.values()):
            pairs = next(row.pairs for row in own.values() if row)
            said = numbers.count(pairs, "pair") + (", different base weights" if block == "across" else "")
            cells = [_function(own[shown.metric], shown) for shown in _FUNCTION]
            rows.append([tables.population(name, theme, said), *cells])
    caption = (
        "Predictions of two members of one population on the test images, mean over the pairs that share "
        f"base weights. Brackets: {numbers.level(row.estimate for row in found.values())} intervals, "
        "jackknife over masks; below them the chance level."
    )
    return tables.Table(key, caption, [_NAME, *(shown.column() for shown in _FUNCTION)], rows)


def _function(row: records.Function | None, shown: _Shown) -> tables.Cell:
    if row is None:
        return tables.estimate(None, "not measured", shown.scale, shown.digits)
    return _cell(row.estimate, "undefined", shown, {"chance": row.chance, **row.limits})


def _cell(
    found: records.Estimate, otherwise: str, shown: _Shown, levels: dict[str, float | None]
) -> tables.Cell:
    return tables.sensible(found, otherwise, shown.scale, shown.digits, levels)


_DIVERSITY = (
    _Shown("vendi", "Vendi score", "effective number of masks"),
    _Shown("nearest_mean", "nearest neighbour", "Hamming distance to the nearest mask, mean; 0 = equal", 4),
    _Shown("nearest_min", "smallest distance", "Hamming distance of the two nearest masks; 0 = equal", 4),
    _Shown("distinct", "distinct masks", "masks of which no two are equal", 1),
    _Shown("dimension_bid", "intrinsic dimension, binary", "of the distribution of Hamming distances", 1),
    _Shown("dimension_twonn", "intrinsic dimension, TwoNN", "of the two nearest neighbours", 1),
)


def diversity(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """How many masks there really are, beside matched random masks."""
    found = {(row.population, row.block, row.metric): row for row in analysis.results.diversity}
    groups = dict.fromkeys((row.population, row.block) for row in analysis.results.diversity)
    rows = []
    for name, block in sorted(
        groups, key=lambda group: (group[1] != "within", analysis.names.index(group[0]))
    ):
        own = [found.get((name, block, shown.metric)) for shown in _DIVERSITY]
        members = next((row.members for row in own if row), 0)
        among = "one draw, mean over draws" if block == "within" else "all draws together"
        cells = [_diversity(row, shown) for row, shown in zip(own, _DIVERSITY, strict=True)]
        first = [
            tables.population(name, theme),
            tables.Cell(among, among),
            tables.Cell(f"{members}", members),
        ]
        rows.append([*first, *cells])
    columns = [_NAME, tables.Column("among masks of", numeric=False), tables.Column("masks")]
    caption = (
        "How many masks there really are. Brackets: "
        f"{numbers.level(row.estimate for row in found.values())} intervals where there are any; below them "
        "matched random masks: mean and range."
    )
    return tables.Table(key, caption, [*columns, *(shown.column() for shown in _DIVERSITY)], rows)


def _diversity(row: records.Diversity | None, shown: _Shown) -> tables.Cell:
    if row is None:
        return tables.estimate(None, "not measured", shown.scale, shown.digits)
    digits = numbers.decimals(row.estimate, shown.scale, shown.digits)
    cell = tables.estimate(row.estimate, row.why or "undefined", shown.scale, digits)
    if row.estimate.value is not None and row.estimate.low is None:
        cell = replace(cell, detail="")  # why a count has no interval is no news in every row
    beside = numbers.null(row.null, shown.scale, digits)
    return replace(cell, count=f"random {beside}" if beside else "")


_STRUCTURE = (
    _Shown("positive_kept", "positive, of kept, %", "share of positive weights among the kept", 2, 100.0),
    _Shown("positive_pruned", "positive, of pruned, %", "the same among the pruned", 2, 100.0),
    _Shown("norm_kept", "norm of kept", "Euclidean norm of the kept base weights"),
    _Shown("norm_pruned", "norm of pruned", "Euclidean norm of the pruned base weights"),
    _Shown("squared_norm_share_kept", "squared norm kept, %", "share of the squared norm", 2, 100.0),
    _Shown(
        "dead_count", "dead filters", "outputs of which every weight is pruned, per mask", 2, axis="output"
    ),
    _Shown(
        "disconnected_count", "disconnected weights", "kept, but on no path from input to output, per mask", 1
    ),
)


def structure(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """What masks keep: signs, norms, dead filters and disconnected weights of whole masks."""
    rows = []
    for name in analysis.compared:
        own = [analysis.structure(name, shown.metric, axis=shown.axis) for shown in _STRUCTURE]
        if any(own):
            cells = [_structure(row, shown) for row, shown in zip(own, _STRUCTURE, strict=True)]
            rows.append([tables.population(name, theme, _members(own)), *cells])
    caption = (
        "Structure of whole masks, mean over members. Brackets: "
        f"{numbers.level(row.estimate for row in analysis.results.structure)} intervals, t over members; "
        "below them the chance level, of random masks that keep as many weights of each layer."
    )
    return tables.Table(key, caption, [_NAME, *(shown.column() for shown in _STRUCTURE)], rows)


def _members(rows: Sequence[records.Structure | None]) -> str:
    return numbers.count(max((row.estimate.n for row in rows if row), default=0), "member")


def _structure(row: records.Structure | None, shown: _Shown) -> tables.Cell:
    if row is None:
        return tables.estimate(None, "not measured", shown.scale, shown.digits)
    return _cell(row.estimate, row.why or "undefined", shown, {"chance": row.chance})


def consensus(analysis: load.Analysis, theme: style.Theme, key: str) -> tables.Table:
    """Shares of the weights that no mask of a population keeps, and that all keep."""
    shown = _Shown("", "", "", 2, 100.0)
    rows = []
    for name, histogram in figure.histograms(analysis).items():
        both = figure.ends(histogram)
        if both is None:
            continue
        of, draws = both[0].of, both[0].draws
        first = [
            tables.population(name, theme),
            tables.Cell(f"{of}", of),
            tables.Cell(f"{draws}", draws),
        ]
        rows.append([*first, *(_share(row, shown) for row in both)])
    columns = (
        _NAME,
        tables.Column("masks per draw"),
        tables.Column("weight draws"),
        tables.Column("never kept, %", note="share of the weights that no mask keeps"),
        tables.Column("core, %", note="share of the weights that all masks keep"),
    )
    level = numbers.level(row.estimate for row in analysis.results.consensus if row.estimate)
    caption = (
        "Weights that no mask of a draw of base weights keeps, and that all of them keep, mean over the "
        f"draws. Brackets: {level} intervals, jackknife over masks; below them the chance level of "
        "independent masks."
    )
    return tables.Table(key, caption, columns, rows)


def _share(row: records.Consensus, shown: _Shown) -> tables.Cell:
    if row.estimate is not None:
        return _cell(row.estimate, "undefined", shown, {"chance": row.chance})
    level = numbers.levels({"chance": row.chance}, shown.scale, shown.digits)
    return tables.Cell(
        numbers.percent(row.share, shown.digits), shown.scale * row.share, "no interval", count=level
    )
