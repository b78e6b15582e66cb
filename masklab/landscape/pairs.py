"""Which pairs of members are walked between: a seeded sample per cell of populations."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from masklab import seeds


@dataclass(frozen=True)
class Cell:
    """Pairs of one kind.

    Attributes:
        a: First population.
        b: Second population, not before `a` in the study's order.
        block: `"within"` (pairs share base weights) or `"across"`.
        seed: `"same"` (equal member index) or `"different"`.
        pairs: Sampled (member of a, member of b), as drawn: a smaller sample is the beginning of a larger.
        of: How many such pairs there are.
    """

    a: str
    b: str
    block: str
    seed: str
    pairs: list[tuple[str, str]]
    of: int


def sample(populations: Sequence[str], blocks: Mapping[str, int], per_cell: int, seed: int) -> list[Cell]:
    """Sample pairs that share base weights; pairs across draws only where none share.

    Args:
        populations: Population names in the study's order.
        blocks: Member id → draw of base weights, in the study's order.
        per_cell: Most pairs per cell.
        seed: The study's seed.
    """
    groups: dict[str, dict[int, list[str]]] = {name: {} for name in populations}
    for member, block in blocks.items():
        groups[member.rpartition("/")[0]].setdefault(block, []).append(member)
    index = {member: member.rpartition("/")[2] for member in blocks}
    cells = []
    for a, b in itertools.combinations_with_replacement(populations, 2):
        first, second = groups[a], groups[b]
        sharing = [
            pair for block, own in first.items() for pair in _pairs(own, second.get(block, []), same=a == b)
        ]
        block = "within" if sharing else "across"
        used = sharing or _pairs(_all(first), _all(second), same=a == b)
        for kind in ("same", "different"):
            found = [pair for pair in used if (index[pair[0]] == index[pair[1]]) == (kind == "same")]
            if found and per_cell:
                cells.append(
                    Cell(a, b, block, kind, _choose(found, per_cell, seed, f"{a}/{b}/{kind}"), len(found))
                )
    return cells


def _all(groups: Mapping[int, list[str]]) -> list[str]:
    return [member for own in groups.values() for member in own]


def _pairs(first: list[str], second: list[str], *, same: bool) -> list[tuple[str, str]]:
    """Each pair of one of the first and one of the second; once where both are the same members."""
    return list(itertools.combinations(first, 2) if same else itertools.product(first, second))


def _choose(pairs: list[tuple[str, str]], number: int, seed: int, path: str) -> list[tuple[str, str]]:
    random = seeds.stream(seed, "split", layer=f"landscape/{path}")
    return [pairs[i] for i in random.permutation(len(pairs))[:number]]
