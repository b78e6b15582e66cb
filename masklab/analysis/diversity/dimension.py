"""Intrinsic dimension: how many independent choices the masks of a population look like.

Two estimators that see different scales. The *binary intrinsic dimension* (BID) fits the law of the Hamming
distances of d independent fair bits, with d(r) = d₀ + d₁·r, to the lower part of the histogram; d₀ is the
answer, and independent masks that keep half of N weights have d₀ ≈ N. *TwoNN* takes the ratio of the
distances to the second and the first neighbour, here in √Hamming, where masks are points of a Euclidean
space. Neither is free of the density and the number of masks: read them against the matched random masks.

Exact kept counts make every Hamming distance even. The law is therefore summed over the lattice on which the
distances lie (counts ÷ 2 are adjacent there), not over all integers: half of those never occur, and a
formula that compares adjacent counts is undefined. The distances themselves stay counts of differing bits.

Source: Acevedo, Rodriguez and Laio, Unsupervised detection of semantic correlations in big data
(Communications Physics 8, 2025); Facco, d'Errico, Rodriguez and Laio, Estimating the intrinsic dimension of
datasets by a minimal neighborhood information (Scientific Reports 7, 2017).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis.diversity import groups

Counts = Int64[np.ndarray, "own own"]

LEAST_MEMBERS = 50
"""Masks of one weight draw below which no dimension is given."""

QUANTILE = 0.5
"""Share of the distances, from below, that BID fits. The published 0.2 supposes thousands of points: with 50
masks it scatters by half of the value."""

DISCARDED = 0.1
"""Share of the largest ratios that TwoNN leaves out, as published."""

_LATTICE = 4096  # points above which the lattice is coarsened; the law is smooth
_SLOPES = (0.0, 0.5, 1.0, 1.5, 1.8, 1.95)  # d₁ from which the fit starts: from free bits to very correlated

_FEW = f"a dimension needs at least {LEAST_MEMBERS} masks of one weight draw"
_UNDEFINED = "the distances between these masks are too few or too alike to have a dimension"
_NO_INTERVAL = "distances share masks, and no interval was found that covers; see the spread of the null"


def binary(counts: Counts) -> float:
    """Binary intrinsic dimension d₀; NaN where the histogram does not give one.

    Maximises the likelihood of log P(r) = −d(r)·log 2 + log C(d(r), r), normalised over the lattice of the
    retained distances (which minimises the divergence of the histogram from P), by a simplex search from
    fixed slopes.

    Args:
        counts: Hamming distances as numbers of bits.
    """
    lattice, shares = _histogram(counts[np.triu_indices(len(counts), 1)])
    if (shares > 0).sum() < 3:
        return math.nan
    middle, width = float((shares * lattice).sum()), float(lattice[-1] - lattice[0])
    offset, slope = _fit(lattice, shares, middle, width)
    found = 2 * middle + offset * width - slope * middle
    return found if found > 0 else math.nan


def _fit(
    lattice: Float64[np.ndarray, " lattice"],
    shares: Float64[np.ndarray, " lattice"],
    middle: float,
    width: float,
) -> tuple[float, float]:
    """Most likely (d(middle) − 2·middle) ÷ width and d₁."""
    from scipy import optimize

    loss, fits = _loss(lattice, shares, middle, width), []
    for slope in _SLOPES:
        least = (lattice - 2 * middle - slope * (lattice - middle)).max() / width  # d(r) ≥ r
        begin = [max(0.0, least + 0.1), slope]
        options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000}
        fits.append(optimize.minimize(loss, begin, method="Nelder-Mead", options=options))
    offset, slope = min(fits, key=lambda fit: fit.fun).x
    return float(offset), float(slope)


def _histogram(
    distances: Int64[np.ndarray, " pairs"],
) -> tuple[Float64[np.ndarray, " lattice"], Float64[np.ndarray, " lattice"]]:
    """Lattice of the retained distances, and the share of them at each of its points."""
    if not len(distances):
        return np.zeros(0), np.zeros(0)
    top = np.quantile(distances, QUANTILE, method="inverted_cdf")
    retained = distances[distances <= top]
    first = retained.min()
    even = ((distances - first) % 2 == 0).all()
    points = int(retained.max() - first) // (2 if even else 1) + 1
    step = (2 if even else 1) * math.ceil(points / _LATTICE)
    places = (retained - first) // step
    shares = np.bincount(places) / len(places)
    return (first + step * np.arange(len(shares))).astype(float), shares


def _loss(
    lattice: Float64[np.ndarray, " lattice"],
    shares: Float64[np.ndarray, " lattice"],
    middle: float,
    width: float,
) -> Callable[[Float64[np.ndarray, "2"]], float]:
    """Negative mean log-likelihood of (d(middle) − 2·middle) ÷ width and d₁."""
    from scipy import special

    constant = special.gammaln(lattice + 1)

    def loss(at: Float64[np.ndarray, "2"]) -> float:
        bits = 2 * middle + at[0] * width + at[1] * (lattice - middle)
        if (bits < lattice).any():
            return math.inf
        law = special.gammaln(bits + 1) - special.gammaln(bits - lattice + 1) - constant - bits * math.log(2)
        return float(special.logsumexp(law) - (shares * law).sum())

    return loss


def two_nearest(counts: Counts) -> float:
    """TwoNN dimension in √Hamming; NaN where it has none.

    The ratio μ of the distances to the second and the first neighbour has F(μ) = 1 − μ⁻ᵈ: d is the slope of
    −log(1 − F) over log μ through the origin. Masks with a copy (first distance 0) have no ratio and are left
    out.

    Args:
        counts: Hamming distances as numbers of bits, of at least 3 masks.
    """
    apart = counts.astype(float)
    np.fill_diagonal(apart, np.inf)
    two = np.partition(apart, 1, axis=1)[:, :2]
    two = two[two[:, 0] > 0]
    if len(two) < 3:
        return math.nan
    ratio = np.sort(0.5 * np.log(two[:, 1] / two[:, 0]))  # of √Hamming
    used = int(len(ratio) * (1 - DISCARDED))
    rest = -np.log1p(-np.arange(1, used + 1) / len(ratio))
    spread = float((ratio[:used] ** 2).sum())
    return float((ratio[:used] * rest).sum() / spread) if spread > 0 else math.nan


METRICS = {"dimension_bid": binary, "dimension_twonn": two_nearest}
"""Metric → function of the Hamming distances, as counts."""


def rows(group: groups.Group, observed: Counts, twins: Sequence[Counts]) -> list[groups.Row]:
    """One row per metric, over the draws of base weights that have `LEAST_MEMBERS` masks.

    Args:
        group: Whose masks.
        observed: Hamming distances of all members of the design, as numbers of bits.
        twins: Those of matched random masks.
    """
    large = [part for part in group.parts if len(part) >= LEAST_MEMBERS]
    chosen = groups.Group(group.population, group.block, large or group.parts)
    found = []
    for metric, measure in METRICS.items():
        values, null = [math.nan], []
        if large:
            values = [measure(groups.submatrix(observed, part)) for part in large]
            null = [
                float(np.mean([measure(groups.submatrix(twin, part)) for part in large])) for twin in twins
            ]
        defined = bool(np.isfinite(values).all())
        estimate = groups.over_parts(
            chosen,
            values,
            [math.nan] * len(values),
            method="no interval",
            why=_NO_INTERVAL if defined else _UNDEFINED if large else _FEW,
        )
        row = groups.row(chosen, metric, estimate, null)
        found.append(row if large else {**row, "why": _FEW})
    return found
