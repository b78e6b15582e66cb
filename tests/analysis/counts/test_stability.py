import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from masklab.analysis import jackknife
from masklab.analysis.counts import stability, tallies

from . import studies


def published(masks):
    """Nogueira's Φ and the variance of its asymptotic interval, as the authors compute them."""
    z = masks.astype(float)
    m, d = z.shape
    p, k = z.mean(axis=0), z.sum(axis=1)
    mean = k.mean()
    scale = mean / d * (1 - mean / d)
    phi = 1 - m / (m - 1) * (p * (1 - p)).mean() / scale
    own = (z @ p / d - k * mean / d**2 + phi / 2 * (2 * k * mean / d**2 - k / d - mean / d + 1)) / scale
    return phi, 4 / m**2 * ((own - own.mean()) ** 2).sum()


def cells_of(members, population, block):
    """Draw → places of the members of a population that share it; all under one key over all draws."""
    own = members.members(members.names[population])
    draws = members.block[own] if block == "within" else np.zeros(len(own))
    return {draw: own[draws == draw] for draw in np.unique(draws)}


def plain(masks, members, population, block):
    """Per layer `{draw: (pairs, stability)}` by loops over pairs; None where undefined."""
    layers: list = []
    for table in masks.values():
        layers.append({})
        for draw, cell in cells_of(members, population, block).items():
            pairs, density = list(itertools.combinations(cell, 2)), table[cell].mean()
            if pairs:
                apart = np.mean([(table[a] ^ table[b]).mean() for a, b in pairs])
                value = 1 - apart / (2 * density * (1 - density)) if 0 < density < 1 else None
                layers[-1][draw] = (len(pairs), value)
    return layers


def averaged(layers, full, sizes):
    """Whole mask, then layers; undefined where a draw that varies in `full` no longer does."""
    values = []
    for cells, before in zip(layers, full, strict=True):
        used = {draw: cell for draw, cell in cells.items() if before[draw][1] is not None}
        known = used and all(value is not None for _, value in used.values())
        values.append(
            sum(w * v for w, v in used.values()) / sum(w for w, _ in used.values()) if known else math.nan
        )
    varying = [any(value is not None for _, value in cells.values()) for cells in full]
    weight = np.where(varying, sizes, 0)
    whole = np.dot(weight[varying], np.array(values)[varying]) / weight.sum() if any(varying) else math.nan
    return np.array([whole, *values])


@given(studies.studies())
@settings(deadline=None, max_examples=50)
def test_value_and_leaving_out_agree_with_loops(study):
    masks, members = study[0], studies.members(*study[1])
    found = tallies.from_masks(masks, members)
    for block, groups in (("within", found.within), ("all", found.whole)):
        for at, sample in enumerate(stability.stability(found, groups)):
            full = plain(masks, members, at, block)
            np.testing.assert_allclose(sample.value, averaged(full, full, found.sizes), atol=1e-10)
            cells = [cell for cell in cells_of(members, at, block).values() if len(cell) > 1]
            left = sorted(itertools.chain(*cells))
            assert members.unit[left].tolist() == sample.units.tolist()
            for place, member in enumerate(left):
                others = [x for x in range(len(members)) if x != member]
                fewer = members.only(others)
                rest = plain(
                    {k: v[others] for k, v in masks.items()},
                    fewer,
                    fewer.names.index(members.names[at]),
                    block,
                )
                expected = averaged(rest, full, found.sizes)
                np.testing.assert_allclose(sample.without[:, place], expected, atol=1e-10)


def test_interval_is_the_jackknife_with_t():
    random = np.random.default_rng(0)
    masks = {"a": random.random((6, 40)) < 0.4, "b": random.random((6, 30)) < 0.7}
    members = studies.members({"p": range(6)})
    found = tallies.from_masks(masks, members)
    (sample,) = stability.stability(found, found.within)
    full = plain(masks, members, 0, "all")
    value, without = averaged(full, full, found.sizes), []
    for left in range(6):
        others = [x for x in range(6) if x != left]
        rest = plain({k: v[others] for k, v in masks.items()}, members.only(others), 0, "all")
        without.append(averaged(rest, full, found.sizes))
    error = np.sqrt(5 / 6 * ((np.array(without) - np.mean(without, axis=0)) ** 2).sum(axis=0))
    half = stats.t(5).ppf(0.975) * error
    for stratum in range(3):
        row = sample.estimate(stratum, "how")
        assert row["value"] == pytest.approx(value[stratum])
        assert row["low"] == pytest.approx(value[stratum] - half[stratum])
        assert row["high"] == pytest.approx(value[stratum] + half[stratum])
        assert (row["n"], row["method"]) == (6, "how")


