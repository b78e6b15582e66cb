"""What the numbers of a landscape carry, for the sentences above its figures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from masklab.report import load, models, numbers, records
from masklab.report.landscape import rows

_LEARNED = 0.1  # share of the way from guessing to 100 %, as for the warning `at-guessing`
_ERROR = "entezari_error"
_KINDS = (
    "within a population",
    "same seeds within a gate",
    "same seeds across gates",
    "same seeds",
    "different seeds",
)


@dataclass(frozen=True)
class Chosen:
    """Populations that a sentence speaks of.

    Attributes:
        names: Which.
        called: What they are called together.
    """

    names: list[str]
    called: str


def chosen(analysis: load.Analysis, found: Iterable[str]) -> Chosen:
    """Trained populations above guessing level; where there are none the trained ones, then all.

    Args:
        analysis: What is shown.
        found: Names of populations, each at least once.
    """
    return next((one for one in _tiers(analysis, found) if one.names), Chosen([], "populations"))


def _tiers(analysis: load.Analysis, found: Iterable[str]) -> list[Chosen]:
    """Ever more of some populations, those that carry most first."""
    known = {own.name: own for own in analysis.results.populations}
    names = list(dict.fromkeys(found))
    trained = [name for name in names if known[name].trained and known[name].compared]
    above = [name for name in trained if not _guesses(analysis, known[name])]
    more = " above guessing level" if len(above) < len(trained) else ""
    return [
        Chosen(above, f"{_several(above, 'trained ')}{more}"),
        Chosen(trained, f"{_several(trained, 'trained ')} near or above guessing level"),
        Chosen(names, f"{_several(names)}, trained or not"),
    ]


def _several(names: Sequence[str], kind: str = "") -> str:
    return f"the one {kind}population" if len(names) == 1 else f"{kind}populations"


def _guesses(analysis: load.Analysis, population: models.Population) -> bool:
    row, classes = analysis.accuracy(population.name), len(analysis.study.data.classes)
    if row is None or row.estimate.value is None or not classes:
        return False
    guess = 1.0 / classes
    return row.estimate.value < guess + _LEARNED * (1.0 - guess)


def extent(found: Mapping[str, records.Estimate], digits: int, unit: str = "") -> str:
    """The smallest and the largest of some fractions in percent; whose they are only where that is certain.

    A name stands beside a number where its interval touches no other; brackets go from the lowest end of
    all intervals to the highest.

    Args:
        found: Name → estimate, at least one with a value.
        digits: Decimals.
        unit: Written after each number.

    Examples:
        >>> def own(value, half):
        ...     low, high = value - half, value + half
        ...     return records.Estimate(value=value, low=low, high=high, level=0.95, method="t", n=3)
        >>> extent({"a": own(0.25, 0.01), "b": own(0.5, 0.1), "c": own(0.55, 0.1)}, 0, " %")
        '25 % (a) to 55 % [24, 65]'
        >>> extent({"a": own(0.5, 0.0)}, 0)
        '50 (a) [50, 50]'
    """
    known = {name: (own.value, own) for name, own in found.items() if own.value is not None}
    said = []
    for choose, lowest in ((min, True), (max, False)):
        name = choose(known, key=lambda name: known[name][0])
        owner = f" ({name})" if apart(found, name, lowest=lowest) else ""
        said.append(f"{numbers.percent(known[name][0], digits)}{unit}{owner}")
    ends = _between([(own.low, own.high) for _, own in known.values()], digits)
    return f"{' to '.join(dict.fromkeys(said))} {ends or '(no interval)'}"


def apart(found: Mapping[str, records.Estimate], name: str, *, lowest: bool) -> bool:
    """Whether the interval of one estimate lies below, or above, those of all others.

    Args:
        found: Name → estimate.
        name: The one.
        lowest: Below; else above.
    """
    own = found[name]
    others = [other for key, other in found.items() if key != name and other.value is not None]
    if not others:
        return True
    if lowest:
        return all(
            own.high is not None and other.low is not None and own.high < other.low for other in others
        )
    return all(own.low is not None and other.high is not None and own.low > other.high for other in others)


def _between(ends: Iterable[tuple[float | None, float | None]], digits: int) -> str:
    """From the lowest end of intervals to the highest; empty where there is none."""
    known = [(low, high) for low, high in ends if low is not None and high is not None]
    if not known:
        return ""
    low, high = min(low for low, _ in known), max(high for _, high in known)
    return f"[{numbers.percent(low, digits)}, {numbers.percent(high, digits)}]"


def places(found: Iterable[rows.Row]) -> int:
    """Decimals of accuracies and barriers in percent that the images carry."""
    return numbers.places(min((row.images for row in found), default=0))


def noise(found: Iterable[rows.Walked], digits: int) -> str:
    """Barriers that straight paths would show by noise alone, in points; empty where that is unknown."""
    levels = [
        own.chance
        for row in found
        if (own := row.over_images.get(_ERROR)) is not None and own.chance is not None
    ]
    return numbers.extent(levels, digits)


def kind(analysis: load.Analysis, row: rows.Path) -> str:
    """Which kind of pair a row holds: its seeds, and for equal ones whether both have one gate."""
    if row.a == row.b:
        return _KINDS[0]
    if row.seed == "different":
        return _KINDS[-1]
    gates = {own.name: own.gate for own in analysis.results.populations}
    if gates[row.a] is None or gates[row.b] is None:
        return _KINDS[-2]
    return _KINDS[1] if gates[row.a] == gates[row.b] else _KINDS[2]


def order(analysis: load.Analysis, row: rows.Path) -> int:
    """Place of a row's kind in sentences."""
    return _KINDS.index(kind(analysis, row))


