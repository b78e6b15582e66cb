"""Effective weights lie on the straight line."""

import numpy as np
import pytest
import torch

from masklab.landscape.ends import Ends
from tests.landscape.paths import walks

PAIRS = [
    ("biprop/0000", "biprop/0002"),
    ("edge-popup/0000", "biprop/0001"),
    ("random/0000", "edge-popup+iterand/0001"),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_weights_are_means_of_both(a: str, b: str, wide: Ends) -> None:
    first, last = walks.own(wide.of(a)), walks.own(wide.of(b))
    t = np.array(walks.TENTHS)[:, None]
    found = walks.whole(wide.of(a), walks.walk(wide, "linear", a, b, walks.TENTHS))
    np.testing.assert_allclose(found, (1 - t) * first + t * last, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_way_back_is_the_same(a: str, b: str, wide: Ends) -> None:
    quarters = [0.0, 0.25, 0.5, 0.75, 1.0]
    back = walks.walk(wide, "linear", b, a, quarters[::-1])
    for key, values in walks.walk(wide, "linear", a, b, quarters).items():
        torch.testing.assert_close(values, back[key], rtol=0, atol=1e-7)
