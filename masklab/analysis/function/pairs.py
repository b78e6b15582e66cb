"""Measures of pairs of members, averaged within and between populations.

Members are unequally good, so that what is measured of few of them is skewed: an interval reaches as far as
the jackknife's t or as that corrected for the skewness of the jackknife's pseudo-values, which are Student's
and Hall's t (see `masklab.analysis.skewness`) where every member is in one pair, that with its equal seed. By
simulation of 5 to 12 members of skills that vary little to much, with 3 to 60 % errors, intervals then cover
93 to 98 %, where t covers 80 to 93 %.

Too few errors give none. Q is −1 or 1 of a pair whose table of right and wrong predictions has an empty
cell, whatever else the two do; where many pairs are such, intervals of Q would cover 73 to 92 %. Those with
at most one in twenty, which hold for pairs that are not such, cover 92 to 99 %. Double faults that are fewer
than five a pair would be covered in 78 to 93 %.

What remains: where one or two of 5 to 10 members make most of the errors, and these are few, ratios and
shares are covered in 88 to 93 %.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from masklab import seeds
from masklab.analysis import cells, chance, estimates, jackknife, skewness
from masklab.analysis.design import Design
from masklab.analysis.distances import Distances
from masklab.analysis.function import agreement, divergence
from masklab.analysis.function.predictions import Predictions

METHOD = (
    f"mean over pairs; leave-one-mask-out jackknife, {skewness.METHOD}, conservative where masks are nearly "
    "independent; for these weight draws and test images"
)

OF_Q = "of pairs whose Q is neither −1 nor 1"
"""What intervals of Q hold for besides."""

MOST_EXTREME = 0.05
"""Share of pairs whose Q is −1 or 1 beyond which the mean of Q has no interval."""

LEAST_BOTH_WRONG = 5
"""Images that both members of a pair get wrong, mean over the pairs, for an interval of double faults."""

SCATTER = 4_000
"""Most pairs in the scatter of distance and disagreement; beyond it a sample of them is."""

LIMITS = {
    "disagreement": estimates.SHARE,
    "normalised_disagreement": (0.0, math.inf),
    "kappa": (-1.0, 1.0),
    "q_statistic": (-1.0, 1.0),
    "double_fault": estimates.SHARE,
    "jensen_shannon": estimates.SHARE,
}
"""Values that a metric can have."""

_OF_CORRECTNESS = ("normalised_disagreement", "q_statistic", "double_fault")

Row = dict[str, Any]


def rows(
    found: Predictions, right: Bool[np.ndarray, "members images"] | None, why: str, seed: int
) -> list[Row]:
    """One row per pair of populations, block, seed and metric.

    Args:
        found: What members predict.
        right: Whether each prediction is the true class; None where that is not known.
        why: Why it is not known.
        seed: Seed of the sample of images that divergences are taken over.
    """
    listed = list(cells.of(found.design))
    made = []
    for order, (statistic, images) in enumerate(_statistics(found, right, why, seed)):
        for number, cell in enumerate(listed):
            a, b = (found.design.names.index(name) for name in (cell.a, cell.b))
            made.append(((a, b, order, number), _row(cell, statistic, images, found.design)))
    return [row for _, row in sorted(made, key=lambda pair: pair[0])]


def scatter(
    found: Predictions, distances: Distances, disagreement: agreement.Square, seed: int
) -> tuple[list[Row], int]:
    """Distance and disagreement of pairs within populations; a sample of them where there are too many.

    Args:
        found: What members predict.
        distances: Intersection counts of the masks of all compared members.
        disagreement: Share of images for which two members predict different classes.
        seed: Seed of the sample.

    Returns:
        The rows, and the number of pairs that there are.
    """
    population = found.design.population
    first, second = np.nonzero(np.triu(np.equal.outer(population, population), 1))
    count = len(first)
    if count > SCATTER:
        random = seeds.stream(seed, "split", layer="analysis/function/scatter")
        chosen = np.sort(random.permutation(count)[:SCATTER])
        first, second = first[chosen], second[chosen]
    sizes, shared = distances.strata()
    a, b = found.places[first], found.places[second]
    hamming, corrected = distances.hamming()[a, b], chance.corrected(sizes, shared)[a, b]
    block, ids = found.design.block, found.design.ids
    made = []
    for at, (i, j) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        row = {
            "id_a": ids[i],
            "id_b": ids[j],
            "block": "within" if block[i] == block[j] else "across",
            "hamming": float(hamming[at]),
            "chance_corrected": estimates.number(corrected[at]),
            "disagreement": float(disagreement[i, j]),
        }
        undefined = {} if row["chance_corrected"] is not None else {"why": "only one overlap is possible"}
        made.append({**row, **undefined})
    return made, count


def _statistics(
    found: Predictions, right: Bool[np.ndarray, "members images"] | None, why: str, seed: int
) -> Iterator[tuple[agreement.Statistic, int]]:
    """Every measure, with the number of images that it is over; at most a few matrices are held at once."""
    for statistic in agreement.statistics(found.classes, found.labels, right):
        yield statistic, found.images
    nothing = np.full((len(found.design),) * 2, np.nan)
    if right is None:
        for metric in _OF_CORRECTNESS:
            yield agreement.Statistic(metric, nothing, nothing, why=why), found.images
    images = divergence.images(found, seed)
    if len(images) < divergence.LEAST_IMAGES:
        reason = f"fewer than {divergence.LEAST_IMAGES} images could be compared; there are {len(images)}"
        yield agreement.Statistic("jensen_shannon", nothing, nothing, why=reason), len(images)
        return
    everyone = np.arange(len(found.design))
    values, unrelated = divergence.measure(found.probabilities(everyone, images), seed)
    yield agreement.Statistic("jensen_shannon", values, unrelated), len(images)


def _level(
    values: Float64[np.ndarray, "rows columns"],
    cell: cells.Cell,
    over: Float64[np.ndarray, "rows columns"] | None,
) -> float:
    """Mean of a level over the pairs of a cell, made as the mean of the values is."""
    whole = float(cell.chosen.sum() if over is None else over[cell.chosen].sum())
    return float(values[cell.chosen].sum()) / whole if whole > 0 else math.nan


def estimated(cell: cells.Cell, statistic: agreement.Statistic, images: int, design: Design) -> Row:
    """The mean over the pairs of a cell, with its interval.

    Args:
        cell: Which pairs.
        statistic: What is measured of all pairs of the design's members.
        images: Number of images that it is over.
        design: Who they are.
    """
    where = (cell.rows[:, None], cell.columns)
    units = design.unit[cell.rows], design.unit[cell.columns]
    values, over = statistic.values[where], None if statistic.over is None else statistic.over[where]
    means = jackknife.mean_over_pairs(values[None], cell.chosen, *units, over)
    few = _few_errors(statistic.metric, values[cell.chosen], images)
    low, high = (math.nan, math.nan) if few else _ends(values, cell, design, over, means)
    return estimates.estimate(
        float(means.value[0]),
        low,
        high,
        method=f"{METHOD}; {OF_Q}" if statistic.metric == "q_statistic" else METHOD,
        n=means.units,
        why=statistic.why if np.isnan(means.value[0]) else few or means.why,
        limits=LIMITS[statistic.metric],
    )


def _row(cell: cells.Cell, statistic: agreement.Statistic, images: int, design: Design) -> Row:
    where = (cell.rows[:, None], cell.columns)
    over = None if statistic.over is None else statistic.over[where]
    row = {
        "a": cell.a,
        "b": cell.b,
        "block": cell.block,
        "seed": cell.seed,
        "metric": statistic.metric,
        "estimate": estimated(cell, statistic, images, design),
        "chance": estimates.number(_level(statistic.chance[where], cell, over)),
        "pairs": int(cell.chosen.sum()),
        "images": images,
    }
    if statistic.limits:
        row["limits"] = {
            name: estimates.number(_level(level[where], cell, over))
            for name, level in statistic.limits.items()
        }
    return row


def _few_errors(metric: str, values: Float64[np.ndarray, " pairs"], images: int) -> str:
    """Why there are too few errors for an interval; empty where there are enough, or none matter."""
    extreme = np.abs(values) == 1
    if metric == "q_statistic" and extreme.mean() > MOST_EXTREME:
        table = "their table of right and wrong predictions has an empty cell"
        return f"Q is −1 or 1 for {extreme.sum()} of {len(values)} pairs, as {table}"
    both = float(values.mean()) * images
    if metric == "double_fault" and both < LEAST_BOTH_WRONG:
        needs = f"an interval needs {LEAST_BOTH_WRONG} images that both get wrong, mean over the pairs"
        return f"{needs}; there are {both:.3g}"
    return ""


def _ends(
    values: Float64[np.ndarray, "rows columns"],
    cell: cells.Cell,
    design: Design,
    over: Float64[np.ndarray, "rows columns"] | None,
    means: jackknife.Means,
) -> tuple[float, float]:
    """Ends of the jackknife's interval, the one further away to whose side pseudo-values are skewed."""
    value, half = float(means.value[0]), float(means.high[0] - means.value[0])
    if not math.isfinite(half):
        return math.nan, math.nan
    weight = np.where(cell.chosen, 1.0 if over is None else over, 0.0)
    residual = np.where(cell.chosen, values, 0.0) - value * weight
    weights, residuals, pairs = (
        _by_unit(one, cell, design) for one in (weight, residual, cell.chosen.astype(np.float64))
    )
    part = pairs > 0
    pseudo = (means.units - 1) * residuals[part] / (weight.sum() - weights[part])  # less the value
    error = float(pseudo.std(ddof=1)) / math.sqrt(means.units)
    below, above = skewness.reach(error, half / error, skewness.of_mean(pseudo, error))
    return value - below, value + above


def _by_unit(
    pairs: Float64[np.ndarray, "rows columns"], cell: cells.Cell, design: Design
) -> Float64[np.ndarray, " units"]:
    """Sum over the pairs of each unit; a pair of one unit counts once."""
    rows, columns = design.unit[cell.rows], design.unit[cell.columns]
    size = int(max(rows.max(), columns.max())) + 1
    other = np.where(np.equal.outer(rows, columns), 0.0, pairs)
    return np.bincount(rows, pairs.sum(axis=1), size) + np.bincount(columns, other.sum(axis=0), size)
