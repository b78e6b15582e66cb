import itertools

import numpy as np
import pytest

from masklab.analysis.structure import axes, rates


def every_mask(shape, kept):
    """Every mask of a shape that keeps a given number of weights."""
    size = int(np.prod(shape))
    for chosen in itertools.combinations(range(size), kept):
        mask = np.zeros(size, dtype=bool)
        mask[list(chosen)] = True
        yield mask.reshape(shape)


def dispersions(mask):
    found = rates.measure({"layer": axes.count(mask)})
    return {axis: one.value for (_, _, axis), one in found.items()}


@pytest.mark.parametrize(("shape", "kept"), [((3, 4), 5), ((2, 2, 3), 4), ((2, 2, 1, 3), 2), ((3, 3), 8)])
def test_the_mean_over_all_masks_is_one(shape, kept):
    found = [dispersions(mask) for mask in every_mask(shape, kept)]
    assert set(found[0]) == ({"output", "input", "kernel"} if len(shape) > 2 else {"output", "input"})
    for axis in found[0]:
        assert np.mean([one[axis] for one in found]) == pytest.approx(1, rel=1e-12)
    assert np.std([one["output"] for one in found]) > 0


def test_variance_is_that_of_the_keep_rates():
    mask = np.random.RandomState(0).random_sample((6, 5, 3, 3)) < 0.3
    observed = mask.reshape(6, -1).mean(axis=1).var()
    random = [
        np.random.RandomState(seed).permutation(mask.reshape(-1)).reshape(6, -1).mean(axis=1).var()
        for seed in range(4000)
    ]
    assert dispersions(mask)["output"] == pytest.approx(observed / np.mean(random), rel=0.05)


def test_a_mask_of_whole_filters_is_as_dispersed_as_can_be():
    mask = np.zeros((4, 25), dtype=bool)
    mask[:2] = True
    found = dispersions(mask)
    assert found["output"] == pytest.approx(99 / 3)  # G·(k/G)²÷(G·Var): 25²/4 ÷ (25·¼·75/99)
    assert found["input"] == 0  # every input keeps two of four


@pytest.mark.parametrize("kept", [0, 12])
def test_nothing_can_vary_where_all_is_kept_or_none(kept):
    mask = (np.arange(12) < kept).reshape(3, 4)
    for one in rates.measure({"layer": axes.count(mask)}).values():
        assert np.isnan(one.value) and np.isnan(one.chance)
        assert one.why == "the mask keeps every weight of the layer, or none"


def test_an_axis_of_one_position_has_no_variance():
    found = rates.measure({"layer": axes.count(np.array([[True, False, True]]))})
    assert found["layer", rates.METRIC, "output"].why == "the axis has one position"
    assert np.isfinite(found["layer", rates.METRIC, "input"].value)


def test_axes_of_few_positions_have_no_interval():
    found = rates.measure({"layer": axes.count(np.random.RandomState(0).random_sample((4, 5)) < 0.5)})
    assert found["layer", rates.METRIC, "output"].no_interval.endswith("5 positions; there are 4")
    assert found["layer", rates.METRIC, "input"].no_interval == ""


def test_vectors_are_means_over_the_other_axes():
    mask = np.random.RandomState(3).random_sample((4, 3, 2, 5)) < 0.4
    found = rates.vectors({"conv": axes.count(mask), "fc": axes.count(mask[:, :, 0, 0])})
    assert set(found) == {
        ("conv", "output"),
        ("conv", "input"),
        ("conv", "kernel"),
        ("fc", "output"),
        ("fc", "input"),
    }
    np.testing.assert_allclose(found["conv", "output"], mask.mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(found["conv", "input"], mask.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(found["conv", "kernel"], mask.mean(axis=(0, 1)).reshape(-1))
    np.testing.assert_allclose(found["fc", "input"], mask[:, :, 0, 0].mean(axis=0))
