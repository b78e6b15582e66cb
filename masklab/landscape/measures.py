"""What rows say of networks: on which images, against what chance level, and means with their intervals."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import estimates, jackknife
from masklab.landscape import barriers
from masklab.landscape.context import Context, Row
from masklab.landscape.tasks import Outcome, own_key

SPLIT = "test"
"""Images of the questions that need only one split."""

_OVER_MASKS = "t interval from leaving out one mask at a time (jackknife)"
_OVER_DRAWS = "mean over draws of base weights, t interval with n − 1 degrees of freedom"
_LEAST_DRAWS = 3


def header(context: Context) -> Row:
    """What every row on `SPLIT` says of its images."""
    number = context.images.number(SPLIT)
    return {"split": SPLIT, "statistics": context.statistics, "images": number}


def chance(context: Context, split: str = SPLIT) -> float:
    """Accuracy of always naming the most common class."""
    labels = context.images.labels[split]
    return float(np.bincount(labels).max() / len(labels))


def own_accuracy(outcomes: Mapping[str, Outcome], member: str) -> float:
    """Accuracy of a member itself."""
    return float(outcomes[own_key(member)].accuracy(SPLIT)[0])


def over_members(
    context: Context, values: Mapping[str, float], limits: tuple[float, float] = estimates.ANY
) -> Row:
    """Mean over members with a t interval (see `masklab.analysis.estimates`); null where not finite.

    Args:
        context: The study.
        values: Member → its value; at least one.
        limits: Least and largest value that there can be.
    """
    if not all(map(math.isfinite, values.values())):
        return estimates.estimate(
            math.nan, math.nan, math.nan, method="mean over members", n=len(values), why=barriers.NOT_FINITE
        )
    draws = len({context.blocks[own] for own in values})
    return estimates.mean_over_members(list(values.values()), draws, limits=limits)


def over_masks(
    pairs: Sequence[tuple[str, str]],
    values: Float64[np.ndarray, " pairs"],
    limits: tuple[float, float],
) -> Row:
    """Mean over pairs of members with an interval over masks: masks are left out, never pairs.

    Args:
        pairs: Ids of the members of each pair; no pair twice.
        values: The value of each pair.
        limits: Values that there can be.
    """
    rows, columns = sorted({a for a, _ in pairs}), sorted({b for _, b in pairs})
    if len({member.rpartition("/")[0] for member in (*rows, *columns)}) == 1:
        rows = columns = sorted({*rows, *columns})  # a side of a pair within a population means nothing
    places = [rows.index(a) for a, _ in pairs], [columns.index(b) for _, b in pairs]
    if not np.isfinite(values).all():
        units = len({_unit(member) for pair in pairs for member in pair})
        return estimates.estimate(
            math.nan, math.nan, math.nan, method=_OVER_MASKS, n=units, why=barriers.NOT_FINITE, limits=limits
        )
    square = np.zeros((1, len(rows), len(columns)))
    chosen = np.zeros((len(rows), len(columns)), dtype=bool)
    square[0][places], chosen[places] = values, True
    means = jackknife.mean_over_pairs(square, chosen, _units(rows), _units(columns))
    value, low, high = (float(found[0]) for found in (means.value, means.low, means.high))
    return estimates.estimate(
        value, low, high, method=_OVER_MASKS, n=means.units, why=means.why, limits=limits
    )


def over_draws(values: Sequence[float], limits: tuple[float, float]) -> Row:
    """Mean over draws of base weights with a t interval.

    Args:
        values: One value per draw; at least one.
        limits: Values that there can be.
    """
    numbers = np.asarray(values, dtype=np.float64)
    mean, half, n, why = float(numbers.mean()), math.nan, len(numbers), ""
    if n < _LEAST_DRAWS:
        why = f"an interval needs at least {_LEAST_DRAWS} draws of base weights; there are {n}"
    elif np.ptp(numbers) == 0:
        why = "all draws have the same value"
    else:
        half = estimates.t_quantile(n - 1) * float(numbers.std(ddof=1)) / n**0.5
    return estimates.estimate(mean, mean - half, mean + half, method=_OVER_DRAWS, n=n, why=why, limits=limits)


def _unit(member: str) -> int:
    return int(member.rpartition("/")[2])


def _units(members: Sequence[str]) -> Int64[np.ndarray, " members"]:
    return np.array([_unit(member) for member in members], dtype=np.int64)
