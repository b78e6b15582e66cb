"""How numbers are printed; percent and points exist only here, everything else is a fraction."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from masklab.report.records import Estimate, Null

UNDEFINED = "–"
_MOST_DECIMALS = 8


def fixed(value: float, digits: int) -> str:
    """Fixed-point text with a real minus sign, without a negative zero.

    Examples:
        >>> fixed(-0.001, 2), fixed(0.34019, 4), fixed(-1.25, 1)
        ('0.00', '0.3402', '−1.2')
    """
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text.replace("-", "−")


def percent(fraction: float, digits: int = 2) -> str:
    """A fraction in percent, without the sign.

    Examples:
        >>> percent(0.85314)
        '85.31'
    """
    return fixed(100.0 * fraction, digits)


def places(images: int) -> int:
    """Decimals of a percentage that so many images carry: one image of 360 is 0.28 points.

    Examples:
        >>> places(100), places(360), places(1000), places(10000)
        (1, 1, 1, 2)
    """
    return 1 if images <= 1000 else 2


def decimals(estimate: Estimate, scale: float, otherwise: int) -> int:
    """Decimals that show two significant digits of half the width of an interval, and no more.

    Args:
        estimate: Where the interval is.
        scale: Factor on everything that is printed.
        otherwise: Decimals without an interval, or with one of no width.

    Examples:
        >>> own = dict(value=0.0424, level=0.95, method="t", n=3)
        >>> decimals(Estimate(low=0.0282, high=0.0567, **own), 1.0, 4)
        3
        >>> decimals(Estimate(low=0.0282, high=0.0567, **own), 100.0, 4)
        1
        >>> decimals(Estimate(low=None, high=None, **own), 1.0, 4)
        4
    """
    if estimate.low is None or estimate.high is None or estimate.high <= estimate.low:
        return otherwise
    half = 0.5 * scale * (estimate.high - estimate.low)
    exponent = int(f"{half:.1e}".partition("e")[2])
    return min(max(1 - exponent, 0), _MOST_DECIMALS)


def extent(fractions: Sequence[float], digits: int) -> str:
    """The smallest and the largest of some fractions in percent; empty for none.

    Examples:
        >>> extent([0.5, 0.25], 0), extent([0.5], 1), extent([], 1)
        ('25 to 50', '50.0', '')
    """
    if not fractions:
        return ""
    return " to ".join(dict.fromkeys(percent(choose(fractions), digits) for choose in (min, max)))


def probability(p: float | None) -> str:
    """A p value; what is too small to be read is bounded.

    Examples:
        >>> probability(0.76149), probability(0.0012), probability(1e-44), probability(None)
        ('0.761', '0.0012', '< 0.0001', '–')
    """
    if p is None:
        return UNDEFINED
    if p < 0.0001 * (1.0 - 1e-9):
        return "< 0.0001"
    return fixed(p, 4 if p < 0.01 else 3)


def density(value: float) -> str:
    """A density, once with what readers of the papers call it.

    Examples:
        >>> density(0.3), density(0.025)
        ('0.30 (70 % pruned)', '0.025 (97.5 % pruned)')
    """
    digits = f"{value:.2f}" if round(value, 2) == value else f"{value:g}"
    return f"{digits} ({100.0 * (1.0 - value):.4g} % pruned)"


def interval(estimate: Estimate, scale: float, digits: int) -> str:
    """The interval of an estimate, or an empty text.

    Args:
        estimate: Where the interval is.
        scale: Factor on both ends: 100 for percent and points.
        digits: Decimals.

    Examples:
        >>> interval(Estimate(value=0.5, low=0.4, high=0.6, level=0.95, method="t", n=3), 100.0, 1)
        '[40.0, 60.0]'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{fixed(scale * estimate.low, digits)}, {fixed(scale * estimate.high, digits)}]"


def null(found: Null | None, scale: float, digits: int) -> str:
    """Mean and range of matched random masks, or an empty text.

    Args:
        found: Their values.
        scale: Factor on all of them.
        digits: Decimals.

    Examples:
        >>> null(Null(mean=0.6195, low=0.587, high=0.654, n=19), 1.0, 3), null(None, 1.0, 3)
        ('0.620 [0.587, 0.654]', '')
    """
    if found is None:
        return ""
    low, high = fixed(scale * found.low, digits), fixed(scale * found.high, digits)
    return f"{fixed(scale * found.mean, digits)} [{low}, {high}]"


def levels(named: Mapping[str, float | None], scale: float, digits: int) -> str:
    """What a value is to be compared with, by name; what is not known is left out.

    Args:
        named: Levels by their names.
        scale: Factor on all of them.
        digits: Decimals.

    Examples:
        >>> levels({"chance": 0.9, "relabelled": None, "least": 0.0}, 100.0, 1)
        'chance 90.0; least 0'
    """
    return "; ".join(
        f"{name} {fixed(scale * level, digits) if level else 0}"
        for name, level in named.items()
        if level is not None
    )


def level(estimates: Iterable[Estimate]) -> str:
    """The confidence level that intervals have in common, in percent.

    Examples:
        >>> level([Estimate(value=0.5, low=0.4, high=0.6, level=0.9, method="t", n=3)]), level([])
        ('90 %', '95 %')
    """
    return f"{100.0 * next((one.level for one in estimates), 0.95):g} %"


def moment(date: str) -> str:
    """An ISO date-time to the second.

    Examples:
        >>> moment("2025-03-04T05:06:07.891011+00:00"), moment("unknown")
        ('2025-03-04 05:06:07+00:00', 'unknown')
    """
    return re.sub(r"T(\d\d:\d\d:\d\d)(\.\d+)?", r" \1", date)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    Examples:
        >>> count(1, "member"), count(12000, "member"), count(2, "study", "studies")
        ('1 member', '12,000 members', '2 studies')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def plain(value: Any) -> str:
    """A setting as a reader writes it.

    Examples:
        >>> plain(None), plain(True), plain([3, 32, 32]), plain({"rate": 0.1, "period": 3}), plain({})
        ('–', 'yes', '3, 32, 32', 'rate = 0.1, period = 3', '–')
    """
    if value is None or value in ({}, []):
        return UNDEFINED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {plain(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(entry) for entry in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
