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
        pairs: Sampled (member of a, member of b).
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
    of_population: dict[str, list[str]] = {name: [] for name in populations}
    for member in blocks:
        of_population[member.rpartition("/")[0]].append(member)
    cells = []
    for a, b in itertools.combinations_with_replacement(populations, 2):
        if a == b:
            pairs = list(itertools.combinations(of_population[a], 2))
        else:
            pairs = list(itertools.product(of_population[a], of_population[b]))
        sharing = [pair for pair in pairs if blocks[pair[0]] == blocks[pair[1]]]
        block, used = ("within", sharing) if sharing else ("across", pairs)
        for kind in ("same", "different"):
            found = [pair for pair in used if (_index(pair[0]) == _index(pair[1])) == (kind == "same")]
            if found and per_cell:
                cells.append(
                    Cell(a, b, block, kind, _choose(found, per_cell, seed, f"{a}/{b}/{kind}"), len(found))
                )
    return cells


def _index(member: str) -> str:
    return member.rpartition("/")[2]


def _choose(pairs: list[tuple[str, str]], number: int, seed: int, path: str) -> list[tuple[str, str]]:
    random = seeds.stream(seed, "split", layer=f"landscape/{path}")
    return [pairs[i] for i in sorted(random.permutation(len(pairs))[:number])]