def barriers(
    analysis: load.Analysis, found: Sequence[rows.Path], where: str, key: Callable[[rows.Path], str]
) -> str:
    """Mean barriers of groups of rows with what noise alone shows, in a sentence; empty without values.

    Args:
        analysis: What is shown.
        found: Rows of populations that may be anything; only some are spoken of.
        where: Written before the name of the populations.
        key: Name of a row's group.
    """
    for own in _tiers(analysis, [name for row in found for name in (row.a, row.b)]):
        known = [
            row
            for row in found
            if {row.a, row.b}.issubset(own.names) and row.barrier.entezari_error.value is not None
        ]
        if known:
            return _barriers(known, f"{where} {own.called}", key)
    return ""


def _barriers(known: Sequence[rows.Path], where: str, key: Callable[[rows.Path], str]) -> str:
    digits = places(known)
    several = [row for row in known if row.pairs > 1]
    level = noise(several or known, digits)
    beside = f"noise alone would show {level} points" if level else "what noise alone shows is not known"
    if not several:
        values = [row.barrier.entezari_error.value or 0.0 for row in known]
        return (
            f"Only n = 1 pair of members was walked in each cell {where}, and one pair carries nothing about "
            f"a population: barriers of {numbers.extent(values, digits)} points of test error where {beside}."
        )
    groups: dict[str, list[rows.Path]] = {}
    for row in several:
        groups.setdefault(key(row), []).append(row)
    said = "; ".join(f"{name} {_barrier(own, digits)}" for name, own in groups.items())
    return (
        f"Mean barriers {where}, points of test error: {said}. Brackets: from the lowest end to the highest "
        f"of the intervals over images; {beside}."
    )


def _barrier(found: Sequence[rows.Path], digits: int) -> str:
    """Mean over the pairs of some rows, their intervals over images, and the share of connected pairs."""
    pairs = sum(row.pairs for row in found)
    mean = sum(row.pairs * (row.barrier.entezari_error.value or 0.0) for row in found) / pairs
    over = [own for row in found if (own := row.over_images.get(_ERROR)) is not None]
    ends = _between([(own.low, own.high) for own in over], digits) or "(no interval)"
    shares = [(row.pairs, row.connected.value) for row in found]
    joined = [number * share for number, share in shares if share is not None]
    connected = (
        f", {numbers.percent(sum(joined) / pairs, 0)} % connected" if len(joined) == len(found) else ""
    )
    return f"{numbers.percent(mean, digits)} {ends} (n = {pairs:,} pairs{connected})"
