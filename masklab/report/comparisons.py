"""Tables of tests, clusterings and embeddings: each effect beside its chance level and its p value."""

from collections.abc import Sequence
from dataclasses import replace

from masklab.report import load, numbers, records, tables, text

MANTEL = "mantel"

_TESTS = {
    "permanova": ("location (PERMANOVA)", "do masks of the populations lie in different places?"),
    "permdisp": ("spread (PERMDISP)", "do the populations spread equally widely?"),
    "accuracy": ("accuracy", "are they equally accurate, paired by seed?"),
    "stability": ("agreement compared", "do masks agree as much in the one as in the other?"),
    "stability-against-chance": (
        "agreement against chance",
        "do masks of a population agree more, or less, than independent masks do?",
    ),
    MANTEL: ("Mantel", "do members whose masks differ more also disagree more?"),
}
"""What a test is called, and what it asks; one that is not here is shown as it is called."""

_LESS = "of the first less the second"
_CORRELATION = "correlation of mask distance and disagreement"

_EFFECTS = {
    "r_squared": ("R²", "share of the squared scatter, √Hamming, that populations explain"),
    "eta_squared": ("η²", "share of the variance of distances to centroids"),
    "stability": ("stability", "0 = chance, 1 = all masks equal"),
    "difference of stability, a − b": ("difference of stability", _LESS),
    "difference of mean accuracy, a − b": ("difference of the means, points", _LESS),
    "difference of mean distance to centroid (√Hamming), a − b": (
        "difference of spread",
        f"mean distance to the centroid, √Hamming, {_LESS}",
    ),
    "Pearson correlation of Hamming distance and disagreement": ("Pearson r", _CORRELATION),
    "Spearman correlation of Hamming distance and disagreement": ("Spearman r", _CORRELATION),
}
"""What an effect is called, and what it is; one that is not here is shown as it is called."""

_POINTS = {"accuracy"}
"""Tests whose effect is a difference of fractions, printed in points."""

_RESULTS = (
    tables.Column("value", note="of the effect, with its interval"),
    tables.Column("chance level", note="expected value of the effect if there is none"),
    tables.Column("p"),
    tables.Column("adjusted p", note="Benjamini and Hochberg, within one kind of test"),
    tables.Column("smallest p", note="the smallest that so many relabelings allow"),
    tables.Column("members", note="of both populations, or of all; seeds that are paired are half as many"),
)


def overall(analysis: load.Analysis, key: str) -> tables.Table:
    """Tests of all populations together, then of each alone."""
    rows = [row for row in analysis.results.tests if row.b is None and row.test != MANTEL]
    return _alone(analysis, "All populations together, and each against chance.", rows, key)


def mantel(analysis: load.Analysis, key: str) -> tables.Table:
    """Correlation of mask distance and disagreement: over all populations, then within each."""
    rows = [row for row in analysis.results.tests if row.test == MANTEL]
    return _alone(analysis, "Mask distance against disagreement, within populations.", rows, key)


def pairwise(analysis: load.Analysis, key: str) -> tables.Table:
    """Tests of every two populations."""
    rows = [row for row in analysis.results.tests if row.b is not None]
    made = [
        [_name(row), *(tables.named(name or "") for name in (row.a, row.b)), *_results(analysis, row)]
        for row in rows
    ]
    who = (tables.Column("first", numeric=False), tables.Column("second", numeric=False))
    columns = _columns(rows, *who)
    return tables.Table(key, _caption("Every two populations.", rows), columns, made)


def _alone(analysis: load.Analysis, said: str, rows: Sequence[records.Test], key: str) -> tables.Table:
    """Tests of all populations, then of one population each."""
    ordered = sorted(rows, key=lambda row: row.a is not None)
    made = [
        [
            _name(row),
            tables.Cell("all", "all") if row.a is None else tables.named(row.a),
            *_results(analysis, row),
        ]
        for row in ordered
    ]
    columns = _columns(rows, tables.Column("population", numeric=False))
    return tables.Table(key, _caption(said, rows), columns, made)


def _columns(rows: Sequence[records.Test], *who: tables.Column) -> list[tables.Column]:
    """Columns of tests; those of names say what the tests of these rows ask, and what their effects are."""
    asked = dict.fromkeys(_TESTS[row.test] for row in rows if row.test in _TESTS)
    effects = dict.fromkeys(_EFFECTS[short] for row in rows if (short := _short(row)) in _EFFECTS)
    return [
        tables.Column("test", numeric=False, note=" ".join(f"{name}: {what}" for name, what in asked)),
        *who,
        tables.Column("effect", numeric=False, note="; ".join(f"{name}: {what}" for name, what in effects)),
        *_RESULTS,
    ]


def _short(row: records.Test) -> str:
    return row.effect.partition(": ")[0]


def _caption(said: str, rows: Sequence[records.Test]) -> str:
    return (
        f"{said} Brackets: {numbers.level(row.estimate for row in rows)} intervals of the effect. An effect "
        "counts only against its chance level, which is not 0 for shares of the variance."
    )


def _name(row: records.Test) -> tables.Cell:
    name, _ = _TESTS.get(row.test, (row.test, ""))
    return tables.Cell(name, name)


