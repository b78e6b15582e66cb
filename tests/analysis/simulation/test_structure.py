"""Coverage of the intervals of structure: nominal 95 %, at most 2 points under it but for binomial error."""

import math

import numpy as np
import pytest

from masklab.analysis import design, distances
from masklab.analysis.structure import axes, dead, layers, paths, rates, table
from tests.analysis.simulation import masks

LEVEL, REPLICATES, MEMBERS = 0.95, 800, 12
LEAST = LEVEL - 0.02 - 2 * math.sqrt(LEVEL * (1 - LEVEL) / REPLICATES)
"""Two points under nominal, and two binomial errors of the replicates."""

SHAPE, KEPT = (10, 12), 24
IDS = [f"a/{at:04d}" for at in range(MEMBERS)]
OWN_DRAWS = design.make(IDS, {own: at for at, own in enumerate(IDS)})
ONE_DRAW = design.make(IDS, dict.fromkeys(IDS, 0))


def random_masks(random, count, shape=SHAPE, kept=KEPT):
    """Independent masks that keep exactly `kept` weights."""
    size = int(np.prod(shape))
    order = random.random((count, size)).argpartition(kept - 1, axis=1)[:, :kept]
    found = np.zeros((count, size), dtype=bool)
    np.put_along_axis(found, order, True, axis=1)
    return found.reshape(count, *shape)


def coverage(shown, truth):
    """Share of the intervals that hold the truth, and of the replicates that have one.

    A replicate is a population of `MEMBERS` members; `shown` has them all, one after the other.
    """
    held = given = 0
    for first in range(0, len(shown), MEMBERS):
        found = table.Table(OWN_DRAWS, rare=(dead.COUNT, paths.COUNT))
        for place, one in enumerate(shown[first : first + MEMBERS]):
            found.add(place, one)
        [row] = found.rows("a", "l")
        low, high = row["estimate"]["low"], row["estimate"]["high"]
        if low is not None:
            given += 1
            held += low <= truth <= high
    return held / given, given / REPLICATES


@pytest.fixture(scope="module")
def members():
    """What independent random masks show, one dict per member."""
    found = []
    for mask in random_masks(np.random.default_rng(1), REPLICATES * MEMBERS):
        counts = {"l": axes.count(mask)}
        found.append({**rates.measure(counts), **dead.measure(counts)})
    return found


@pytest.mark.parametrize(
    ("key", "truth"),
    [
        (("l", rates.METRIC, "output"), 1.0),
        (("l", rates.METRIC, "input"), 1.0),
        (("l", dead.COUNT, "output"), 10 * dead.probability(120, 12, KEPT)),
        (("l", dead.COUNT, "input"), 12 * dead.probability(120, 10, KEPT)),
    ],
)
def test_means_over_members_cover_what_is_expected_of_random_masks(members, key, truth):
    held, given = coverage([{key: one[key]} for one in members], truth)
    assert held >= LEAST and given > 0.9


DISCONNECTED = {0: 8, 1: 158, 2: 1033, 3: 4808, 4: 12905, 5: 41088}
"""Disconnected weights of a first layer in 60,000 random masks of a chain that keep 5 of 8 × 12, 3 of 8 × 8
and 2 of 4 × 8 weights: so few that most masks show the same."""


def test_means_of_rare_events_cover_where_they_have_an_interval():
    values, frequencies = np.array(list(DISCONNECTED)), np.array(list(DISCONNECTED.values()))
    drawn = np.random.default_rng(3).choice(values, REPLICATES * MEMBERS, p=frequencies / frequencies.sum())
    shown = [{("l", paths.COUNT, None): table.One(float(value), 0.0)} for value in drawn]
    held, given = coverage(shown, np.average(values, weights=frequencies))
    assert held >= LEAST and given > 0.7


@pytest.mark.parametrize("mean", [1.0, 5.0])
def test_means_of_skewed_counts_cover(mean):
    """Geometric counts of dead filters: most members have few, and some have many."""
    drawn = np.random.default_rng(4).geometric(1 / (1 + mean), REPLICATES * MEMBERS) - 1
    shown = [{("l", dead.COUNT, "output"): table.One(float(value), 0.0)} for value in drawn]
    held, given = coverage(shown, mean)
    assert held >= LEAST and given > 0.9


def shares(random, replicates, strength):
    """Shares of the distance of populations whose first layer follows a common preference."""
    sizes = np.array([60, 140], dtype=np.int64)
    preference = np.random.default_rng(0).standard_normal(60)
    for _ in range(replicates):
        first = masks.masks(random, MEMBERS, 60, 0.5, common=preference, strength=strength)
        second = masks.masks(random, MEMBERS, 140, 0.2)
        counts = np.stack([masks.intersections(first), masks.intersections(second)])
        yield layers.shares(ONE_DRAW, distances.Distances(IDS, ["l0", "l1"], sizes, counts))["a"][0]


@pytest.mark.parametrize("strength", [0.0, 0.5, 0.8])
def test_shares_of_the_distance_cover_the_share_of_infinitely_many_masks(strength):
    pool = masks.masks(
        np.random.default_rng(5),
        4000,
        60,
        0.5,
        common=np.random.default_rng(0).standard_normal(60),
        strength=strength,
    )
    rate = pool.mean(axis=0)
    first = 2 * (rate * (1 - rate)).sum()  # expected Hamming count of two independent masks
    truth = first / (first + 2 * 140 * 0.2 * 0.8)
    rows = list(shares(np.random.default_rng(2), REPLICATES, strength))
    held = np.mean([row["estimate"]["low"] <= truth <= row["estimate"]["high"] for row in rows])
    assert held >= LEAST
    assert np.mean([row["estimate"]["value"] for row in rows]) == pytest.approx(truth, rel=0.01)
    if strength == 0:
        assert truth == pytest.approx(rows[0]["chance"], rel=1e-3)
    else:
        assert truth < rows[0]["chance"] - 0.02
