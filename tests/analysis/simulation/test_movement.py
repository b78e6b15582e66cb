"""Coverage of how masks move while they are trained, on studies of many populations with known movement.

Nominal 95 %, at most 2 points and 2 standard errors of the replicates under it; a population is a replicate.
"""

import math

import numpy as np
import pytest

from masklab.analysis import movement
from tests.analysis import builder

REPLICATES, MEMBERS, END = 150, 8, 10
SHAPE, LAYER = (10, 30), "fc"
LEAST = 0.93 - 2 * math.sqrt(0.95 * 0.05 / REPLICATES)

LEFT = {0: 40, 4: 12, 8: 4}
"""Epochs → expected number of bits that are not yet what they are in the end, of 300."""


def with_bits_left(final, count):
    """A mask that keeps as many weights, of which `count` bits, an even number, are not those of `final`."""
    changed = final.reshape(-1).copy()
    for value in (True, False):
        changed[np.flatnonzero(final.reshape(-1) == value)[: count // 2]] = not value
    return {LAYER: changed.reshape(SHAPE)}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Rows of every population, and the bits left of every member `[replicates, members, epochs]`.

    Members differ in how far they are from the end, a gamma variate of coefficient of variation ¼.
    """
    random = np.random.default_rng(0)
    final = builder.random_mask(0, 0.5, {LAYER: SHAPE})
    far = random.gamma(16, 1 / 16, (REPLICATES, MEMBERS, 1))
    left = 2 * random.poisson(far * np.array(list(LEFT.values())) / 2)
    names = [f"p{at}" for at in range(REPLICATES)]
    snapshots = {
        f"{name}/{index:04d}": {
            epoch: with_bits_left(final[LAYER], int(count)) for epoch, count in zip(LEFT, one, strict=True)
        }
        for name, members in zip(names, left, strict=True)
        for index, one in enumerate(members)
    }
    masks = {name: [final] * MEMBERS for name in names}
    folder = tmp_path_factory.mktemp("moving")
    return movement.measure(builder.build(folder, masks, snapshots=snapshots, epochs=END)), left


def held(rows, truth):
    ends = [(row["estimate"]["low"], row["estimate"]["high"]) for row in rows]
    given = np.array([one for one in ends if one[0] is not None])
    assert len(given) >= 0.7 * len(ends)
    return np.mean((given[:, 0] <= truth) & (truth <= given[:, 1]))


@pytest.mark.parametrize("epoch", LEFT)
def test_the_way_left_is_covered(measured, epoch):
    rows = [row for row in measured[0]["movement"] if row["metric"] == "to_final" and row["epoch"] == epoch]
    rows = [row for row in rows if row["layer"] == LAYER]
    assert len(rows) == REPLICATES
    assert held(rows, LEFT[epoch] / np.prod(SHAPE)) >= LEAST


@pytest.mark.parametrize(("epoch", "to"), [(0, 4), (4, 8), (8, END)])
def test_flips_are_covered(measured, epoch, to):
    """The truth is the mean over all replicates, whose error is a fourteenth of that of one."""
    found, left = measured
    left = np.concatenate([left, np.zeros_like(left[..., :1])], axis=2)
    at = list(LEFT).index(epoch)
    truth = np.abs(left[..., at] - left[..., at + 1]).mean() / np.prod(SHAPE) / (to - epoch)
    rows = [row for row in found["movement"] if (row["epoch"], row["to"]) == (epoch, to)]
    rows = [row for row in rows if row["metric"] == "flipped_per_epoch" and row["layer"] == LAYER]
    assert len(rows) == REPLICATES
    assert held(rows, truth) >= LEAST


def test_settling_is_covered_where_it_has_an_interval(measured):
    found, left = measured
    outside = left > movement.TOLERANCE * np.prod(SHAPE)
    after = len(LEFT) - np.argmax(outside[..., ::-1], axis=2)
    times = np.array([*LEFT, END])[np.where(outside.any(axis=2), after, 0)]
    rows = [row for row in found["settling"] if row["layer"] == LAYER]
    assert len(rows) == REPLICATES
    assert held(rows, times.mean()) >= LEAST
