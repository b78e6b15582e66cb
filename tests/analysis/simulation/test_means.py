"""Coverage of means over members whose values are skewed, coarse, or neither.

Nominal 95 %, at most 2 points and 2 standard errors of the replicates under it, and more is accepted.
"""

import functools
import math

import numpy as np
import pytest

from masklab.analysis import estimates

REPLICATES = 600
LEAST = 0.93 - 2 * math.sqrt(0.95 * 0.05 / REPLICATES)

DRAWN = {
    "normal": (0.0, lambda random, shape: random.standard_normal(shape)),
    "uniform": (0.0, lambda random, shape: random.uniform(-1, 1, shape)),
    "exponential": (1.0, lambda random, shape: random.exponential(1, shape)),
    "near 1": (20 / 21, lambda random, shape: random.beta(20, 1, shape)),
    "few bits": (4.0, lambda random, shape: 2.0 * random.poisson(2 * random.gamma(4, 0.25, shape))),
    "chances": (3.0, lambda random, shape: random.negative_binomial(2, 0.4, shape).astype(float)),
}
"""True mean, and values of members."""


@functools.cache
def drawn(kind, members):
    mean, draw = DRAWN[kind]
    return mean, draw(np.random.default_rng([members, len(kind)]), (REPLICATES, members))


@pytest.mark.parametrize("members", [4, 5, 8, 12])
@pytest.mark.parametrize("kind", DRAWN)
def test_means_are_covered(kind, members):
    mean, values = drawn(kind, members)
    found = [estimates.mean_over_members(one, 1) for one in values.tolist()]
    held = [one["low"] <= mean <= one["high"] for one in found if one["low"] is not None]
    assert len(held) >= 0.95 * REPLICATES
    assert np.mean(held) >= LEAST


@pytest.mark.parametrize("kind", ["exponential", "near 1"])
def test_t_alone_would_not_cover_them(kind):
    mean, values = drawn(kind, 8)
    half = 2.365 * values.std(axis=1, ddof=1) / math.sqrt(8)
    assert np.mean(np.abs(values.mean(axis=1) - mean) <= half) < LEAST


@pytest.mark.parametrize("members", [8, 12])
def test_symmetric_values_pay_little(members):
    _, values = drawn("normal", members)
    found = [estimates.mean_over_members(one, 1) for one in values.tolist()]
    width = np.array([one["high"] - one["low"] for one in found])
    plain = 2 * estimates.t_quantile(members - 1) * values.std(axis=1, ddof=1) / math.sqrt(members)
    assert np.all(width >= plain * (1 - 1e-12))
    assert np.median(width / plain) <= 1.15
