"""Interval of a mean over pairs of masks: pairs share masks, so masks are left out, never pairs.

Source: Efron and Stein, The jackknife estimate of variance (Annals of Statistics 9, 1981). For the mean of a
symmetric function of two independent masks the variance is overestimated when single masks explain nothing
(near chance), so the interval is then conservative.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masklab.analysis import estimates

LEAST_UNITS = 3
"""Units below which no interval is given."""


SAME = "leaving out any one of the masks changes nothing, so that an interval would have no width"

_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Means:
    """Means over one set of pairs, with their intervals; NaN where undefined.

    Attributes:
        value: Mean per statistic.
        low: Lower end of the interval.
        high: Upper end.
        units: Number of units that occur in a pair.
        pairs: Number of pairs.
        why: Why there is no interval; empty where there is one.
    """

    value: Float64[np.ndarray, " statistics"]
    low: Float64[np.ndarray, " statistics"]
    high: Float64[np.ndarray, " statistics"]
    units: int
    pairs: int
    why: str


def mean_over_pairs(
    values: Float64[np.ndarray, "statistics rows columns"],
    chosen: Bool[np.ndarray, "rows columns"],
    row_units: Int64[np.ndarray, " rows"],
    column_units: Int64[np.ndarray, " columns"],
    over: Float64[np.ndarray, "rows columns"] | None = None,
) -> Means:
    """Mean over the chosen pairs, and its leave-one-unit-out interval with a t quantile.

    Leaving out a unit removes every pair that it is in, on either side. The degrees of freedom are those of
    the side with fewer units, which dominates the error: where sides differ in size that is conservative.
    Where leaving out any unit changes nothing there is no interval: values that are few and coarse would have
    one of no width.

    Args:
        values: Several statistics of every pair.
        chosen: Which pairs count; at least one. Each unordered pair at most once.
        row_units: Number of the unit of each row, each at most once.
        column_units: Number of the unit of each column, each at most once.
        over: What is divided by instead of the number of pairs: the mean is then Σ values ÷ Σ over.
    """
    weight = np.where(chosen, 1.0 if over is None else over, 0.0)
    kept = np.where(chosen, values, 0.0)
    size = int(max(row_units.max(), column_units.max())) + 1
    own = chosen & (row_units[:, None] == column_units[None, :])
    pairs_of = _by_unit(chosen.astype(float)[None], own, row_units, column_units, size)[0]
    weights_of = _by_unit(weight[None], own, row_units, column_units, size)[0]
    sums_of = _by_unit(kept, own, row_units, column_units, size)
    taking_part = pairs_of > 0
    pairs, total = int(chosen.sum()), kept.sum(axis=(1, 2))
    value = np.divide(total, weight.sum(), out=np.full_like(total, np.nan), where=weight.sum() > 0)
    undefined = np.full_like(value, np.nan)
    units = int(taking_part.sum())
    if units < LEAST_UNITS:
        why = f"an interval needs at least {LEAST_UNITS} masks on each side; there are {units}"
        return Means(value, undefined, undefined, units, pairs, why)
    if (pairs == pairs_of[taking_part]).any():
        why = "leaving out one mask leaves no pair"
        return Means(value, undefined, undefined, units, pairs, why)
    remaining = weight.sum() - weights_of[taking_part]
    if (remaining <= 0).any():
        return Means(value, undefined, undefined, units, pairs, "undefined without one of the masks")
    without = (total[:, None] - sums_of[:, taking_part]) / remaining
    sides = [units]
    if not np.array_equal(row_units, column_units):
        sides += [int(chosen.any(axis=1).sum()), int(chosen.any(axis=0).sum())]
    half = with_width(half_width(without, degrees=max(1, min(sides) - 1)), value)
    return Means(value, value - half, value + half, units, pairs, SAME if np.isnan(half).any() else "")


def variance(
    without: Float64[np.ndarray, "*statistics units"], *, factor: float | None = None
) -> Float64[np.ndarray, "*statistics"]:
    """Jackknife variance of statistics: `factor` times the sum of squared deviations from their mean.

    Args:
        without: The statistics without each unit.
        factor: What the sum is multiplied by; (units − 1) ÷ units by default.
    """
    units = without.shape[-1]
    spread = ((without - without.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return np.asarray(spread * ((units - 1) / units if factor is None else factor))


def half_width(
    without: Float64[np.ndarray, "*statistics units"],
    *,
    factor: float | None = None,
    degrees: int | None = None,
) -> Float64[np.ndarray, "*statistics"]:
    """Half width of the leave-one-unit-out interval, with a t quantile.

    Args:
        without: The statistics without each of at least 2 units.
        factor: See `variance`.
        degrees: Degrees of freedom; units − 1 by default.

    Examples:
        >>> half_width(np.array([[0.5, 0.5, 0.5], [0.0, 0.5, 1.0]])).round(3).tolist()
        [0.0, 2.484]
    """
    error = np.sqrt(variance(without, factor=factor))
    return np.asarray(estimates.t_quantile(degrees or without.shape[-1] - 1) * error)


def with_width(
    half: Float64[np.ndarray, "*statistics"], value: Float64[np.ndarray, "*statistics"]
) -> Float64[np.ndarray, "*statistics"]:
    """Half widths; NaN where they are none but rounding.

    Args:
        half: Half widths.
        value: The statistics.

    Examples:
        >>> with_width(np.array([0.25, 0.0]), np.array([0.5, 0.5])).tolist()
        [0.25, nan]
    """
    return np.where(half > _ROUNDING * np.maximum(1.0, np.abs(value)), half, np.nan)


def _by_unit(
    values: Float64[np.ndarray, "statistics rows columns"],
    own: Bool[np.ndarray, "rows columns"],
    row_units: Int64[np.ndarray, " rows"],
    column_units: Int64[np.ndarray, " columns"],
    size: int,
) -> Float64[np.ndarray, "statistics units"]:
    """Sum over the pairs of each unit; a pair whose both sides are the same unit counts once."""
    sums = np.zeros((len(values), size))
    sums[:, row_units] += values.sum(axis=2)
    sums[:, column_units] += values.sum(axis=1)
    sums[:, row_units] -= np.where(own, values, 0.0).sum(axis=2)
    return sums
