"""Levels and coverage of accuracies that are skewed, or spread unequally: of their means and differences.

Coverage may be 2 points, and 2 standard errors of its replicates, under 95 %, and more above it; a test may
reject in 5 % of the replicates and 2 such errors, or less.
"""

import functools
import math

import numpy as np
import pytest

from masklab.analysis import accuracy
from masklab.analysis import design as designs
from masklab.analysis.between import paired, permutations

REPLICATES = 400
LEAST = 0.93 - 2 * math.sqrt(0.95 * 0.05 / REPLICATES)
MOST = 0.05 + 2 * math.sqrt(0.95 * 0.05 / REPLICATES)

DRAWN = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "uniform": lambda random, shape: random.uniform(-1.7, 1.7, shape),
    "skewed": lambda random, shape: 2 - random.gamma(4, 0.5, shape),
    "exponential": lambda random, shape: 1 - random.exponential(1, shape),
}
"""Accuracies of mean 0 and variance 1; a few members fall behind in the last two."""


@pytest.fixture(autouse=True)
def few_relabelings(monkeypatch):
    monkeypatch.setattr(permutations, "PERMUTATIONS", 199)


def compared(design, draw):
    """p, and ends of the interval, of each replicate."""
    found = []
    for at in range(REPLICATES):
        [row] = paired.rows(design, dict(zip(design.ids, draw().tolist(), strict=True)), at)
        found.append((row["p"], row["estimate"]["low"], row["estimate"]["high"]))
    return np.array(found).T


def of(first, second, *, free=False):
    ids = [f"{name}/{at:04d}" for name, size in (("a", first), ("b", second)) for at in range(size)]
    return designs.make(ids, dict.fromkeys(ids, 0), unpaired=["b"] if free else [])


@functools.cache
def differences(kind, members):
    random = np.random.default_rng([members, len(kind)])

    def draw():
        return 0.8 + 0.01 * np.concatenate([DRAWN[kind](random, members), np.zeros(members)])

    return compared(of(members, members), draw)


@pytest.mark.parametrize("members", [5, 8, 12])
@pytest.mark.parametrize("kind", DRAWN)
def test_paired_differences_are_covered_whether_they_are_symmetric_or_not(kind, members):
    p, low, high = differences(kind, members)
    assert np.mean((low <= 0) & (high >= 0)) >= LEAST
    assert np.mean(p <= 0.05) <= MOST
    if members > 5:  # of five pairs no p is below 1/16
        assert np.mean(p <= 0.05) >= 0.01


def test_t_alone_would_not_cover_exponential_differences():
    random = np.random.default_rng(0)
    values = DRAWN["exponential"](random, (10 * REPLICATES, 8))
    half = 2.365 * values.std(axis=1, ddof=1) / math.sqrt(8)
    assert np.mean(np.abs(values.mean(axis=1)) <= half) < LEAST


@pytest.mark.parametrize(("first", "second", "wider"), [(5, 15, 3), (15, 5, 3), (8, 8, 3), (5, 20, 1)])
@pytest.mark.parametrize("kind", ["normal", "skewed"])
def test_independent_accuracies_that_spread_unequally(first, second, wider, kind):
    random = np.random.default_rng([first, second, wider])

    def draw():
        own = wider * DRAWN[kind](random, first)
        return 0.8 + 0.01 * np.concatenate([own, DRAWN[kind](random, second)])

    p, low, high = compared(of(first, second, free=True), draw)
    assert np.mean((low <= 0) & (high >= 0)) >= LEAST
    assert np.mean(p <= 0.05) <= MOST + 0.02  # where few members are skewed it is liberal


@pytest.mark.parametrize("members", [5, 8, 12])
@pytest.mark.parametrize("kind", ["normal", "skewed", "images"])
def test_mean_accuracies_are_covered(kind, members):
    """`images`: all members are equally good, and what differs is how many of 360 images they get right."""
    random = np.random.default_rng([members, 1])
    held = 0
    for _ in range(REPLICATES):
        if kind == "images":
            values = random.binomial(360, 0.97, members) / 360
        else:
            values = 0.97 + 0.01 * DRAWN[kind](random, members)
        rows = [{"population": "a", "block": 0} | dict.fromkeys(accuracy.METRICS, one) for one in values]
        estimate = accuracy.rows([{"name": "a"}], rows, 360)[0]["estimate"]
        held += estimate["low"] <= 0.97 <= estimate["high"]
    assert held / REPLICATES >= LEAST
