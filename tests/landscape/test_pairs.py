"""Pairs of members: those that share base weights first, each kind a seeded sample that grows in order."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from masklab.landscape import pairs


def blocks(populations: int, members: int, draws: int) -> dict[str, int]:
    return {f"p{p}/{i:04d}": i % draws for p in range(populations) for i in range(members)}


@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7), st.integers(0, 9), st.integers(0, 5))
def test_pairs_share_base_weights_wherever_any_do(
    populations: int, members: int, draws: int, per_cell: int, seed: int
) -> None:
    names = [f"p{p}" for p in range(populations)]
    levels = blocks(populations, members, draws)
    cells = pairs.sample(names, levels, per_cell, seed)
    assert cells == pairs.sample(names, levels, per_cell, seed)
    for cell in cells:
        assert 1 <= len(cell.pairs) == len(set(cell.pairs)) == min(per_cell, cell.of)
        for first, second in cell.pairs:
            assert (first.startswith(cell.a + "/"), second.startswith(cell.b + "/")) == (True, True)
            assert first != second
            assert (first[-4:] == second[-4:]) == (cell.seed == "same")
            assert (levels[first] == levels[second]) == (cell.block == "within")
        if cell.block == "across":
            assert all(
                levels[x] != levels[y]
                for x in levels
                for y in levels
                if x < y and x[:2] == cell.a and y[:2] == cell.b
            )


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 9))
def test_samples_begin_with_smaller_ones_and_end_with_all_pairs(
    populations: int, members: int, draws: int, per_cell: int
) -> None:
    names = [f"p{p}" for p in range(populations)]
    levels = {f"{name}/{i:04d}": i % draws for name in names for i in range(members)}
    whole = pairs.sample(names, levels, 1000, 0)
    for cell, larger in zip(pairs.sample(names, levels, per_cell, 0), whole, strict=True):
        assert larger.pairs[:per_cell] == cell.pairs
        everything = {
            frozenset(pair)
            for pair in itertools.product(levels, levels)
            if pair[0] != pair[1]
            and (pair[0][:2], pair[1][:2]) == (cell.a, cell.b)
            and (levels[pair[0]] == levels[pair[1]]) == (cell.block == "within")
            and (pair[0][-4:] == pair[1][-4:]) == (cell.seed == "same")
        }
        assert set(map(frozenset, larger.pairs)) == everything
        assert larger.of == len(everything)
