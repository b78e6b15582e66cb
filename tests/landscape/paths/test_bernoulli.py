"""Each differing coordinate is drawn by itself, at every point anew."""

import numpy as np
import pytest

from masklab.landscape.ends import Ends
from tests.landscape.paths import walks

PAIRS = [("biprop/0000", "biprop/0002"), ("edge-popup/0000", "biprop/0001")]


def taken(ends: Ends, a: str, b: str, t: list[float], number: int = 0) -> np.ndarray:
    """Which of the differing coordinates come from b, [points, differing]."""
    first, last = walks.own(ends.of(a)), walks.own(ends.of(b))
    found = walks.whole(ends.of(a), walks.walk(ends, "bernoulli", a, b, t, number))
    if ends.shares(a, b):
        first, last, found = first != 0, last != 0, found != 0
    differs = first != last
    assert np.array_equal(found, np.where(found == first, first, last))
    return (found != first)[:, differs]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_about_t_of_them_come_from_b(a: str, b: str, wide: Ends) -> None:
    for at, t in zip(taken(wide, a, b, walks.TENTHS), walks.TENTHS, strict=True):
        assert len(at) > 300
        assert abs(at.mean() - t) <= 4 * np.sqrt(t * (1 - t) / len(at))


def test_points_and_draws_are_independent(wide: Ends) -> None:
    one = taken(wide, *PAIRS[1], [0.3, 0.5, 0.7])
    other = taken(wide, *PAIRS[1], [0.3, 0.5, 0.7], number=1)
    both = np.concatenate([one, other]) * 1.0
    products = np.asarray(np.corrcoef(both))[~np.eye(6, dtype=bool)]
    assert np.abs(products).max() < 4 / np.sqrt(both.shape[1])
    assert (one[0] > one[1]).any() and (one[1] > one[2]).any()  # no walk: some go back


def test_coordinates_of_layers_are_independent(small: Ends) -> None:
    drawn = np.array([taken(small, "edge-popup/0000", "random/0002", [0.5], n)[0] for n in range(300)])
    products = np.asarray(np.corrcoef(drawn.T))[~np.eye(drawn.shape[1], dtype=bool)]
    assert np.abs(products).max() < 4.5 / np.sqrt(300)  # of some hundred products
