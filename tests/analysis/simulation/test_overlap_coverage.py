"""Coverage of the intervals of overlap, and the law of z at chance, over synthetic populations.

Nominal coverage is 95 %. Given the preference that its masks share, a population's masks are independent, and
the truth of a cell is its mean over all replicates (whose error is a hundredth of an interval). Near chance
single masks explain nothing, so that the jackknife overestimates the variance: coverage is then above
nominal, which is allowed, and seen here. More than 2 points below nominal are not.
"""

import functools

import numpy as np
import pytest

from masklab.analysis import chance, design, distances, jackknife, overlap, pairwise

from . import masks as simulated

SIZE, DENSITY, REPLICATES = 200, 0.4, 2000

LEAST = 0.93 - 2 * np.sqrt(0.95 * 0.05 / REPLICATES)
"""Two points under nominal, and two binomial errors of the replicates."""

METRICS = ("hamming", "jaccard_similarity", "chance_corrected")
"""Of equal kept counts all metrics but Jaccard's are the same up to origin and scale."""

CELLS = ("within", "same", "different")


@functools.cache
def populations(members, strength, paired, replicates=REPLICATES):
    """Intersections `[replicates, 2 members, 2 members]` of two populations, of paired seeds or not."""
    random = np.random.default_rng([members, round(100 * strength), paired])
    common = random.standard_normal(SIZE)
    seeds = random.standard_normal((replicates * members, SIZE))
    pairing = 0.6 if paired else 0.0
    found = [
        simulated.masks(
            random,
            replicates * members,
            SIZE,
            DENSITY,
            common=common,
            strength=strength,
            seeds=seeds,
            pairing=pairing,
        ).reshape(replicates, members, SIZE)
        for _ in range(2)
    ]
    both = np.concatenate(found, axis=1).astype(np.float32)
    return both @ both.transpose(0, 2, 1)


def values_of(metric, shared):
    """A metric of every replicate and pair."""
    kept = np.full(shared.shape[1], round(SIZE * DENSITY))
    expected = kept[0] ** 2 / SIZE
    if metric == "chance_corrected":
        return (shared - expected) / (kept[0] - expected)
    return getattr(pairwise, metric)(shared, kept, SIZE)


def cell(name, members, paired):
    """Rows, columns, chosen pairs and units of a cell, as `masklab.analysis.cells` makes them."""
    first, second = slice(0, members), slice(members, 2 * members)
    own, other = np.arange(members), np.arange(members) + (0 if paired else members)
    if name == "within":
        return first, first, np.triu(np.ones((members, members), dtype=bool), 1), own, own
    same = np.equal.outer(own, other)
    return first, second, same if name == "same" else ~same, own, other


def intervals(metric, name, members, strength, paired):
    rows, columns, chosen, row_units, column_units = cell(name, members, paired)
    values = values_of(metric, populations(members, strength, paired))[:, rows, columns].astype(float)
    return jackknife.mean_over_pairs(values, chosen, row_units, column_units)


def coverage(*given):
    found = intervals(*given)
    truth = found.value.mean()
    return float(((found.low <= truth) & (truth <= found.high)).mean())


CASES = [
    (members, paired, name)
    for members in (5, 8, 12)
    for paired in (True, False)
    for name in CELLS
    if paired or name != "same"
]


@pytest.mark.parametrize(("members", "paired", "name"), CASES)
def test_coverage_with_a_shared_preference(members, paired, name):
    for metric in METRICS:
        assert coverage(metric, name, members, 0.6, paired) >= LEAST, metric


@pytest.mark.parametrize(("members", "paired", "name"), CASES)
def test_coverage_at_chance_is_conservative(members, paired, name):
    for metric in METRICS:
        found = coverage(metric, name, members, 0.0, paired)
        assert found >= LEAST, metric
        if name == "within":
            assert found > 0.97, metric


