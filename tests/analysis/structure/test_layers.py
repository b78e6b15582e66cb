import itertools
import math

import numpy as np
import pytest
from scipy import stats

from masklab.analysis import design, distances
from masklab.analysis.structure import axes, layers

SIZES = (40, 8, 100)


def measured(masks, names=("a",), blocks=None):
    """Distances and design of masks `[members][layers]`, populations of equal size in turn."""
    each = len(masks) // len(names)
    ids = [f"{name}/{at:04d}" for name in names for at in range(each)]
    counts = np.stack(
        [
            np.array([[int((one & two).sum()) for two in layer] for one in layer], dtype=np.int64)
            for layer in zip(*masks, strict=True)
        ]
    )
    sizes = np.array([mask.size for mask in masks[0]], dtype=np.int64)
    blocks = blocks or [0] * len(ids)
    found = distances.Distances(ids, [f"l{at}" for at in range(len(sizes))], sizes, counts)
    return design.make(ids, dict(zip(ids, blocks, strict=True))), found


def random_masks(seed, members, densities=(0.5, 0.25, 0.1)):
    random = np.random.RandomState(seed)
    return [
        [random.random_sample(size) < density for size, density in zip(SIZES, densities, strict=True)]
        for _ in range(members)
    ]


def brute_force(masks, pairs, layer):
    """Share of the distance and its interval, mask by mask."""

    def share(chosen):
        hamming = [
            sum(int((masks[i][at] ^ masks[j][at]).sum()) for i, j in chosen) for at in range(len(SIZES))
        ]
        return hamming[layer] / sum(hamming)

    units = sorted({unit for pair in pairs for unit in pair})
    without = [share([pair for pair in pairs if unit not in pair]) for unit in units]
    n = len(units)
    half = stats.t(n - 1).ppf(0.975) * math.sqrt(
        (n - 1) / n * sum((x - np.mean(without)) ** 2 for x in without)
    )
    value = share(pairs)
    return value, value - half, value + half


@pytest.mark.parametrize(("seed", "blocks"), [(0, [0] * 6), (1, [0, 1, 0, 1, 0, 1]), (2, [0, 1, 2, 0, 1, 3])])
def test_shares_agree_with_leaving_out_masks_one_by_one(seed, blocks):
    masks = random_masks(seed, 6)
    found = layers.shares(*measured(masks, blocks=blocks))["a"]
    for block, sharing in (("within", True), ("across", False)):
        pairs = [
            pair
            for pair in itertools.combinations(range(6), 2)
            if (blocks[pair[0]] == blocks[pair[1]]) == sharing
        ]
        rows = [row for row in found if row["block"] == block]
        assert len(rows) == (len(SIZES) if pairs else 0)
        for at, row in enumerate(rows):
            estimate = row["estimate"]
            assert (row["layer"], row["metric"], row["axis"]) == (f"l{at}", "distance_share", None)
            assert estimate["n"] == len({unit for pair in pairs for unit in pair})
            assert row["weight_share"] == SIZES[at] / sum(SIZES)
            value, low, high = brute_force(masks, pairs, at)
            assert (estimate["value"], estimate["low"], estimate["high"]) == pytest.approx((value, low, high))


def test_chance_is_the_share_between_independent_masks():
    masks = random_masks(5, 4)
    random = np.random.RandomState(1)
    totals = np.zeros(len(SIZES))
    for _ in range(3000):
        shuffled = [[random.permutation(layer) for layer in mask] for mask in masks]
        for one, two in itertools.combinations(shuffled, 2):
            totals += [int((a ^ b).sum()) for a, b in zip(one, two, strict=True)]
    rows = layers.shares(*measured(masks))["a"]
    assert [row["chance"] for row in rows] == pytest.approx((totals / totals.sum()).tolist(), rel=5e-3)
    assert sum(row["chance"] for row in rows) == pytest.approx(1)
    assert sum(row["estimate"]["value"] for row in rows) == pytest.approx(1)


def test_populations_do_not_mix():
    masks = random_masks(7, 8)
    own = layers.shares(*measured(masks[4:]))["a"]
    both = layers.shares(*measured(masks, names=("x", "a")))
    assert [{**row, "population": "x"} for row in layers.shares(*measured(masks[:4]))["a"]] == both["x"]
    assert own == both["a"]


def test_equal_masks_have_no_distance_to_share():
    masks = [random_masks(0, 1)[0]] * 4
    for row in layers.shares(*measured(masks))["a"]:
        assert (row["estimate"]["value"], row["estimate"]["why"]) == (None, "the masks are equal")
        assert 0 < row["chance"] < 1 and "why" not in row


def test_masks_that_keep_everything_have_no_chance_level_either():
    masks = [[np.ones(size, dtype=bool) for size in SIZES]] * 3
    for row in layers.shares(*measured(masks))["a"]:
        assert row["estimate"]["value"] is None and row["chance"] is None
        assert row["why"] == "every mask keeps all weights, or none"


@pytest.mark.parametrize(
    ("members", "why"), [(1, None), (2, "an interval needs at least 3 masks; there are 2"), (3, None)]
)
def test_few_masks(members, why):
    rows = layers.shares(*measured(random_masks(3, members)))["a"]
    assert len(rows) == (len(SIZES) if members > 1 else 0)
    for row in rows:
        assert row["estimate"].get("why") == why
        assert (row["estimate"]["low"] is None) == (why is not None)


def test_no_interval_where_one_mask_is_in_every_differing_pair():
    one, two = random_masks(3, 2)
    rows = layers.shares(*measured([one, one, one, two]))["a"]
    whys = {row["estimate"]["why"] for row in rows}
    assert whys == {"leaving out one mask leaves no pair, or none that differs"}
    assert all(row["estimate"]["value"] is not None for row in rows)


def test_density_beside_that_of_the_whole_mask():
    first, second = np.zeros((2, 3), dtype=bool), np.ones((2, 2), dtype=bool)
    first[0] = True
    found = layers.measure({"first": axes.count(first), "second": axes.count(second)})
    assert {key[0]: tuple(one)[:2] for key, one in found.items()} == {
        "whole": (0.7, 0.7),
        "first": (0.5, 0.7),
        "second": (1.0, 0.7),
    }
