"""Barriers against loops, and what resampling images says of them against simulation."""

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from masklab.landscape import barriers

GRID = np.linspace(0, 1, 11)
CURVES = hnp.arrays(float, 11, elements=st.floats(0, 10))


@given(CURVES)
def test_heights_are_those_of_the_definitions(curve: np.ndarray) -> None:
    first, last = curve[0], curve[-1]
    excess = [curve[i] - ((1 - t) * first + t * last) for i, t in enumerate(GRID)]
    entezari, frankle = float(barriers.entezari(curve, GRID)), float(barriers.frankle(curve))
    assert entezari == pytest.approx(max(excess), abs=1e-12)
    assert frankle == pytest.approx(max(curve.tolist()) - (first + last) / 2, abs=1e-12)
    assert entezari >= 0
    assert frankle >= abs(first - last) / 2 - 1e-12
    both = np.stack([curve, curve[::-1]])
    assert barriers.entezari(both, GRID) == pytest.approx([entezari, entezari], abs=1e-12)
    assert barriers.frankle(both) == pytest.approx([frankle, frankle], abs=1e-12)


def test_planted_curves() -> None:
    assert barriers.entezari(0.2 + 0.3 * GRID, GRID) == pytest.approx(0)
    assert barriers.frankle(0.2 + 0.3 * GRID) == pytest.approx(0.15)
    assert barriers.entezari((GRID - 0.5) ** 2, GRID) == 0
    tent = 0.1 + 0.1 * GRID + np.minimum(GRID, 1 - GRID)
    assert barriers.entezari(tent, GRID) == pytest.approx(0.5)
    assert barriers.frankle(tent) == pytest.approx(0.5)
    late = 0.1 * GRID + 0.4 * (np.arange(11) == 9)
    assert barriers.entezari(late, GRID) == pytest.approx(0.4)
    assert barriers.frankle(late) == pytest.approx(0.09 + 0.4 - 0.05)
    assert math.isnan(float(barriers.entezari(np.array([1.0, math.inf, math.inf]), GRID[:3])))


def test_resamples_are_drawn_with_replacement() -> None:
    shares = barriers.resampling(50, np.random.RandomState(3), 400)
    again = barriers.resampling(50, np.random.RandomState(3), 400)
    counts = shares * 50
    assert shares.shape == (400, 50)
    assert (shares == again).all()
    assert np.abs(counts - counts.round()).max() < 1e-4
    assert counts.round().sum(axis=1).tolist() == [50] * 400
    assert abs((counts.round() == 0).mean() - (1 - 1 / 50) ** 50) < 0.01  # left out: nearly 1 ÷ e


@pytest.mark.parametrize("kind", ["wrong", "loss"])
def test_barriers_of_resamples_are_those_of_repeated_images(kind: str) -> None:
    random = np.random.RandomState(0)
    values = random.rand(11, 30) < 0.4 if kind == "wrong" else random.rand(11, 30).astype(np.float32)
    shares = barriers.resampling(30, random, 20)
    found = barriers.resampled(values, GRID, shares)
    measured = values.mean(axis=1, dtype=float)
    for share, barrier, noise in zip(shares, *found, strict=True):
        repeated = np.repeat(values, (share * 30).round().astype(int), axis=1)
        curve = repeated.mean(axis=1, dtype=float)
        assert barrier == pytest.approx(barriers.entezari(curve, GRID), abs=1e-6)
        assert noise == pytest.approx(barriers.entezari(curve - measured, GRID), abs=1e-6)


def test_over_images_by_hand() -> None:
    heights = np.arange(201) / 1000  # quantiles 0.005 and 0.195, mean 0.1
    found = barriers.over_images(0.09, np.stack([heights, heights / 10]))
    assert found["bias"] == pytest.approx(0.01)
    assert found["corrected"] == pytest.approx(0.08)
    assert (found["low"], found["high"]) == (0.0, pytest.approx(0.175))
    assert found["chance"] == pytest.approx(0.01)
    assert found["resamples"] == 201
    above = barriers.over_images(0.15, np.stack([heights, heights]))
    assert (above["low"], above["high"]) == (pytest.approx(0), pytest.approx(0.295))  # 0.15 < 0.195: noise
    sure = barriers.over_images(0.5, np.stack([0.4 + heights, heights]))
    assert (sure["low"], sure["high"]) == (pytest.approx(0.405), pytest.approx(0.595))
    lost = barriers.over_images(math.nan, np.stack([heights, heights]))
    assert lost["low"] is lost["bias"] is lost["corrected"] is lost["chance"] is None
    assert "not finite" in lost["why"]
    infinite = np.full((11, 5), np.inf, dtype=np.float32)
    shares = barriers.resampling(5, np.random.RandomState(0), 3)
    assert np.isnan(barriers.resampled(infinite, GRID, shares)).all()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Products this small are not made faster by threads."""
    with threadpoolctl.threadpool_limits(1):
        yield


@cache
def simulated(height: float) -> dict[str, np.ndarray]:
    """What is found for four walks with a tent of this height on error 0.1; some images are harder."""
    walks, replicates, images = 4, 120, 300
    random = np.random.RandomState(1)
    curve = 0.1 + height * (1 - np.abs(2 * GRID - 1))
    found = []
    for _ in range(replicates):
        shared, shares = random.rand(1, images), barriers.resampling(images, random)
        values, resamples = [], []
        for _ in range(walks):
            own = np.where(random.rand(1, images) < 0.7, shared, random.rand(11, images))
            wrong = own < curve[:, None]
            values.append(float(barriers.entezari(wrong.mean(axis=1), GRID)))
            resamples.append(barriers.resampled(wrong, GRID, shares))
        value = float(np.mean(values))
        found.append({"value": value, **barriers.over_images(value, np.mean(resamples, axis=0))})
    keys = ("value", "corrected", "chance", "low", "high")
    return {key: np.array([row[key] for row in found]) for key in keys}


def test_maximum_over_noisy_points_is_biased_upwards_and_the_correction_takes_part_of_it() -> None:
    """Of a straight path 0.016 is seen, 0.009 left; a tent of 0.02 has little bias left."""
    straight = simulated(0.0)
    bias = straight["value"].mean()
    assert 0.012 < bias < 0.020
    assert 0.4 * bias < straight["corrected"].mean() < 0.7 * bias
    assert straight["chance"].mean() == pytest.approx(bias, rel=0.1)
    tent = simulated(0.02)
    assert 0.006 < tent["value"].mean() - 0.02 < 0.014
    assert abs(tent["corrected"].mean() - 0.02) < 0.5 * (tent["value"].mean() - 0.02)


@pytest.mark.parametrize(("height", "least"), [(0.0, 0.91), (0.02, 0.85), (0.1, 0.81)])
def test_interval_over_images_holds_the_true_barrier(height: float, least: float) -> None:
    """Nominal 0.95; of 2,000 cases 0.97 on straight paths, 0.93 and 0.91 on the tents.

    Each limit is 3.5 standard errors of 120 cases below that.
    """
    found = simulated(height)
    assert np.mean((found["low"] <= height) & (height <= found["high"])) >= least
