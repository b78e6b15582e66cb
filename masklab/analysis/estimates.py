"""The one form that an estimate has in `results.json`: `{value, low, high, level, method, n}`."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from masklab.analysis import skewness

LEVEL = 0.95
"""Nominal coverage of every interval."""


def number(value: float) -> float | None:
    """A float for JSON: None for what is not a finite number.

    Examples:
        >>> number(0.5), number(float("nan"))
        (0.5, None)
    """
    return float(value) if math.isfinite(value) else None


ANY = (-math.inf, math.inf)
SHARE = (0.0, 1.0)
"""Values that a quantity can have; intervals are cut there, which takes nothing from their coverage."""


def estimate(
    value: float,
    low: float,
    high: float,
    *,
    method: str,
    n: int,
    why: str = "",
    limits: tuple[float, float] = ANY,
) -> dict[str, Any]:
    """An estimate with its interval; what is not finite becomes None, with the reason.

    Args:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end.
        method: What the interval is, for a reader.
        n: Number of independent units it rests on.
        why: Reason why something is undefined; required then.
        limits: Least and largest value that there can be; the interval is cut there.

    Raises:
        ValueError: Something is undefined and no reason is given.

    Examples:
        >>> estimate(0.5, float("nan"), float("nan"), method="t", n=1, why="one member")["why"]
        'one member'
        >>> estimate(0.9, 0.7, 1.1, method="t", n=3, limits=SHARE)["high"]
        1.0
    """
    row = {
        "value": number(value),
        "low": number(max(low, limits[0])) if math.isfinite(low) else None,
        "high": number(min(high, limits[1])) if math.isfinite(high) else None,
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


def mean_over_members(
    values: Sequence[float], draws: int, *, absent: str = "", limits: tuple[float, float] = ANY
) -> dict[str, Any]:
    """Mean over members; its interval is null, with a reason, where there are too few.

    It reaches as far as t, or as t corrected for skewness where there are three members or more (see
    `masklab.analysis.skewness`).

    Args:
        values: One value per member.
        draws: Draws of base weights among those members.
        absent: Why there are no values; required then.
        limits: Least and largest value that there can be; the interval is cut there.

    Examples:
        >>> found = mean_over_members([0.25, 0.75], draws=2)
        >>> found["value"], found["n"], found["low"] < 0.25
        (0.5, 2, True)
    """
    n = len(values)
    mean = statistics.fmean(values) if values else math.nan
    why = "an interval needs at least 2 members; there is 1" if values else absent
    below = above = math.nan
    if n > 1 and len(set(values)) == 1:  # few coarse values would have an interval of no width
        why = "all members have the same value"
    elif n > 1:
        error = statistics.stdev(values) / math.sqrt(n)
        skew = skewness.of_mean(np.array(values, dtype=np.float64), error)
        below, above = skewness.reach(error, t_quantile(n - 1), skew)
    return estimate(
        mean, mean - below, mean + above, method=_over_members(n, draws), n=n, why=why, limits=limits
    )


def _over_members(n: int, draws: int) -> str:
    interval = "t interval with n − 1 degrees of freedom" if n < 3 else skewness.METHOD
    method = f"mean over members, {interval}"
    if n < 2:
        return method
    if draws == n:
        return f"{method}; every member has its own draw of base weights"
    drawn = "1 draw" if draws == 1 else f"{draws} draws"
    return f"{method}; members share {drawn} of base weights and are not independent; it holds for these"
