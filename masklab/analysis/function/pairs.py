"""Measures of pairs of members, averaged within and between populations."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from masklab import seeds
from masklab.analysis import cells, chance, estimates, jackknife
from masklab.analysis.design import Design
from masklab.analysis.distances import Distances
from masklab.analysis.function import agreement, divergence
from masklab.analysis.function.predictions import Predictions

METHOD = (
    "mean over pairs; leave-one-mask-out jackknife, t with n − 1 degrees of freedom, conservative where "
    "masks are nearly independent; for these weight draws and test images"
)

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


def _row(cell: cells.Cell, statistic: agreement.Statistic, images: int, design: Design) -> Row:
    where = (cell.rows[:, None], cell.columns)
    units = design.unit[cell.rows], design.unit[cell.columns]
    over = None if statistic.over is None else statistic.over[where]
    means = jackknife.mean_over_pairs(statistic.values[where][None], cell.chosen, *units, over)
    value = float(means.value[0])
    row = {
        "a": cell.a,
        "b": cell.b,
        "block": cell.block,
        "seed": cell.seed,
        "metric": statistic.metric,
        "estimate": estimates.estimate(
            value,
            float(means.low[0]),
            float(means.high[0]),
            method=METHOD,
            n=means.units,
            why=statistic.why if np.isnan(value) else means.why,
            limits=LIMITS[statistic.metric],
        ),
        "chance": estimates.number(_level(statistic.chance[where], cell, over)),
        "pairs": means.pairs,
        "images": images,
    }
    if statistic.limits:
        row["limits"] = {
            name: estimates.number(_level(level[where], cell, over))
            for name, level in statistic.limits.items()
        }
    return row
