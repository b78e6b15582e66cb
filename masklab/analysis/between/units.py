"""Leave-one-unit-out intervals: all members of the same seeds are left out together.

Source: Tukey's jackknife; Efron and Stein, The jackknife estimate of variance (Annals of Statistics 9, 1981).
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from masklab.analysis import estimates, jackknife
from masklab.analysis.design import Design

LEAST_UNITS = 3
"""Units below which no interval is given."""

Kept = Bool[np.ndarray, "units members"]


def without_each(design: Design) -> Kept:
    """For each unit, in ascending order, which members are left without it."""
    return np.unique(design.unit)[:, None] != design.unit


def estimate(
    value: float,
    without: Float64[np.ndarray, " units"],
    *,
    method: str,
    why: str = "",
    degrees: int | None = None,
) -> dict[str, Any]:
    """An estimate and its leave-one-unit-out interval with a t quantile.

    Args:
        value: The estimate.
        without: The same without each unit; NaN where it is undefined then.
        method: What the interval is, for a reader.
        why: Why the value is undefined; required then.
        degrees: Degrees of freedom of the t quantile; units − 1 by default.
    """
    units = len(without)
    half = math.nan
    if not math.isfinite(value):
        reason = why
    elif units < LEAST_UNITS:
        reason = f"an interval needs at least {LEAST_UNITS} seeds; there are {units}"
    elif not np.isfinite(without).all():
        reason = "the estimate is undefined without one of the seeds"
    else:
        reason = ""
        quantile = estimates.t_quantile(degrees or units - 1)
        half = quantile * float(np.sqrt(jackknife.variance(without)))
        if np.isnan(jackknife.with_width(np.array(half), np.array(value))):
            half, reason = math.nan, jackknife.SAME
    return estimates.estimate(value, value - half, value + half, method=method, n=units, why=reason)
