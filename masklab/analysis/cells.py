"""Which pairs of members are averaged together: by population, shared base weights and shared seeds."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from masklab.analysis.design import Design


@dataclass(frozen=True, eq=False)
class Cell:
    """Pairs that are averaged together: members `rows` × members `columns`, where `chosen`.

    Attributes:
        a: Population of the rows.
        b: Population of the columns; `a` again for pairs within one population.
        block: `"within"` where both share a draw of base weights, else `"across"`.
        seed: `"same"` where both have equal seeds, else `"different"`.
        rows: Places of members in the design.
        columns: Places of members in the design.
        chosen: Which pairs count, each unordered one once; at least one.
    """

    a: str
    b: str
    block: str
    seed: str
    rows: Int64[np.ndarray, " rows"]
    columns: Int64[np.ndarray, " columns"]
    chosen: Bool[np.ndarray, "rows columns"]


def of(design: Design) -> Iterator[Cell]:
    """Every cell that has pairs: populations in their order, then block, then seed.

    Args:
        design: The compared members.

    Examples:
        >>> from masklab.analysis import design
        >>> found = design.make(["a/0000", "a/0001", "b/0000"], {"a/0000": 0, "a/0001": 0, "b/0000": 0})
        >>> [(cell.a, cell.b, cell.seed, int(cell.chosen.sum())) for cell in of(found)]
        [('a', 'a', 'different', 1), ('a', 'b', 'same', 1), ('a', 'b', 'different', 1)]
    """
    for a, b in itertools.combinations_with_replacement(design.names, 2):
        first, second = design.members(a), design.members(b)
        pairs = np.ones((len(first), len(second)), dtype=bool)
        if a == b:
            pairs = np.triu(pairs, 1)
        sharing = np.equal.outer(design.block[first], design.block[second])
        paired = np.equal.outer(design.unit[first], design.unit[second])
        for block, in_block in (("within", sharing), ("across", ~sharing)):
            for seed, with_seed in (("same", paired), ("different", ~paired)):
                chosen = pairs & in_block & with_seed
                if chosen.any():
                    yield Cell(a, b, block, seed, first, second, chosen)
