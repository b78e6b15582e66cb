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
from jaxtyping import Int64

from masklab.analysis import design as designs
from masklab.analysis import estimates
from masklab.analysis.nulls import summary

Row = dict[str, Any]
Places = Int64[np.ndarray, "_"]

WITHIN, ALL = "within", "all"

LEAST_FOR_INTERVAL = 30
"""Masks of each part from which there is an interval. By simulation, one of 6 masks of which half share a
preference covers 87 %; where one mask in five or seven shares nothing with the others, 25 masks cover 92 %
and 30 masks 93 %. Where it is one in ten or fewer, even 30 masks may show none of them, and cover 91 %."""


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


def too_few(group: Group) -> str:
    """Why the masks of a group are too few for an interval; empty where they are enough.

    Examples:
        >>> too_few(Group("a", "all", [np.arange(3)]))
        'an interval needs at least 30 masks: with fewer it is too narrow where masks differ in kind'
    """
    if min(len(part) for part in group.parts) >= LEAST_FOR_INTERVAL:
        return ""
    each = " of each weight draw" if len(group.parts) > 1 else ""
    return (
        f"an interval needs at least {LEAST_FOR_INTERVAL} masks{each}: with fewer it is too narrow where "
        "masks differ in kind"
    )


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
        "null": summary.of(twins),
        "members": group.members,
    }
    if found["null"] is None:
        found["why"] = summary.why(twins)
    return found


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
