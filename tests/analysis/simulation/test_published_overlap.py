"""The overlap of Conv6 masks that Gorbett and Whitley (arXiv 2303.15953) published, from masks like theirs.

Each layer has a preference that all masks share, so strong that its expected Jaccard similarity is the
published one. From the masks alone masklab then gives the published totals, each beside its chance level.
"""

import functools

import numpy as np
import pytest
from scipy import optimize, stats

from masklab import bits
from masklab.analysis import design, distances, overlap

SIZES = {
    "convs.0": 1_728,
    "convs.2": 36_864,
    "convs.5": 73_728,
    "convs.7": 147_456,
    "convs.10": 294_912,
    "convs.12": 589_824,
    "linear.0": 1_048_576,
    "linear.2": 65_536,
    "linear.4": 2_560,
}
"""Conv6 in forward order, which is not the order of its names."""

JACCARD = {
    ("edge-popup", 0.5): (0.570, 0.363, 0.345, 0.340, 0.337, 0.342, 0.337, 0.375, 0.389),
    ("biprop", 0.5): (0.579, 0.384, 0.376, 0.391, 0.399, 0.417, 0.410, 0.387, 0.496),
    ("edge-popup", 0.25): (0.346, 0.163, 0.167, 0.151, 0.146, 0.147, 0.149, 0.162, 0.176),
    ("biprop", 0.25): (0.457, 0.212, 0.220, 0.215, 0.214, 0.224, 0.219, 0.201, 0.285),
}
"""Mean Jaccard similarity per layer."""

TOTALS = {
    ("edge-popup", 0.5): (0.5077, 0.3402, 0.2539),
    ("biprop", 0.5): (0.5784, 0.4069, 0.2892),
    ("edge-popup", 0.25): (0.6303, 0.1498, 0.1303),
    ("biprop", 0.25): (0.6796, 0.2189, 0.1796),
}
"""Share of equal bits, Jaccard similarity, and what was published as the latter."""

CHANCE = {0.5: (0.5, 1 / 3), 0.25: (0.625, 1 / 7)}
"""Share of equal bits and Jaccard similarity of independent masks."""

MEMBERS = {0.5: 15, 0.25: 5}

ROUNDING = 0.0006
"""What the totals may be off because the similarities of the layers are published to three digits."""


def strength(density, similarity):
    """Weight of the shared preference at which two masks have a Jaccard similarity.

    Both keep a weight where two normal scores of correlation ρ = strength² exceed the same quantile.
    """
    threshold, step = float(stats.norm.isf(density)), 1e-3
    grid = threshold + step * (np.arange(9000) + 0.5)

    def excess(correlation):
        # one score is x, the other then exceeds the threshold as often as a normal of that mean and spread
        spread = np.sqrt(1 - correlation**2)
        both = stats.norm.pdf(grid) @ stats.norm.sf((threshold - correlation * grid) / spread) * step
        return both / (2 * density - both) - similarity

    return np.sqrt(optimize.root_scalar(excess, bracket=(0, 0.999)).root)


def packed(random, members, size, density, weight):
    """Masks that keep the largest of weight · preference + √(1 − weight²) · noise, packed."""
    preference = np.float32(weight) * random.standard_normal(size, dtype=np.float32)
    kept, rest = bits.kept_count(size, density), np.float32(np.sqrt(1 - weight**2))
    rows = np.empty((members, bits.packed_size(size)), dtype=np.uint8)
    for row in rows:
        scores = random.standard_normal(size, dtype=np.float32)
        scores *= rest
        scores += preference
        cut = np.partition(scores, size - kept)[size - kept]
        chosen = scores > cut
        chosen[np.flatnonzero(scores == cut)[: kept - np.count_nonzero(chosen)]] = True  # float32 has ties
        row[:] = bits.pack(chosen)
    return rows


@functools.cache
def published(pruner, density):
    """Rows of the overlap, and the counts that they are made from."""
    random = np.random.default_rng([round(100 * density), len(pruner)])
    members = MEMBERS[density]
    shared = [
        bits.intersections(packed(random, members, size, density, strength(density, similarity)))
        for size, similarity in zip(SIZES.values(), JACCARD[pruner, density], strict=True)
    ]
    ids = [f"{pruner}/{index:04d}" for index in range(members)]
    counted = distances.Distances(ids, list(SIZES), np.array(list(SIZES.values())), np.stack(shared))
    return overlap.rows(design.make(ids, dict.fromkeys(ids, 0)), counted), counted


def rows_of(pruner, density, metric):
    return {row["layer"]: row for row in published(pruner, density)[0] if row["metric"] == metric}


CASES = pytest.mark.parametrize(("pruner", "density"), list(TOTALS))


@CASES
def test_totals(pruner, density):
    match, jaccard, _ = TOTALS[pruner, density]
    by_chance, jaccard_by_chance = CHANCE[density]
    row = rows_of(pruner, density, "hamming")["whole"]
    assert 1 - row["estimate"]["value"] == pytest.approx(match, abs=2 * ROUNDING)
    assert 1 - row["chance"] == pytest.approx(by_chance, abs=1e-5)
    row = rows_of(pruner, density, "jaccard_similarity")["whole"]
    assert row["estimate"]["value"] == pytest.approx(jaccard, abs=2 * ROUNDING)
    assert row["chance"] == pytest.approx(jaccard_by_chance, abs=1e-5)
    assert row["pairs"] == MEMBERS[density] * (MEMBERS[density] - 1) // 2


@CASES
def test_layers_in_forward_order(pruner, density):
    rows = rows_of(pruner, density, "jaccard_similarity")
    assert list(rows) == ["whole", *SIZES] != ["whole", *sorted(SIZES)]
    for (layer, size), expected in zip(SIZES.items(), JACCARD[pruner, density], strict=True):
        estimate = rows[layer]["estimate"]
        # the preference is one draw, too: standard error about 1/√size, beside that of the masks
        assert estimate["value"] == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(size)), layer


@CASES
def test_what_was_published_as_the_total_counts_the_intersection_twice(pruner, density):
    """I ÷ (I + U) = J ÷ (1 + J), which is no Jaccard similarity, and is under 1/2 for equal masks."""
    _, jaccard, wrong = TOTALS[pruner, density]
    counted = published(pruner, density)[1]
    shared = counted.intersection_count()
    either = np.add.outer(counted.kept(), counted.kept()) - shared
    pairs = np.triu_indices(len(counted.ids), 1)
    value = (shared / (shared + either))[pairs].mean()
    assert value == pytest.approx(wrong, abs=2 * ROUNDING)
    given = rows_of(pruner, density, "jaccard_similarity")["whole"]["estimate"]
    assert abs(value - jaccard) > 0.019
    assert not given["low"] <= wrong <= given["high"]


def test_effect_sizes_stand_beside_the_significance():
    """At 2 million weights z is in the hundreds where the effect is a percent or two."""
    kappa = rows_of("edge-popup", 0.5, "kappa")["whole"]["estimate"]["value"]
    assert kappa == pytest.approx(0.0154, abs=4 * ROUNDING)
    row = rows_of("edge-popup", 0.5, "chance_corrected")["whole"]
    assert row["estimate"]["value"] == pytest.approx(kappa, abs=1e-6)  # equal densities in all layers
    assert row["z"] == pytest.approx(237, rel=0.1)
    assert rows_of("biprop", 0.5, "kappa")["whole"]["estimate"]["value"] == pytest.approx(0.157, abs=0.003)
