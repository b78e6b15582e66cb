import math
from fractions import Fraction

import numpy as np
import pytest

from masklab.analysis.structure import axes, dead
from tests.analysis.structure.test_rates import every_mask


def by_loops(mask):
    outputs = sum(not mask[at].any() for at in range(mask.shape[0]))
    inputs = sum(not mask[:, at].any() for at in range(mask.shape[1]))
    return {"output": outputs, "input": inputs}


@pytest.mark.parametrize(("shape", "kept"), [((3, 4), 3), ((2, 3, 2), 2), ((4, 3), 0), ((2, 3), 6)])
def test_counts_and_chance_by_enumeration(shape, kept):
    totals = {"output": [], "input": []}
    found = {}
    for mask in every_mask(shape, kept):
        found = dead.measure({"layer": axes.count(mask)})
        for axis, count in by_loops(mask).items():
            assert found["layer", dead.COUNT, axis].value == count
            assert found["layer", dead.SHARE, axis].value == count / mask.shape[axis == "input"]
            totals[axis].append(count)
    for axis, counts in totals.items():
        one = found["layer", dead.COUNT, axis]
        assert one.chance == pytest.approx(np.mean(counts), abs=1e-12)
        length = shape[axis == "input"]
        assert found["layer", dead.SHARE, axis].chance == pytest.approx(np.mean(counts) / length, abs=1e-12)


def test_the_whole_mask_is_summed_over_layers():
    first, second = np.zeros((4, 2), dtype=bool), np.zeros((3, 4, 3, 3), dtype=bool)
    first[1, 0] = True
    second[0, 1, 2, 2] = second[1, 1, 0, 0] = True
    found = dead.measure({"first": axes.count(first), "second": axes.count(second)})
    assert found["whole", dead.COUNT, "output"].value == 3 + 1
    assert found["whole", dead.SHARE, "output"].value == 4 / 7
    assert found["whole", dead.COUNT, "input"].value == 1 + 3
    assert found["whole", dead.SHARE, "input"].value == 4 / 6
    parts = [found[layer, dead.COUNT, "input"].chance for layer in ("first", "second")]
    assert found["whole", dead.COUNT, "input"].chance == pytest.approx(sum(parts))


@pytest.mark.parametrize(
    ("size", "each", "kept"),
    [(10, 3, 4), (10, 4, 3), (10, 6, 5), (5000, 40, 300), (2**20, 1024, 3000), (7, 0, 7), (7, 7, 0)],
)
def test_probability_is_a_ratio_of_binomial_coefficients(size, each, kept):
    exact = Fraction(math.comb(size - each, kept), math.comb(size, kept))
    assert dead.probability(size, each, kept) == pytest.approx(float(exact), rel=1e-10)


def test_probability_of_many_weights_by_logarithms(monkeypatch):
    monkeypatch.setattr(dead, "_TERMS", 10)
    dead.probability.cache_clear()
    exact = Fraction(math.comb(4000 - 90, 300), math.comb(4000, 300))
    assert dead.probability(4000, 90, 300) == pytest.approx(float(exact), rel=1e-8)
    dead.probability.cache_clear()
