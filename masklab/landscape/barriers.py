"""Height of a path above its ends, and how sure it is: over masks, and over images.

Two heights of a curve of error or loss, both at least 0 because the ends are points of it:

* Entezari's: the largest excess over the straight line between the ends. It holds also where the ends differ.
* Frankle's: the largest value less the mean of the two ends. It is at least half the difference between the
  ends without any bump.

Source: Entezari et al., The Role of Permutation Invariance in Linear Mode Connectivity of Neural Networks
(ICLR 2022); Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis (ICML 2020), also for
the 2 % of error below which networks count as connected.

The maximum over points that are measured on a finite sample of images exceeds the maximum of their
expectations: each point is off by something, and the largest is off upwards. Images are therefore
resampled with replacement (all networks of a split with the same resamples, as they see the same images); how
far barriers of resamples lie above the barrier itself estimates the bias. What this does not do: where the
true path is straight, or several points are nearly as high, the measured curve already has bumps of noise,
the resamples count them as real, and only part of the bias (under half on a straight path) is taken off.
So the barrier of the resamples' deviations from the measured curve stands beside it as chance level: what a
straight path would show on so many images by noise alone. A mean that does not exceed it has an interval from
0. In simulation (2,000 studies of four paths each, 300 images, error 0.1) the nominal 95 % interval held the
true barrier in 97 % where that was 0, in 93 % where it was 0.02, and in 91 % where it was 0.1. The bootstrap
says nothing about positions between the points of the grid, nor about other masks.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 10 (bias); Davison and
Hinkley, Bootstrap Methods and their Application (1997), section 5.2 (basic interval); Andrews, Inconsistency
of the bootstrap when a parameter is on the boundary of the parameter space (Econometrica 68, 2000).
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Num

from masklab.analysis import estimates

Row = dict[str, Any]

CONNECTED = 0.02
"""Entezari's error barrier, as measured, below which two masks are called connected.

What is measured is biased upwards, so that fewer pairs count as connected than are.
"""

RESAMPLES = 200
"""Resamples of the images."""

_HEIGHT = {"error": estimates.SHARE, "loss": (0.0, math.inf)}
"""Values that a barrier can have."""

OVER_IMAGES = "basic bootstrap interval over images, for these masks"

NOT_FINITE = "the loss is not finite somewhere on a path"


def entezari(
    values: Float[np.ndarray, "*paths points"], grid: Float64[np.ndarray, " points"]
) -> Float[np.ndarray, "*paths"]:
    """Entezari's barrier: largest excess of a curve (loss or error) over the line between its ends, ≥ 0.

    Args:
        values: Loss or error at each point of each path, ends first and last.
        grid: Position of each point, 0 … 1.

    Examples:
        >>> float(entezari(np.array([0.1, 0.5, 0.3]), np.array([0.0, 0.5, 1.0])).round(3))
        0.3
    """
    at = grid.astype(values.dtype)
    with np.errstate(invalid="ignore"):  # an infinite loss has no excess: NaN
        straight = (1 - at) * values[..., :1] + at * values[..., -1:]
        return np.asarray((values - straight).max(axis=-1))


def frankle(values: Float[np.ndarray, "*paths points"]) -> Float[np.ndarray, "*paths"]:
    """Frankle's barrier: largest value of a curve less the mean of its ends, ≥ half the ends' difference.

    Args:
        values: Loss or error at each point of each path, ends first and last.

    Examples:
        >>> float(frankle(np.array([0.1, 0.5, 0.3])).round(3))
        0.3
        >>> float(frankle(np.array([0.1, 0.2, 0.3])).round(3))
        0.1
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(values.max(axis=-1) - (values[..., 0] + values[..., -1]) / 2)


def of(
    error: Float[np.ndarray, "*paths points"],
    loss: Float[np.ndarray, "*paths points"],
    grid: Float64[np.ndarray, " points"],
) -> dict[str, Float[np.ndarray, "*paths"]]:
    """All barriers by name: `entezari_error`, `entezari_loss`, `frankle_error`, `frankle_loss`.

    Args:
        error: Error at each point of each path, ends first and last.
        loss: Loss there.
        grid: Position of each point.
    """
    return {
        "entezari_error": entezari(error, grid),
        "entezari_loss": entezari(loss, grid),
        "frankle_error": frankle(error),
        "frankle_loss": frankle(loss),
    }


def resampling(
    images: int, random: np.random.RandomState, resamples: int = RESAMPLES
) -> Float32[np.ndarray, "resamples images"]:
    """Share that each image has of each resample (drawn with replacement, as many as there are)."""
    drawn = random.randint(0, images, (resamples, images)) + np.arange(resamples)[:, None] * images
    times = np.bincount(drawn.ravel(), minlength=resamples * images)
    return (times.reshape(resamples, images) / images).astype(np.float32)


def resampled(
    values: Num[np.ndarray, "points images"] | Bool[np.ndarray, "points images"],
    grid: Float64[np.ndarray, " points"],
    shares: Float32[np.ndarray, "resamples images"],
) -> Float64[np.ndarray, "2 resamples"]:
    """Entezari's barrier of one path on every resample; and that of the resample less what was measured.

    Args:
        values: Loss, or whether wrong, of each image at each point.
        grid: Position of each point.
        shares: See `resampling`.
    """
    each = values.astype(np.float32)
    if not np.isfinite(each).all():
        return np.full((2, len(shares)), np.nan)
    curves = shares @ each.T
    both = np.stack([curves, curves - each.mean(axis=1)])
    return entezari(both, grid).astype(np.float64)


def limits(name: str) -> tuple[float, float]:
    """Values that a barrier of a name, such as `entezari_error`, can have.

    Examples:
        >>> limits("frankle_error")
        (0.0, 1.0)
    """
    return _HEIGHT[name.rpartition("_")[2]]


def over_images(value: float, resamples: Float64[np.ndarray, "2 resamples"]) -> Row:
    """What the finite sample of images does to a mean barrier.

    `{low, high, bias, corrected, chance, …}`: `bias` is the mean over resamples less the value, `corrected`
    the value less the bias (not cut at 0: means of it stay comparable), `chance` the mean that noise alone
    shows on straight paths. `low` and `high` are the basic interval, twice the value less the quantiles over
    resamples, which so takes the bias off once; cut at 0, below which no barrier is. Where the value is
    within what noise alone shows, the interval reaches from 0 at least as far as that noise.

    Args:
        value: The mean barrier on the images themselves.
        resamples: Means of what `resampled` gives.
    """
    row: Row = {"level": estimates.LEVEL, "method": OVER_IMAGES, "resamples": resamples.shape[1]}
    if not (math.isfinite(value) and np.isfinite(resamples).all()):
        nothing = dict.fromkeys(("low", "high", "bias", "corrected", "chance"))
        return nothing | row | {"why": NOT_FINITE}
    tail = (1 - estimates.LEVEL) / 2
    least, most = np.quantile(resamples[0], (tail, 1 - tail)).tolist()
    loudest = float(np.quantile(resamples[1], 1 - tail))
    noise = value <= loudest
    bias = float(resamples[0].mean()) - value
    return {
        "low": 0.0 if noise else max(0.0, 2 * value - most),
        "high": max(0.0, 2 * value - least, loudest if noise else 0.0),
        "bias": bias,
        "corrected": value - bias,
        "chance": float(resamples[1].mean()),
        **row,
    }
