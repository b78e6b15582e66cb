"""Tables of tests, clusterings and embeddings: each effect beside its chance level and its p value."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from masklab.report import load, numbers, records, tables, text

MANTEL = "mantel"

_TESTS = {
    "permanova": "PERMANOVA",
    "permdisp": "PERMDISP",
    "accuracy": "accuracy, points",
    MANTEL: "Mantel",
}
_EFFECTS = {"r_squared": "R²", "eta_squared": "η²"}
_POINTS = {"accuracy"}
"""Tests whose effect is a difference of fractions, printed in points."""

_TEST_COLUMNS = (
    tables.Column("test", numeric=False),
    tables.Column("populations", numeric=False),
    tables.Column("effect", numeric=False),
    tables.Column("value", note="of the effect, with its interval"),
    tables.Column("its chance level", note="expected value of the effect if there is none"),
    tables.Column("p"),
    tables.Column("adjusted p", note="Benjamini and Hochberg, within one kind of test"),
    tables.Column("smallest p", note="the smallest that the relabelings allow"),
    tables.Column("relabelings"),
    tables.Column("n"),
)


def overall(analysis: load.Analysis, key: str) -> tables.Table:
    """Tests of all populations together, then of each alone."""
    rows = [row for row in analysis.results.tests if row.b is None and row.test != MANTEL]
    rows.sort(key=lambda row: row.a is not None)
    return _tests("All populations together, and each against chance.", rows, key)


def pairwise(analysis: load.Analysis, key: str) -> tables.Table:
    """Tests of every two populations."""
    rows = [row for row in analysis.results.tests if row.b is not None]
    return _tests("Every two populations.", rows, key)


def mantel(analysis: load.Analysis, key: str) -> tables.Table:
    """Correlation of mask distance and disagreement: over all populations, then within each."""
    rows = [row for row in analysis.results.tests if row.test == MANTEL]
    rows.sort(key=lambda row: row.a is not None)
    return _tests("Mask distance against disagreement, within populations.", rows, key)


def _tests(said: str, rows: Sequence[records.Test], key: str) -> tables.Table:
    caption = (
        f"{said} Brackets: {_level(row.estimate for row in rows)} intervals of the effect. An effect counts "
        "only against its chance level, which is not 0 for shares of the variance."
    )
    return tables.Table(key, caption, _TEST_COLUMNS, [_test(row) for row in rows])


def _level(estimates: Iterable[records.Estimate]) -> str:
    return f"{100.0 * next((one.level for one in estimates), 0.95):g} %"


def _test(row: records.Test) -> list[tables.Cell]:
    scale, digits = (100.0, 2) if row.test in _POINTS else (1.0, 4)
    name = _TESTS.get(row.test, row.test)
    who = " – ".join(one for one in (row.a, row.b) if one is not None) or "all"
    short, _, long = row.effect.partition(": ")
    if row.test == MANTEL:  # the caption says of what
        short = f"{short.partition(' correlation')[0]} r"
    why = row.why or "" if row.p is None else ""
    return [
        tables.Cell(name, name),
        tables.Cell(who, who),
        tables.Cell(_EFFECTS.get(short, short), short, long if row.b is None else ""),
        tables.brief(row.estimate, row.why or "undefined", scale, digits),
        _number(row.chance, scale, digits),
        tables.Cell(numbers.probability(row.p), row.p, why),
        tables.Cell(numbers.probability(row.adjusted_p), row.adjusted_p),
        tables.Cell(numbers.probability(row.smallest_p), row.smallest_p),
        _relabelings(row),
        tables.Cell(f"{row.n:,}", row.n),
    ]


def _number(value: float | None, scale: float, digits: int) -> tables.Cell:
    if value is None:
        return tables.Cell(numbers.UNDEFINED)
    if value == 0.0:
        return tables.Cell("0", 0.0)
    return tables.Cell(numbers.fixed(scale * value, digits), scale * value)


def _relabelings(row: records.Test) -> tables.Cell:
    if row.permutations is None:
        return tables.Cell(numbers.UNDEFINED)
    return tables.Cell(f"{row.permutations:,}", row.permutations, "all there are" if row.exact else "sampled")


_METHODS = {"average-linkage": "average linkage", "hdbscan": "HDBSCAN"}
_QUANTITIES = {
    ("cophenetic_correlation", None): "cophenetic correlation",
    ("adjusted_rand_index", "population"): "adjusted Rand index with the populations",
    ("adjusted_rand_index", "block"): "adjusted Rand index with the weight draws",
    ("clusters", None): "number of clusters",
    ("noise", None): "share of members in no cluster",
}


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
        quantity = _QUANTITIES.get((row.quantity or "", row.against), row.quantity or "")
        digits = 0 if row.quantity == "clusters" else 3
        cell = tables.estimate(row.estimate, "undefined", 1.0, digits)
        known = row.estimate.value is not None
        rows.append(
            [
                tables.Cell(method, method),
                tables.Cell(quantity, quantity),
                replace(cell, detail="") if known else cell,
                random_masks(row.null, 1.0, max(digits, 1)),
                _number(row.chance, 1.0, 3),
                tables.Cell(numbers.probability(row.p), row.p),
                tables.Cell(numbers.probability(row.smallest_p), row.smallest_p),
            ]
        )
    caption = (
        "Clusterings of √Hamming, found without labels. Adjusted Rand index: 1 = the clusters are the "
        "labels, 0 = chance. No intervals, as a clustering jumps where one mask is left out; brackets: range "
        "over sets of random masks."
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
