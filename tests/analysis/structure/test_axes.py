import numpy as np
import pytest

from masklab.analysis.structure import axes

SHAPES = [(), (5,), (3, 4), (3, 4, 5), (4, 2, 3, 3), (2, 1, 2, 2, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_counts_are_those_of_loops_over_the_weights(shape):
    mask = np.random.RandomState(len(shape)).random_sample(shape) < 0.5
    mask = np.asarray(mask)
    found = axes.count(mask)
    outputs, inputs, *kernel = (*shape, 1, 1)[: max(2, len(shape))]
    positions = int(np.prod(kernel))
    expected = {"output": [0] * outputs, "input": [0] * inputs, "kernel": [0] * positions}
    for place in np.argwhere(mask):
        index = (*place.tolist(), 0, 0)[: max(2, len(shape))]
        expected["output"][index[0]] += 1
        expected["input"][index[1]] += 1
        expected["kernel"][int(np.ravel_multi_index(index[2:], kernel)) if kernel else 0] += 1
    if positions == 1:
        del expected["kernel"]
    assert {axis: counts.tolist() for axis, counts in found.counts.items()} == expected
    assert (found.kept, found.size) == (mask.sum(), mask.size)


def test_pairs_sum_over_the_kernel():
    mask = np.zeros((2, 3, 2, 2), dtype=bool)
    mask[1, 2] = True
    mask[0, 1, 1, 0] = True
    assert axes.count(mask).pairs.tolist() == [[0, 1, 0], [0, 0, 4]]
