"""Coverage of what is measured of pairs of members' predictions, within and between populations.

Nominal 95 %, at most 2 points and 2 standard errors of the replicates under it, and more is accepted. The
truth of a cell is its mean over all replicates, whose error is a twentieth of that of one.
"""

import functools
import math

import numpy as np
import pytest

from masklab.analysis import cells, jackknife
from masklab.analysis import design as designs
from masklab.analysis.function import agreement, divergence

IMAGES, LABELS, REPLICATES = 100, 4, 200
DIFFICULTY = np.linspace(-1.5, 2.5, IMAGES)
LEAST = 0.93 - 2 * math.sqrt(0.95 * 0.05 / REPLICATES)

METRICS = ("kappa", "normalised_disagreement", "q_statistic", "double_fault", "jensen_shannon")
CELLS = [("a", "a", "different"), ("a", "b", "same"), ("a", "b", "different")]


def predicted(random, skill):
    """Probabilities and classes of members, the true class always being 0."""
    logits = random.standard_normal((len(skill), IMAGES, LABELS))
    logits[..., 0] += skill[:, None] - DIFFICULTY + 1
    powers = np.exp(2 * logits)
    probabilities = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return probabilities, logits.argmax(axis=-1).astype(np.uint16)


@functools.cache
def intervals(members, spread):
    """Values and ends, by metric and cell; members of equal seeds are equally good.

    Args:
        members: Members of each of two populations.
        spread: Standard deviation of how good members are.
    """
    ids = [f"{name}/{at:04d}" for name in "ab" for at in range(members)]
    design = designs.make(ids, dict.fromkeys(ids, 0))
    random = np.random.default_rng(members)
    found = {}
    for at in range(REPLICATES):
        probabilities, classes = predicted(random, np.tile(spread * random.standard_normal(members), 2))
        measured = [*agreement.statistics(classes, LABELS, classes == 0)]
        measured.append(agreement.Statistic("jensen_shannon", *divergence.measure(probabilities, at)))
        for statistic in measured:
            for cell in cells.of(design):
                where = np.ix_(cell.rows, cell.columns)
                units = design.unit[cell.rows], design.unit[cell.columns]
                over = None if statistic.over is None else statistic.over[where]
                means = jackknife.mean_over_pairs(statistic.values[where][None], cell.chosen, *units, over)
                key = statistic.metric, cell.a, cell.b, cell.seed
                found.setdefault(key, []).append((means.value[0], means.low[0], means.high[0]))
    return {key: np.array(rows).T for key, rows in found.items()}


@pytest.mark.parametrize(("members", "spread"), [(6, 0.5), (10, 0.8)])
@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("metric", METRICS)
def test_means_over_pairs_are_covered(metric, cell, members, spread):
    value, low, high = intervals(members, spread)[metric, *cell]
    assert np.isfinite(low).mean() >= 0.95
    truth = np.nanmean(value)
    given = np.isfinite(low)
    assert np.mean(((low <= truth) & (truth <= high))[given]) >= LEAST