def test_equal_masks_have_no_interval():
    masks = np.tile(np.arange(8) < 3, (5, 1))
    found = tallies.from_masks({"fc": masks}, studies.members({"a": range(5)}))
    (sample,) = stability.stability(found, found.whole)
    row = sample.estimate(0, "t")
    assert row["value"] == 1 and row["low"] is row["high"] is None and row["why"] == jackknife.SAME


@pytest.mark.parametrize("draws", [1, 2])
def test_shared_variance_is_the_sum_over_pairs_within_draws_and_layers(draws):
    random = np.random.default_rng(8)
    masks = {"one": random.random((9, 50)) < 0.3, "two": random.random((9, 90)) < 0.6}
    members = studies.members({"a": range(6), "b": range(3)}, draws)
    found = tallies.from_masks(masks, members)
    expected = [0.0, 0.0]
    for i, j in itertools.combinations(range(9), 2):
        if members.population[i] == members.population[j] and members.block[i] == members.block[j]:
            for table in masks.values():
                law = (table.shape[1], int(table[i].sum()), int(table[j].sum()))
                expected[members.population[i]] += stats.hypergeom.var(*law)
    assert stability.shared_variance(found, found.within) == pytest.approx(expected)


def test_hand_computed():
    """Kept by 2, 2, 1 and 1 of three: p(1 − p) = 2/9 everywhere, so Φ = 1 − 3/2 · (2/9) ÷ (1/4) = −1/3."""
    masks = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]], dtype=bool)
    found = tallies.from_masks({"fc": masks}, studies.members({"a": range(3)}))
    (sample,) = stability.stability(found, found.whole)
    assert sample.value == pytest.approx([-1 / 3, -1 / 3])
    # equal masks: 1; complementary ones: −1
    np.testing.assert_allclose(np.sort(sample.without[0]), [-1, -1, 1])
    assert published(masks)[0] == pytest.approx(-1 / 3)


def test_one_layer_is_the_published_value():
    random = np.random.default_rng(1)
    masks = random.random((7, 90)) < random.random(90)
    found = tallies.from_masks({"fc": masks}, studies.members({"a": range(7)}))
    (sample,) = stability.stability(found, found.whole)
    assert sample.value[1] == pytest.approx(published(masks)[0], abs=1e-12)


def test_layer_densities_are_not_agreement():
    """In one piece, masks that agree in nothing but how many weights each layer keeps look alike."""
    random = np.random.default_rng(2)
    layers = {
        "thin": random.permuted(np.arange(4000) < 400, axis=0)[None].repeat(8, 0),
        "thick": random.permuted(np.arange(4000) < 3600, axis=0)[None].repeat(8, 0),
    }
    layers = {name: random.permuted(table, axis=1) for name, table in layers.items()}
    members = studies.members({"a": range(8)})
    apart = tallies.from_masks(layers, members)
    pooled = tallies.from_masks({"all": np.concatenate(list(layers.values()), axis=1)}, members)
    (layered,) = stability.stability(apart, apart.whole)
    (in_one,) = stability.stability(pooled, pooled.whole)
    assert abs(layered.value[0]) < 0.01 and abs(layered.z[0]) < 4
    assert in_one.value[0] == pytest.approx(0.64, abs=0.01)


def test_chance_spread_is_the_closed_formula():
    """Exact counts: expected 0, sd √(2/(M(M − 1)(N − 1))) whatever the density; layers by their weights."""
    random = np.random.default_rng(3)
    sizes, kept, count = np.array([50, 200]), (10, 150), 6
    masks = {
        str(size): random.permuted(np.tile(np.arange(size) < k, (count, 1)), axis=1)
        for size, k in zip(sizes, kept, strict=True)
    }
    found = tallies.from_masks(masks, studies.members({"a": range(count)}))
    (sample,) = stability.stability(found, found.whole)
    each = np.sqrt(2 / (count * (count - 1) * (sizes - 1)))
    whole = math.sqrt(((sizes / 250) ** 2 * each**2).sum())
    np.testing.assert_allclose(sample.chance_sd, [whole, *each])
    np.testing.assert_allclose(sample.chance, 0, atol=1e-12)
    np.testing.assert_allclose(sample.z, sample.value / [whole, *each], rtol=1e-6)


