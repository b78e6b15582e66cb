"""A test of all populations together and of every pair; false discoveries are controlled over the pairs."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float64

from masklab.analysis import verdicts
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
    whole = test(design, squared, seed)
    found = [
        test(design.only(own), squared[np.ix_(own, own)], seed) | {"a": a, "b": b}
        for a, b, own in pairs(design)
    ]
    return [whole | {"adjusted_p": whole["p"]}, *verdicts.adjusted(found)]


def pairs(design: Design) -> Iterator[tuple[str, str, np.ndarray]]:
    """Each pair of populations, in the study's order, and the places of their members.

    Args:
        design: Who is compared.
    """
    for a, b in itertools.combinations(design.names, 2):
        yield a, b, np.sort(np.concatenate([design.members(a), design.members(b)]))
