"""One differing coordinate after the other, in a uniformly random order."""

import numpy as np
import pytest

from masklab.landscape.ends import Ends
from masklab.landscape.paths import all_paths
from tests.landscape.paths import walks

SHARED = [("biprop/0000", "biprop/0002"), ("edge-popup/0000", "random/0002"), ("sparse/0000", "random/0002")]
APART = [
    ("edge-popup/0000", "edge-popup/0001"),
    ("edge-popup/0000", "biprop/0002"),
    ("edge-popup+iterand/0000", "edge-popup+iterand/0002"),
]


@pytest.mark.parametrize(("a", "b"), SHARED + APART)
@pytest.mark.parametrize("points", [4, 11, 13])
def test_the_promised_number_of_coordinates_has_moved(a: str, b: str, points: int, wide: Ends) -> None:
    grid = [point / (points - 1) for point in range(points)]
    first, last = walks.own(wide.of(a)), walks.own(wide.of(b))
    found = walks.whole(wide.of(a), walks.walk(wide, "geodesic", a, b, grid))
    if (a, b) in SHARED:
        assert all_paths()["geodesic"].rule(wide, a, b) == "mask"
        first, last, found = first != 0, last != 0, found != 0
    else:
        assert all_paths()["geodesic"].rule(wide, a, b) == "effective"
    total = int((first != last).sum())
    assert total > 300
    moved = found != first
    assert moved.sum(1).tolist() == [walks.promised(t, total) for t in grid]
    assert (found != last).sum(1).tolist() == [total - walks.promised(t, total) for t in grid]
    assert np.array_equal(found, np.where(moved, last, first))
    assert (moved[:-1] <= moved[1:]).all()


def frequencies(ends: Ends, name: str, a: str, b: str, t: float, draws: int, first: int) -> np.ndarray:
    """How often each bit of the masks is kept at a point of the path, over orders."""
    states = (walks.walk(ends, name, a, b, [t], number) for number in range(first, first + draws))
    return np.mean([walks.whole(ends.of(a), state)[0] != 0 for state in states], axis=0)


@pytest.mark.parametrize("name", walks.RANDOM)
def test_both_directions_have_one_distribution(name: str, small: Ends) -> None:
    a, b, draws = "edge-popup/0000", "random/0002", 300
    first, last = walks.own(small.of(a)) != 0, walks.own(small.of(b)) != 0
    differs = first != last
    forth = frequencies(small, name, a, b, 0.3, draws, 0)
    back = frequencies(small, name, b, a, 0.7, draws, draws)
    assert differs.sum() > 10
    assert np.array_equal(forth[~differs], first[~differs]) and np.array_equal(
        back[~differs], first[~differs]
    )
    total = int(differs.sum()) // (2 if name == "geodesic-swap" else 1)
    share = 0.3 if name == "bernoulli" else walks.promised(0.3, total) / total
    error = np.sqrt(share * (1 - share) / draws)
    expected = np.where(last, share, 1 - share)[differs]
    assert np.abs(forth[differs] - expected).max() < 4 * error
    assert np.abs(back[differs] - expected).max() < 4 * error


def test_no_layer_goes_before_another(small: Ends) -> None:
    a, b, draws = "edge-popup/0000", "random/0002", 300
    first, last = (walks.own(small.of(member)) != 0 for member in (a, b))
    differs = np.flatnonzero(first != last)
    found = np.array(
        [
            np.flatnonzero(
                (walks.whole(small.of(a), walks.walk(small, "geodesic", a, b, [t], n))[0] != 0) != first
            )
            for n in range(draws)
            for t in [1 / len(differs)]
        ]
    )
    assert found.shape == (draws, 1)
    counts = np.array([(found == coordinate).sum() for coordinate in differs])
    share = 1 / len(differs)
    assert np.abs(counts / draws - share).max() < 4 * np.sqrt(share * (1 - share) / draws)
