"""How many masks, and embeddings: levels, coverage and power over many synthetic populations."""

import numpy as np
import pytest

from masklab.analysis import embeddings
from masklab.analysis.diversity import dimension, groups, neighbours, vendi

from ..diversity.measured import distances_of
from .masks import intersections, masks

LEVEL = 0.95
SHORT = 0.02
"""By how much an interval may cover less than its level."""


def tolerance(rate, replicates):
    """3.5 standard errors of a share of replicates."""
    return 3.5 * np.sqrt(rate * (1 - rate) / replicates)


def counts_of(found):
    shared = intersections(found)
    return np.add.outer(shared.diagonal(), shared.diagonal()) - 2 * shared


def rows_of(found, parts):
    """Rows of the Vendi score and of the mean nearest distance, of the parts of one population."""
    size = found.shape[1]
    group = groups.Group("a", "all" if len(parts) == 1 else "within", parts)
    kernel = vendi.kernel(np.array([size]), intersections(found)[None])
    return vendi.rows(group, kernel, [])[0], neighbours.rows(group, size, counts_of(found), [])[0]


def values_of(found):
    """Vendi score and mean nearest distance, without their intervals."""
    size = found.shape[1]
    kernel = vendi.kernel(np.array([size]), intersections(found)[None])
    return [vendi.score(kernel), float(neighbours.nearest(counts_of(found) / size).mean())]


def test_at_chance_the_scores_are_those_of_random_masks():
    """Level 1/10 to be below, or above, all of 9 twins; 400 replicates of 8 masks of 200 weights."""
    random, replicates, twins = np.random.default_rng(1), 400, 9
    low, high = np.zeros(2), np.zeros(2)
    for _ in range(replicates):
        observed, *null = (values_of(masks(random, 8, 200, 0.3)) for _ in range(1 + twins))
        low += np.array(observed) < np.min(null, axis=0)
        high += np.array(observed) > np.max(null, axis=0)
    rate = 1 / (1 + twins)
    assert np.abs(np.concatenate([low, high]) / replicates - rate).max() < tolerance(rate, replicates)


def test_masks_that_share_a_preference_have_lower_scores_than_random_ones():
    random = np.random.default_rng(2)
    common = random.standard_normal(400)
    alike = [values_of(masks(random, 8, 400, 0.5, common=common, strength=0.5)) for _ in range(20)]
    null = [values_of(masks(random, 8, 400, 0.5)) for _ in range(20)]
    assert (np.max(alike, axis=0) < np.min(null, axis=0)).all()


def drawn(random, members, size, kind, common):
    """Members of one weight draw: at chance, with a shared preference, or of two kinds.

    Of `half` each second one shares a preference, of `outlying` all but one in seven do.
    """
    if kind in ("half", "outlying"):
        own = random.choice([0.0, 0.9], members, p=[1 / 7, 6 / 7] if kind == "outlying" else None)
        return np.concatenate([masks(random, 1, size, 0.5, common=common[0], strength=s) for s in own])
    if kind != "mixed":
        return masks(random, members, size, 0.5, common=common[0], strength=kind)
    which = random.integers(0, 2, members)
    return np.concatenate([masks(random, 1, size, 0.5, common=common[at], strength=0.7) for at in which])


@pytest.mark.parametrize(
    ("kind", "draws"),
    [
        *((kind, [30]) for kind in (0.0, 0.9, "mixed", "half", "outlying")),
        (0.0, [30, 30]),
        ("half", [30, 30]),
    ],
)
def test_intervals_cover(kind, draws, monkeypatch):
    """Nominal level 95 %, 200 replicates; more is accepted."""
    replicates, size = 200, 150
    monkeypatch.setattr(vendi, "ORDERS", {"vendi": 1.0})  # the others have no interval
    random, fixed = np.random.default_rng(sum(draws)), np.random.default_rng(7)
    common = fixed.standard_normal((len(draws), 2, size))
    parts = np.split(np.arange(sum(draws)), np.cumsum(draws)[:-1])
    found = []
    for _ in range(replicates):
        blocks = [drawn(random, own, size, kind, common[at]) for at, own in enumerate(draws)]
        rows = rows_of(np.concatenate(blocks), parts)
        found.append([[row["estimate"][key] for key in ("value", "low", "high")] for row in rows])
    value, low, high = np.moveaxis(np.array(found), 2, 0)
    expected = value.mean(axis=0)
    covered = ((low <= expected) & (expected <= high)).mean(axis=0)
    assert (covered > LEVEL - SHORT - 2 * np.sqrt(LEVEL * (1 - LEVEL) / replicates)).all(), covered


def test_the_dimension_has_the_order_of_the_planted_ones():
    """In each of 3 replicates with 50 masks of 400 weights that depend on 2, 6 or 30 numbers, or on none."""
    random, size = np.random.default_rng(3), 400
    for _ in range(3):
        found = []
        for factors in (2, 6, 30, None):
            scores = random.standard_normal((50, factors or size))
            if factors:
                scores = scores @ random.standard_normal((factors, size))
            ranks = np.argsort(np.argsort(scores, axis=1), axis=1)
            counts = counts_of(ranks < size // 2)
            found.append([measure(counts) for measure in dimension.METRICS.values()])
        assert (np.diff(found, axis=0) > 0).all()


def hamming_of(found):
    return distances_of([found]).hamming()


def test_noise_is_called_distinguishable_at_the_nominal_rate():
    """Level 1/20 (19 twins), 60 replicates of 12 masks of 100 weights."""
    random, replicates, level = np.random.default_rng(4), 60, 0.05
    ids = [f"a/{at:04d}" for at in range(12)]
    told = 0
    for _ in range(replicates):
        observed, *twins = (hamming_of(masks(random, 12, 100, 0.5)) for _ in range(20))
        row = embeddings.embed("pcoa", ids, observed, twins, 0)
        assert row is not None and row["smallest_p"] == level
        told += row["distinguishable"]
    assert abs(told / replicates - level) < tolerance(level, replicates)


@pytest.mark.parametrize("method", ["pcoa", "mds", "tsne"])
def test_planted_groups_are_distinguishable(method):
    random = np.random.default_rng(5)
    ids = [f"a/{at:04d}" for at in range(24)]
    common = random.standard_normal((3, 300))
    observed = [masks(random, 8, 300, 0.5, common=own, strength=0.7) for own in common]
    twins = [hamming_of(masks(random, 24, 300, 0.5)) for _ in range(19)]
    row = embeddings.embed(method, ids, hamming_of(np.concatenate(observed)), twins, 0)
    assert row is not None and row["distinguishable"] and row["p"] == 0.05
    assert embeddings.warnings([row]) == []
