"""Two populations at a time: whether their masks lie in different places, and whether they spread alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from masklab.report import load, numbers, records, style, text
from masklab.report.figures import figure, heat, pairs, shaping

TITLE = "Differences in place and spread"
_DIGITS = 3
_MARKED = 30  # populations; the marks of more do not fit into the cells


@dataclass(frozen=True)
class _Kind:
    """One test.

    Attributes:
        title: Of its matrix.
        name: As it is cited.
        verb: What two populations do that differ.
        colours: Colour map.
        centred: Whether values have both signs.
        caption: What the values are.
    """

    title: str
    name: str
    verb: str
    colours: str
    centred: bool
    caption: str


_KINDS = {
    "permanova": _Kind(
        "place: R² less its chance level",
        "PERMANOVA",
        "lie in different places",
        "viridis",
        False,
        "Place: the share R² of the squared √Hamming scatter within draws of base weights that the two "
        "populations explain, less the share that exchanged labels explain; 0 = chance level.",
    ),
    "permdisp": _Kind(
        "spread: distance to centroid, column less row",
        "PERMDISP",
        "spread differently",
        "PuOr",
        True,
        "Spread: mean distance of a population's masks to their centroid on √Hamming, that of the column "
        "less that of the row; 0 = chance level.",
    ),
}

Found = Mapping[str, pairs.Tests]
"""Kind of test → its rows, for kinds of which at least one effect is defined."""


def draw(analysis: load.Analysis, theme: style.Theme, key: str) -> figure.Figure:
    """Matrices of PERMANOVA's R² above chance and of PERMDISP's difference, marked where p is small."""
    del theme  # populations stand on the axes
    every = {test: pairs.of(analysis, test) for test in _KINDS}
    found = {test: own for test, own in every.items() if any(row.estimate.value is not None for row in own)}
    if not found:
        return figure.absent(TITLE, _why(analysis, [row for own in every.values() for row in own]))
    tested = {name for own in found.values() for row in own for name in (row.a, row.b)}
    names = [name for name in analysis.compared if name in tested]
    message = " ".join(_said(analysis, test, own) for test, own in found.items())
    panels = {_KINDS[test].title: heat.matrix(names, _above(own)) for test, own in found.items()}
    looks = {_KINDS[test].title: _look(names, test, own) for test, own in found.items()}
    svg = heat.drawing(names, panels, looks, key, message)
    data = shaping.table(
        shaping.row(row, "test", "a", "b", "effect", "chance", "p", "adjusted_p", "smallest_p")
        for own in found.values()
        for row in own
        if row.estimate.value is not None
    )
    return figure.Figure(TITLE, message, _caption(found, every, len(names)), svg, data)


def _why(analysis: load.Analysis, tested: pairs.Tests) -> str:
    otherwise = next(iter(pairs.reasons(tested)), "No two populations have stored members to compare")
    return figure.without_pairs(analysis, otherwise)


def _above(found: pairs.Tests) -> Callable[[str, str], float | None]:
    """Effect less its chance level; the first population of a test is the column."""
    cells = {(row.b, row.a): row for row in found}

    def value(row: str, column: str) -> float | None:
        test = cells.get((row, column))
        if test is None or test.estimate.value is None:
            return None
        return test.estimate.value - (test.chance or 0.0)

    return value


def _look(names: Sequence[str], test: str, found: pairs.Tests) -> heat.Look:
    apart = {(row.b, row.a) for row in found if pairs.differs(row)}
    marks = [["*" if (row, column) in apart else "" for column in names] for row in names]
    return heat.Look(
        _KINDS[test].colours,
        shaping.digits([row.estimate for row in found], 1.0, _DIGITS),
        centred=_KINDS[test].centred,
        marked=marks if len(names) <= _MARKED else (),
    )


def _said(analysis: load.Analysis, test: str, found: pairs.Tests) -> str:
    """One test in a sentence: how many pairs differ, and the farthest of these."""
    own, called = pairs.spoken(analysis, found)
    kind = _KINDS[test]
    if not own:
        return f"{kind.name} could test no pair."
    counted = (
        f"{pairs.judged(own)} of {called} {kind.verb} ({kind.name}, {pairs.RULE}; n = "
        f"{text.span([row.n for row in own])} members per pair)"
    )
    apart = [row for row in own if pairs.differs(row) and row.estimate.value is not None]
    if not apart:
        return " ".join(filter(None, [f"{counted}.", pairs.smallest(own)]))
    row = max(apart, key=lambda row: abs((row.estimate.value or 0.0) - (row.chance or 0.0)))
    return f"{counted}; {_farthest(row)}."


def _farthest(row: records.Test) -> str:
    larger, smaller, effect = pairs.upright(row)
    digits = shaping.digits([effect], 1.0, _DIGITS)
    value, interval = numbers.fixed(effect.value or 0.0, digits), numbers.interval(effect, 1.0, digits)
    measured = f"{value}{' ' + interval if interval else ''}"
    if row.test == "permanova":
        level = numbers.fixed(row.chance or 0.0, digits)
        return f"farthest are {row.a} and {row.b}, R² {measured} against {level} by chance"
    return f"most, {larger} more than {smaller}, by {measured}"


def _caption(found: Found, every: Found, populations: int) -> str:
    rows = [row for own in found.values() for row in own]
    lacking = [
        f"{_KINDS[test].name} is not drawn{': ' if (reasons := pairs.reasons(own)) else ''}"
        f"{'; '.join(reasons)}."
        for test, own in every.items()
        if own and test not in found
    ]
    marks = f"*: {pairs.RULE}; p is corrected for all pairs (Benjamini and Hochberg)."
    parts = [
        f"n = {text.span([row.n for row in rows])} members per pair of populations.",
        *(_KINDS[test].caption for test in found),
        *([marks] if populations <= _MARKED else []),
        "Intervals stand in the table of tests "
        f"({text.interval_methods([row.estimate for row in rows])}). Empty: not defined.",
        *lacking,
    ]
    return " ".join(parts)
