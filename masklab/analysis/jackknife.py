"""Interval of a mean over pairs of masks: pairs share masks, so masks are left out, never pairs.

Source: Efron and Stein, The jackknife estimate of variance (Annals of Statistics 9, 1981). For the mean of a
symmetric function of two independent masks the variance is overestimated when single masks explain nothing
(near chance), so the interval is then conservative.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masklab.analysis import estimates

LEAST_UNITS = 3
"""Units below which no interval is given."""


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
) -> Means:
    """Mean over the chosen pairs, and its leave-one-unit-out interval with a t quantile.

    Leaving out a unit removes every pair that it is in, on either side.

    Args:
        values: Several statistics of every pair.
        chosen: Which pairs count; at least one. Each unordered pair at most once.
        row_units: Number of the unit of each row, each at most once.
        column_units: Number of the unit of each column, each at most once.
    """
    weight = chosen.astype(float)
    kept = np.where(chosen, values, 0.0)
    size = int(max(row_units.max(), column_units.max())) + 1
    own = chosen & (row_units[:, None] == column_units[None, :])
    pairs_of = _by_unit(weight[None], own, row_units, column_units, size)[0]
    sums_of = _by_unit(kept, own, row_units, column_units, size)
    taking_part = pairs_of > 0
    pairs, total = int(chosen.sum()), kept.sum(axis=(1, 2))
    value = total / pairs
    undefined = np.full_like(value, np.nan)
    units = int(taking_part.sum())
    if units < LEAST_UNITS:
        why = f"an interval needs at least {LEAST_UNITS} masks on each side; there are {units}"
        return Means(value, undefined, undefined, units, pairs, why)
    remaining = pairs - pairs_of[taking_part]
    if (remaining == 0).any():
        why = "leaving out one mask leaves no pair"
        return Means(value, undefined, undefined, units, pairs, why)
    without = (total[:, None] - sums_of[:, taking_part]) / remaining
    half = _half_width(without)
    return Means(value, value - half, value + half, units, pairs, "")


def _half_width(without: Float64[np.ndarray, "statistics units"]) -> Float64[np.ndarray, " statistics"]:
    units = without.shape[1]
    spread = ((without - without.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return estimates.t_quantile(units - 1) * np.sqrt(spread) * math.sqrt((units - 1) / units)


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
