"""A test of all populations together and of every pair, and the control of false discoveries over the pairs.

Source: Benjamini and Hochberg, Controlling the false discovery rate (Journal of the Royal Statistical Society
B 57, 1995).
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float64

from masklab.analysis.design import Design

Row = dict[str, Any]
Square = Float64[np.ndarray, "members members"]


def rows(test: Callable[[Design, Square, int], Row], design: Design, squared: Square, seed: int) -> list[Row]:
    """One test for all populations, then for each pair; a pair is tested on its own members only.

    Args:
        test: `permanova.row` or `permdisp.row`.
        design: Who is compared.
        squared: Squared distances (Hamming).
        seed: Seed of the drawn relabelings.
    """
    whole = {"a": None, "b": None} | test(design, squared, seed)
    found = [
        {"a": a, "b": b} | test(design.only(own), squared[np.ix_(own, own)], seed)
        for a, b, own in pairs(design)
    ]
    return [whole | {"adjusted_p": whole["p"]}, *adjusted(found)]


def pairs(design: Design) -> Iterator[tuple[str, str, np.ndarray]]:
    """Each pair of populations, in the study's order, and the places of their members.

    Args:
        design: Who is compared.
    """
    for a, b in itertools.combinations(design.names, 2):
        yield a, b, np.sort(np.concatenate([design.members(a), design.members(b)]))


def adjusted(found: list[Row]) -> list[Row]:
    """Add `adjusted_p`, Benjamini and Hochberg's, over the rows that have a p; None for the others.

    Args:
        found: Rows of one family of tests.

    Examples:
        >>> [row["adjusted_p"] for row in adjusted([{"p": 0.01}, {"p": None}, {"p": 0.04}])]
        [0.02, None, 0.04]
    """
    from scipy import stats

    known = [row["p"] for row in found if row["p"] is not None]
    corrected = iter(stats.false_discovery_control(known).tolist() if known else [])
    return [row | {"adjusted_p": None if row["p"] is None else next(corrected)} for row in found]