@pytest.mark.parametrize(("first", "second"), [(20, 3), (20, 5), (8, 5)])
@pytest.mark.parametrize("shared", [True, False])
def test_coverage_of_sides_of_unequal_size_is_conservative(first, second, shared):
    """Masks follow the preference more or less; the fewer have seeds of the others, or none do."""
    random, replicates = np.random.default_rng([first, second, shared]), 600
    common = random.standard_normal(SIZE)
    strength = random.uniform(0.2, 0.9, (replicates, first + second, 1))
    scores = strength * common + np.sqrt(1 - strength**2) * random.standard_normal(
        (*strength.shape[:2], SIZE)
    )
    kept = (np.argsort(np.argsort(scores, axis=2), axis=2) >= SIZE * (1 - DENSITY)).astype(np.float32)
    values = (kept[:, :first] @ kept[:, first:].transpose(0, 2, 1)).astype(float)
    units = np.arange(first), np.arange(second) + (0 if shared else first)
    found = jackknife.mean_over_pairs(values, np.not_equal.outer(*units), *units)
    truth = found.value.mean()
    held = np.mean((found.low <= truth) & (truth <= found.high))
    assert held >= 0.93 - 2 * np.sqrt(0.95 * 0.05 / replicates)


def test_intervals_over_pairs_would_not_hold():
    """What the jackknife is for: pairs share masks, so their standard error is too small."""
    rows, columns, chosen, *_ = cell("within", 12, False)
    values = populations(12, 0.6, False)[:, rows, columns][:, chosen]
    half = 1.96 * values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    held = np.abs(values.mean(axis=1) - values.mean()) <= half
    assert held.mean() < LEAST - 0.1


@pytest.mark.parametrize("paired", [True, False])
def test_rows_are_these_intervals(paired):
    members = 5
    ids = [f"{name}/{index:04d}" for name in "ab" for index in range(members)]
    shared = populations(members, 0.6, paired)[0].astype(np.int64)
    counted = distances.Distances(ids, ["layer"], np.array([SIZE]), shared[None])
    planned = design.make(ids, dict.fromkeys(ids, 0), unpaired=[] if paired else ["b"])
    checked = 0
    for row in overlap.rows(planned, counted):
        name = "within" if row["a"] == row["b"] else row["seed"]
        if row["metric"] in METRICS and (row["a"], row["layer"]) == ("a", "layer"):
            found = intervals(row["metric"], name, members, 0.6, paired)
            ends = [row["estimate"][key] for key in ("value", "low", "high")]
            assert ends == pytest.approx([found.value[0], found.low[0], found.high[0]])
            checked += 1
    assert checked == len(METRICS) * (3 if paired else 2)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("members", [5, 12])
def test_z_is_standard_at_chance(members, name):
    """Pairs that share a mask are uncorrelated: mean 0, variance 1 within 3.5 standard errors of each."""
    random = np.random.default_rng([members, len(name)])
    layers = [
        simulated.masks(random, REPLICATES * 2 * members, size, density).reshape(
            REPLICATES, 2 * members, size
        )
        for size, density in ((60, 0.7), (SIZE, 0.2))
    ]
    sizes = np.array([60, SIZE])
    kept = np.stack([layer[0].sum(axis=1) for layer in layers])
    total = sum(layer.astype(np.float32) @ layer.astype(np.float32).transpose(0, 2, 1) for layer in layers)
    rows, columns, chosen, *_ = cell(name, members, True)
    excess = (total - chance.expected_intersection(sizes, kept))[:, rows, columns][:, chosen]
    variance = chance.intersection_variance(sizes, kept)[rows, columns][chosen]
    z = np.array([chance.z_of_mean(own, variance) for own in excess.astype(float)])
    assert abs(z.mean()) < 3.5 / np.sqrt(REPLICATES)
    fourth = ((z - z.mean()) ** 4).mean()
    assert abs(z.var() - 1) < 3.5 * np.sqrt((fourth - z.var() ** 2) / REPLICATES)


def test_z_is_far_from_0_where_masks_share_a_preference():
    rows, columns, chosen, *_ = cell("within", 12, False)
    shared = populations(12, 0.6, False)[:, rows, columns][:, chosen].astype(float)
    sizes, kept = np.array([SIZE]), np.full((1, 12), round(SIZE * DENSITY))
    excess = shared - chance.expected_intersection(sizes, kept)[chosen]
    variance = chance.intersection_variance(sizes, kept)[chosen]
    assert min(chance.z_of_mean(own, variance) for own in excess) > 5
