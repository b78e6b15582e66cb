"""Which masks are counted together, and the one form of a row of `diversity`.

Masks of different base weights overlap at chance: how diverse they are says little about the pruner. Where a
population has several draws of base weights there are therefore two groups: `"within"`, the mean over the
draws of what holds among the masks of one draw, and `"all"`, all masks of the population together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import design as designs
from masklab.analysis import estimates

Row = dict[str, Any]
Places = Int64[np.ndarray, "_"]

WITHIN, ALL = "within", "all"

QUANTILES_FROM = 40
"""Values from which the range of a null is between quantiles instead of extremes."""


@dataclass(frozen=True, eq=False)
class Group:
    """Members of a population whose masks are counted together, part by part.

    Attributes:
        population: Its name.
        block: `"within"` (each part shares a draw of base weights) or `"all"` (one part).
        parts: Places of the members of each part.
    """

    population: str
    block: str
    parts: list[Places]

    @property
    def members(self) -> int:
        """Members in all parts."""
        return sum(len(part) for part in self.parts)


def of(design: designs.Design) -> list[Group]:
    """The groups of every population, in the design's order.

    `"within"` holds the draws that at least two members share (or the only one); `"all"` is there where the
    population has several draws.

    Examples:
        >>> found = of(designs.make(["a/0", "a/1", "a/2"], {"a/0": 0, "a/1": 1, "a/2": 0}))
        >>> [(group.block, [part.tolist() for part in group.parts]) for group in found]
        [('within', [[0, 2]]), ('all', [[0, 1, 2]])]
    """
    found = []
    for name in design.names:
        places = design.members(name)
        blocks = design.block[places]
        draws = np.unique(blocks)
        shared = [places[blocks == draw] for draw in draws if len(draws) == 1 or (blocks == draw).sum() > 1]
        if shared:
            found.append(Group(name, WITHIN, shared))
        if len(draws) > 1:
            found.append(Group(name, ALL, [places]))
    return found


def submatrix(values: np.ndarray, places: Places) -> np.ndarray:
    """Rows and columns of some of the members: the last two axes of an array."""
    return values[..., places[:, None], places]


def null(values: Sequence[float] | Float64[np.ndarray, " twins"]) -> Row | None:
    """Mean and range of a statistic over matched random masks; None without any, or where undefined.

    Examples:
        >>> null([1.0, 2.0, 6.0])
        {'mean': 3.0, 'low': 1.0, 'high': 6.0, 'n': 3, 'range': 'smallest to largest'}
    """
    found = np.asarray(values, dtype=float)
    if not len(found) or not np.isfinite(found).all():
        return None
    wide = len(found) >= QUANTILES_FROM
    low, high = np.quantile(found, [0.025, 0.975] if wide else [0, 1])
    return {
        "mean": float(found.mean()),
        "low": float(low),
        "high": float(high),
        "n": len(found),
        "range": "2.5 % to 97.5 % quantile" if wide else "smallest to largest",
    }


def row(group: Group, metric: str, estimate: Row, twins: Sequence[float]) -> Row:
    """One row of `diversity`.

    Args:
        group: Whose masks.
        metric: What was measured.
        estimate: The estimate.
        twins: The same statistic of each set of matched random masks.
    """
    found = {
        "population": group.population,
        "block": group.block,
        "metric": metric,
        "estimate": estimate,
        "null": null(twins),
        "members": group.members,
    }
    if found["null"] is None:
        found["why"] = "undefined for the matched random masks too" if twins else NO_TWINS
    return found


NO_TWINS = "no matched random masks were given"


def over_parts(
    group: Group,
    values: Sequence[float],
    spreads: Sequence[float],
    *,
    method: str,
    why: str = "",
) -> Row:
    """Mean over the parts of a group, with an interval from a variance of each part.

    Args:
        group: The group.
        values: The statistic of each part.
        spreads: Its estimated variance there; NaN where there is none.
        method: What the interval is.
        why: Why a value or an interval is undefined, if one is.
    """
    parts = len(values)
    value = float(np.mean(values))
    degrees = max(group.members - parts, 1)
    half = estimates.t_quantile(degrees) * math.sqrt(float(np.sum(spreads))) / parts
    return estimates.estimate(
        value, value - half, value + half, method=said(group, method), n=group.members, why=why
    )


def said(group: Group, method: str) -> str:
    """`method`, with what the mean is over where a group has several parts."""
    if group.block == ALL:
        return f"{method}; masks of all weight draws together"
    if len(group.parts) == 1:
        return f"{method}; masks of one weight draw"
    return f"{method}; mean over {len(group.parts)} weight draws, among the masks of each"