def _results(analysis: load.Analysis, row: records.Test) -> list[tables.Cell]:
    scale, digits = 1.0, numbers.decimals(row.estimate, 1.0, 4)
    if row.test in _POINTS:
        scale, digits = 100.0, numbers.places(analysis.study.data.test or 0)
    effect, _ = _EFFECTS.get(_short(row), (row.effect, ""))
    return [
        tables.Cell(effect, effect),
        tables.brief(row.estimate, row.why or "undefined", scale, digits),
        _number(row.chance, scale, digits),
        tables.Cell(numbers.probability(row.p), row.p, row.why or "" if row.p is None else ""),
        tables.Cell(numbers.probability(row.adjusted_p), row.adjusted_p),
        tables.Cell(numbers.probability(row.smallest_p), row.smallest_p, _relabelings(row)),
        tables.Cell(f"{row.n:,}", row.n),
    ]


def _number(value: float | None, scale: float, digits: int) -> tables.Cell:
    if value is None:
        return tables.Cell(numbers.UNDEFINED)
    if value == 0.0:
        return tables.Cell("0", 0.0)
    return tables.Cell(numbers.fixed(scale * value, digits), scale * value)


def _relabelings(row: records.Test) -> str:
    if not row.permutations:
        return ""
    return f"all {row.permutations:,}" if row.exact else f"{row.permutations:,} sampled"


_METHODS = {"average-linkage": "average linkage", "hdbscan": "HDBSCAN"}
_RAND = "1 = the clusters are the labels, 0 = chance"
_QUANTITIES = {
    ("cophenetic_correlation", None): (
        "cophenetic correlation",
        "of distances with the heights at which the tree joins two masks",
    ),
    ("adjusted_rand_index", "population"): ("adjusted Rand index with the populations", _RAND),
    ("adjusted_rand_index", "block"): ("adjusted Rand index with the draws of base weights", _RAND),
    ("clusters", None): ("number of clusters", "as many as the method finds"),
    ("noise", None): ("share of members in no cluster", "0 to 1"),
}
"""What a quantity is called, and what it is."""


def clusters(analysis: load.Analysis, key: str) -> tables.Table:
    """Whether masks fall into groups by themselves, and whether these are the populations."""
    columns = (
        tables.Column("clustering", numeric=False),
        tables.Column("quantity", numeric=False),
        tables.Column("value"),
        tables.Column("random masks", note="with the same kept counts: mean and range"),
        tables.Column("exchanged labels", note="mean over relabelings of members of equal seeds"),
        tables.Column("p"),
        tables.Column("smallest p"),
    )
    rows = []
    for row in analysis.results.clusters:
        method = _METHODS.get(row.method, row.method)
        quantity, detail = _QUANTITIES.get((row.quantity or "", row.against)) or (row.quantity or "", "")
        digits = 0 if row.quantity == "clusters" else 3
        cell = tables.estimate(row.estimate, "undefined", 1.0, digits)
        known = row.estimate.value is not None
        rows.append(
            [
                tables.Cell(method, method),
                tables.Cell(quantity, quantity, detail),
                replace(cell, detail="") if known else cell,
                random_masks(row.null, 1.0, max(digits, 1)),
                _number(row.chance, 1.0, 3),
                tables.Cell(numbers.probability(row.p), row.p),
                tables.Cell(numbers.probability(row.smallest_p), row.smallest_p),
            ]
        )
    caption = (
        "Clusterings of √Hamming, found without labels. No intervals, as a clustering jumps where one mask "
        "is left out; brackets: range over sets of random masks."
    )
    return tables.Table(key, caption, columns, rows)


def random_masks(null: records.Null | None, scale: float, digits: int) -> tables.Cell:
    """Mean over matched random masks, with their range."""
    if null is None:
        return tables.Cell(numbers.UNDEFINED)
    text, _, spread = numbers.null(null, scale, digits).partition(" ")
    return tables.Cell(text, scale * null.mean, spread, count=numbers.count(null.n, "set"))


def embeddings(analysis: load.Analysis, key: str) -> tables.Table:
    """Every embedding beside the same of random masks."""
    columns = (
        tables.Column("method", numeric=False),
        tables.Column(
            "trustworthiness", note="1 = all near points are near masks, about ½ = nearness says nothing"
        ),
        tables.Column("random masks", note="trustworthiness of the same method: mean and range"),
        tables.Column("p", note="one-sided, against the random masks"),
        tables.Column("smallest p"),
        tables.Column(
            "Shepard correlation", note="rank correlation of distances in the plane and of the masks"
        ),
        tables.Column("its random twin's"),
        tables.Column("stability", note="nearest points that runs with other seeds have in common"),
        tables.Column("verdict", numeric=False),
    )
    rows = []
    for row in analysis.results.embeddings:
        quality = row.quality
        twin = row.twin.quality.shepard if row.twin else None
        name, said = text.embedding(row.method), verdict(row)
        rows.append(
            [
                tables.Cell(name, name),
                _number(quality.trustworthiness if quality else None, 1.0, 3),
                random_masks(row.null, 1.0, 3),
                tables.Cell(numbers.probability(row.p), row.p),
                tables.Cell(numbers.probability(row.smallest_p), row.smallest_p),
                _number(quality.shepard if quality else None, 1.0, 3),
                _number(twin, 1.0, 3),
                _number(quality.stability if quality else None, 1.0, 3),
                tables.Cell(said, said),
            ]
        )
    caption = (
        "How far each embedding can be trusted. Random masks: matched sets with the same kept counts; "
        "brackets: range of their trustworthiness."
    )
    return tables.Table(key, caption, columns, rows)


def verdict(row: records.Embedding) -> str:
    """What the comparison with random masks says, in words."""
    if row.distinguishable is None:
        return row.why or "not compared with random masks"
    if row.distinguishable:
        return "more trustworthy than every set of random masks"
    return "no more trustworthy than random masks: groups and shapes in it need not mean anything"
