"""What the kinds of numbers are called, how they are printed, and how far each moved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from masklab.report import numbers, records
from masklab.report.compare.document import Former, Number

EQUAL, OVERLAP, APART = "equal", "intervals overlap", "intervals apart"
_UNKNOWN = "no interval to compare"
_GONE, _NEW = "undefined now", "was undefined"
_ORDER = (APART, _GONE, _NEW, _UNKNOWN, OVERLAP, EQUAL)

_POINTS = {"accuracy", "best_epoch_accuracy", "validation_accuracy", "ensemble", "barrier", "test accuracy"}
"""Kinds that are fractions of test images, printed in percent or points."""

_LABELS = {
    "accuracy": "test accuracy, %",
    "best_epoch_accuracy": "best-epoch accuracy, %",
    "validation_accuracy": "validation accuracy, %",
    "chance_corrected": "chance-corrected overlap",
    "jaccard_similarity": "Jaccard similarity",
    "observed_over_expected": "observed ÷ expected",
    "stability": "stability",
    "disagreement": "disagreement",
    "normalised_disagreement": "disagreement ÷ error",
    "jensen_shannon": "Jensen–Shannon divergence, bits",
    "ensemble": "ensemble accuracy, %",
    "barrier": "barrier, points",
    "test accuracy": "difference of accuracies, points",
    "test permanova": "location (PERMANOVA)",
    "test permdisp": "spread (PERMDISP)",
    "test mantel": "Mantel correlation",
    "test stability": "difference of stability",
}


@dataclass(frozen=True)
class Moved:
    """One number before and after.

    Attributes:
        kind: Its kind.
        of: What it is a number of.
        before: As it was.
        after: As it is.
        verdict: How the two compare, in words.
        scale: Factor on all values.
        digits: Decimals.
    """

    kind: str
    of: tuple[str, ...]
    before: Number
    after: Number
    verdict: str
    scale: float
    digits: int

    @property
    def label(self) -> str:
        """What the number is."""
        return _LABELS.get(self.kind, self.kind.removeprefix("test "))

    @property
    def populations(self) -> list[str]:
        """Whose it is; none for those of all populations."""
        return list(dict.fromkeys(name for name in self.of[:2] if name))

    @property
    def detail(self) -> str:
        """What tells it from other numbers of its kind."""
        known = {"within": "shared base weights", "across": "different base weights"}
        if len(self.of) > 3 and self.of[3]:
            known |= {"same": "same seeds", "different": "different seeds"}
        return ", ".join(known.get(part, part) for part in self.of[2:] if part)

    @property
    def difference(self) -> float | None:
        """After less before."""
        if self.before.value is None or self.after.value is None:
            return None
        return self.after.value - self.before.value

    @property
    def order(self) -> tuple[int, float]:
        """What moved most comes first: by verdict, then by difference ÷ half the width of both intervals."""
        size = abs(self.difference or 0.0)
        halves = (_width(self.before) + _width(self.after)) / 2.0
        return _ORDER.index(self.verdict), -(size / halves if halves > 0.0 else size)


def moved(before: Former, after: Former) -> list[Moved]:
    """Numbers that both analyses have, what moved most first.

    Args:
        before: The earlier one.
        after: The later one.
    """
    images = min(before.test_images, after.test_images)
    found = [
        _moved(kind, was, own, images)
        for kind, numbered in after.numbers.items()
        for was, own in _both(before.numbers.get(kind, []), numbered)
    ]
    return sorted(found, key=lambda own: own.order)


def only(first: Former, second: Former) -> int:
    """How many numbers the first has and the second has not."""
    return sum(
        len({own.of for own in numbered} - {own.of for own in second.numbers.get(kind, [])})
        for kind, numbered in first.numbers.items()
    )


def _both(before: list[Number], after: list[Number]) -> Iterator[tuple[Number, Number]]:
    known: Mapping[tuple[str, ...], Number] = {own.of: own for own in before}
    return ((known[own.of], own) for own in after if own.of in known)


def _moved(kind: str, before: Number, after: Number, images: int) -> Moved:
    scale = 100.0 if kind in _POINTS else 1.0
    digits = (
        numbers.places(images)
        if kind in _POINTS
        else max(numbers.decimals(estimate(own, 0.0), scale, 4) for own in (before, after))
    )
    return Moved(kind, after.of, before, after, _verdict(before, after), scale, digits)


def _verdict(before: Number, after: Number) -> str:
    if before[1:4] == after[1:4]:
        return EQUAL
    if before.value is None or after.value is None:
        return _GONE if after.value is None else _NEW
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return _UNKNOWN
    return APART if before.high < after.low or after.high < before.low else OVERLAP


def _width(own: Number) -> float:
    return 0.0 if own.low is None or own.high is None else own.high - own.low


def estimate(own: Number, level: float) -> records.Estimate:
    """A number in the form that is printed everywhere; `level` is that of its interval."""
    why = "undefined" if own.value is None else ""
    return records.Estimate(
        value=own.value, low=own.low, high=own.high, level=level, method="", n=own.n, why=why
    )
