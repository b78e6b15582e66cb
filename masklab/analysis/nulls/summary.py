"""The one form that the values of matched random masks have in the results: mean and range."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

Row = dict[str, Any]

RANGE = "min to max"
"""What `low` and `high` are: twins are too few for quantiles."""

NO_TWINS = "no twins: no matched random masks were drawn"
"""Why there is no null where there are no twins."""

UNDEFINED = "undefined for the matched random masks too"
"""Why there is no null where there are twins."""


def of(values: Sequence[float] | Float64[np.ndarray, " twins"]) -> Row | None:
    """Mean and range of a statistic over twins; None without twins, or where it is undefined for any.

    Args:
        values: The statistic of each twin; NaN where it is undefined.

    Examples:
        >>> of([1.0, 2.0, 6.0])
        {'mean': 3.0, 'low': 1.0, 'high': 6.0, 'n': 3, 'range': 'min to max'}
    """
    found = np.asarray(values, dtype=float)
    if not len(found) or not np.isfinite(found).all():
        return None
    return {
        "mean": float(found.mean()),
        "low": float(found.min()),
        "high": float(found.max()),
        "n": len(found),
        "range": RANGE,
    }


def why(values: Sequence[float] | Float64[np.ndarray, " twins"]) -> str:
    """Why `of` is None.

    Args:
        values: What `of` was given.
    """
    return UNDEFINED if len(values) else NO_TWINS
