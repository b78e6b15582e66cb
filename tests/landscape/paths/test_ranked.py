"""The lowest leave first and the highest arrive first, layer by layer."""

import numpy as np
import pytest
import torch

from masklab.landscape.ends import Ends
from tests.landscape.paths import walks

PAIRS = [
    ("biprop/0000", "biprop/0002"),
    ("edge-popup/0000", "biprop/0001"),
    ("signed/0000", "signed/0002"),
    ("signed/0001", "biprop/0002"),
    ("global/0000", "edge-popup/0002"),
    ("edge-popup+iterand/0000", "sparse/0001"),
]


def key(ends: Ends, member: str) -> dict[str, np.ndarray]:
    found = {layer: scores.flatten().numpy() for layer, scores in ends.scores(member).items()}
    return found if "signed" in member else {layer: np.abs(scores) for layer, scores in found.items()}


def falling(among: np.ndarray, keys: np.ndarray) -> list[int]:
    """Coordinates by falling key; the lower index first on ties."""
    return sorted(np.flatnonzero(among).tolist(), key=lambda at: (-keys[at], at))


def expected(ends: Ends, a: str, b: str, layer: str, t: float) -> np.ndarray:
    """Effective weights of a layer, taken from the ends one by one."""
    own, other = (ends.of(member).mask[layer].flatten().numpy() for member in (a, b))
    first, last = (ends.of(member).effective[layer].flatten().numpy() for member in (a, b))
    found = first.copy()
    for order in (
        falling(own & ~other, key(ends, a)[layer])[::-1],
        falling(other & ~own, key(ends, b)[layer]),
        falling(own & other & (first != last), key(ends, b)[layer]),
    ):
        for at in order[: walks.promised(t, len(order))]:
            found[at] = last[at]
    return found


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_order_is_that_of_the_keys(a: str, b: str, wide: Ends) -> None:
    found = walks.weights(wide.of(a), walks.walk(wide, "ranked", a, b, walks.TENTHS))
    for layer, values in found.items():
        for at, t in enumerate(walks.TENTHS):
            wanted = expected(wide, a, b, layer, t)
            if wide.shares(a, b):  # the values are those of the gate: bits only
                assert np.array_equal(values[at] != 0, wanted != 0)
            else:
                assert np.array_equal(values[at], wanted)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_way_back_has_the_same_masks(a: str, b: str, wide: Ends) -> None:
    primes = [0.0, 2 / 7, 3 / 7, 3 / 11, 8 / 13, 1.0]  # of an odd denominator: nothing ends in one half
    forth = walks.whole(wide.of(a), walks.walk(wide, "ranked", a, b, primes)) != 0
    back = walks.whole(wide.of(b), walks.walk(wide, "ranked", b, a, [1 - t for t in primes])) != 0
    assert np.array_equal(forth, back)


def test_equal_counts_stay_equal(wide: Ends) -> None:
    end = wide.of("edge-popup/0000")
    found = walks.weights(end, walks.walk(wide, "ranked", end.id, "edge-popup/0002", walks.TENTHS))
    for layer, kept in end.kept.items():
        assert (found[layer] != 0).sum(1).tolist() == [kept] * 11


def test_on_ties_the_lower_index_ranks_higher_both_ways(wide: Ends) -> None:
    a, b = "edge-popup/0000", "edge-popup/0002"
    flat = {layer: torch.ones_like(scores) for layer, scores in wide.scores(a).items()}
    ends = walks.planted(wide, {a: flat, b: flat})
    third = [1 / 3]
    forth = walks.weights(ends.of(a), walks.walk(ends, "ranked", a, b, third))
    for layer, values in forth.items():
        assert np.array_equal(values[0] != 0, expected(ends, a, b, layer, 1 / 3) != 0)
    back = walks.weights(ends.of(b), walks.walk(ends, "ranked", b, a, [2 / 3]))
    for layer, values in forth.items():
        assert np.array_equal(values != 0, back[layer] != 0)