def test_published_overlap_is_far_from_chance_by_the_published_number():
    """Fifteen masks of 2,261,184 weights, density ½, Φ = .0154: sd 6.5e-5, about 237 sd."""
    random = np.random.default_rng(4)
    size = 2_261_184
    tilt = np.where(random.random(size) < 0.5, 1, -1) * math.sqrt(0.0154) / 2
    masks = np.stack([random.random(size, dtype=np.float32) < 0.5 + tilt for _ in range(15)])
    found = tallies.from_masks({"all": masks}, studies.members({"a": range(15)}))
    (sample,) = stability.stability(found, found.whole)
    assert sample.value[0] == pytest.approx(0.0154, abs=4e-4)
    assert sample.chance_sd[0] == pytest.approx(6.5e-5, rel=0.01)
    assert sample.z[0] == pytest.approx(237, abs=6)


def two(first, second, **options):
    """The comparison of populations a and b over their whole masks."""
    members = studies.members({"a": range(len(first)), "b": range(len(second))}, **options)
    found = tallies.from_masks({"fc": np.concatenate([first, second])}, members)
    a, b = stability.stability(found, found.within)
    return a, b, stability.difference(a, b)


def test_paired_difference_leaves_a_unit_out_of_both():
    random = np.random.default_rng(5)
    first, second = random.random((5, 60)) < random.random(60), random.random((5, 60)) < 0.5
    a, b, found = two(first, second)
    value = a.value[0] - b.value[0]
    without = a.without[0] - b.without[0]
    error = math.sqrt(4 / 5 * ((without - without.mean()) ** 2).sum())
    assert found.paired and found.units == 5
    assert found.statistic[0] == pytest.approx(value / error)
    assert found.p[0] == pytest.approx(2 * stats.t(4).sf(abs(value / error)))
    assert found.half[0] == pytest.approx(stats.t(4).ppf(0.975) * error)


def test_independent_difference_has_the_degrees_of_the_smaller_side():
    random = np.random.default_rng(6)
    first, second = random.random((4, 60)) < random.random(60), random.random((7, 60)) < 0.5
    a, b, found = two(first, second, unpaired=("b",))
    v = [(sample.influence[0] ** 2).sum() for sample in (a, b)]
    t = (a.value[0] - b.value[0]) / math.sqrt(sum(v))
    assert not found.paired and found.units == 11
    assert found.statistic[0] == pytest.approx(t)
    assert found.p[0] == pytest.approx(2 * stats.t(3).sf(abs(t)))


def test_members_that_lack_a_partner_take_part_with_fewer_degrees():
    random = np.random.default_rng(7)
    first, second = random.random((4, 60)) < 0.3, random.random((6, 60)) < 0.5
    a, b, found = two(first, second)
    joint = np.pad(a.influence[0], (0, 2)) - b.influence[0]
    t = found.value[0] / np.linalg.norm(joint)
    assert found.units == 6 and found.statistic[0] == pytest.approx(t)
    assert found.p[0] == pytest.approx(2 * stats.t(3).sf(abs(t)))


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (np.eye(1, 8), np.eye(3, 8), "no two masks share"),
        (np.eye(2, 8), np.eye(3, 8), "at least 3 masks; there are 2"),
        (np.ones((3, 8)), np.eye(3, 8), "keeps all weights, or none"),
        (np.eye(3, 8), np.zeros((3, 8)), "keeps all weights, or none"),
        (np.eye(3, 8), np.diag([1, 0, 0]) @ np.eye(3, 8), "leaves nothing that varies"),
        (np.tile(np.eye(1, 8), (3, 1)), np.tile(np.eye(1, 8), (3, 1)), "nothing varies"),
    ],
)
def test_no_test_without_something_to_compare(first, second, why):
    *_, found = two(first > 0, second > 0)
    assert why in found.why[0] and np.isnan(found.p[0]) and np.isnan(found.statistic[0])
