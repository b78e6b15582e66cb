"""The one form that an estimate has in `results.json`: `{value, low, high, level, method, n}`."""

import math
from typing import Any

LEVEL = 0.95
"""Nominal coverage of every interval."""


def number(value: float) -> float | None:
    """A float for JSON: None for what is not a finite number.

    Examples:
        >>> number(0.5), number(float("nan"))
        (0.5, None)
    """
    return float(value) if math.isfinite(value) else None


def estimate(value: float, low: float, high: float, *, method: str, n: int, why: str = "") -> dict[str, Any]:
    """An estimate with its interval; what is not finite becomes None, with the reason.

    Args:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end.
        method: What the interval is, for a reader.
        n: Number of independent units it rests on.
        why: Reason why something is undefined; required then.

    Raises:
        ValueError: Something is undefined and no reason is given.

    Examples:
        >>> estimate(0.5, float("nan"), float("nan"), method="t", n=1, why="one member")["why"]
        'one member'
    """
    row = {
        "value": number(value),
        "low": number(low),
        "high": number(high),
        "level": LEVEL,
        "method": method,
        "n": n,
    }
    if None in row.values():
        if not why:
            raise ValueError(f"undefined estimate without a reason ({method}, n = {n})")
        row["why"] = why
    return row


def t_quantile(degrees: int) -> float:
    """Half width of a two-sided interval at `LEVEL`, in standard errors.

    Args:
        degrees: Degrees of freedom, at least 1.

    Examples:
        >>> round(t_quantile(11), 4)
        2.201
    """
    from scipy import special

    return float(special.stdtrit(degrees, (1 + LEVEL) / 2))
