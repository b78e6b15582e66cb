"""Type-I error, power and coverage of what is said of predictions, and of structure against function.

Rejections are compared with their nominal level within 3.5 binomial standard errors; coverage may be above
its own, and below it by 2 points and two standard errors.
"""

import math

import numpy as np
import pytest

from masklab.analysis import cells, design, jackknife
from masklab.analysis.function import agreement, by_size, mantel, relabelings, strata

LEVEL = 0.05


def tolerance(rate, replicates):
    return 3.5 * math.sqrt(rate * (1 - rate) / replicates)


def of(populations, draws):
    ids = [f"{name}/{index:04d}" for name, count in populations.items() for index in range(count)]
    return design.make(ids, {one: int(one[-4:]) % draws for one in ids})


def euclidean(points):
    return np.linalg.norm(points[:, None] - points, axis=2)


def rejections(who, draw, replicates, seed):
    """Share of replicates in which the test rejects; `draw(random)` gives both distances."""
    random = np.random.default_rng(seed)
    found = []
    for at in range(replicates):
        structure, behaviour = draw(random)
        found.append(mantel.test(strata.of(structure, behaviour, who), at).p)
    return np.mean(np.array(found) <= LEVEL)


@pytest.fixture
def few_permutations(monkeypatch):
    monkeypatch.setattr(relabelings, "PERMUTATIONS", 199)


def shifted(who, random, by):
    """Distances around one point per population and draw, far from each other by `by`, wider in some."""
    at = np.unique(np.stack([who.population, who.block]), axis=1, return_inverse=True)[1].reshape(-1)
    own = random.standard_normal((len(who), 4)) * (1 + by * at[:, None])
    return euclidean(own + 10 * by * random.standard_normal((at.max() + 1, 4))[at])


@pytest.mark.parametrize(
    ("populations", "draws"), [({"a": 10}, 1), ({"a": 12}, 3), ({"a": 9, "b": 9, "c": 6}, 3)]
)
def test_mantel_rejects_unrelated_distances_at_its_level(populations, draws, few_permutations):
    """Structure and function are independent, and both have other means in every stratum."""
    who, replicates = of(populations, draws), 400

    def draw(random):
        return shifted(who, random, 1.0), shifted(who, random, 1.0)

    assert abs(rejections(who, draw, replicates, 1) - LEVEL) <= tolerance(LEVEL, replicates)


def test_a_pooled_mantel_would_reject_them(few_permutations):
    """Simpson's paradox: one stratum of all members finds the means of the strata."""
    who, replicates = of({"a": 9, "b": 9, "c": 9}, 3), 60
    together = design.make([f"all/{at:04d}" for at in range(27)], {f"all/{at:04d}": 0 for at in range(27)})

    def draw(random):
        means = 4 * np.arange(9)[:, None] * np.ones(4)
        at = 3 * who.population + who.block
        return tuple(euclidean(random.standard_normal((27, 4)) + means[at]) for _ in range(2))

    assert rejections(together, draw, replicates, 2) > 0.95
    assert rejections(who, draw, replicates, 2) <= LEVEL + tolerance(LEVEL, replicates)


@pytest.mark.parametrize("together", [True, False])
def test_seeds_that_populations_share_do_not_make_p_too_small(few_permutations, together):
    """Masks depend on the seed in all populations, and so do predictions, without depending on each other.

    Permuting each population for itself, as for members of unknown seeds, rejects too often.
    """
    names, replicates = "abcd", 400
    ids = [f"{name}/{index:04d}" for name in names for index in range(8)]
    who = design.make(ids, dict.fromkeys(ids, 0), unpaired=() if together else names)

    def draw(random):
        def one():
            shared = np.tile(random.standard_normal((8, 4)), (4, 1))
            return euclidean(shared + 0.3 * random.standard_normal((32, 4)))

        return one(), one()

    rate = rejections(who, draw, replicates, 3)
    assert (abs(rate - LEVEL) <= tolerance(LEVEL, replicates)) == together


@pytest.mark.parametrize(("populations", "least"), [({"a": 12}, 0.3), ({"a": 12, "b": 12, "c": 12}, 0.75)])
def test_mantel_finds_a_planted_relation(populations, least, few_permutations):
    who, replicates = of(populations, 3), 100

    def draw(random):
        points = random.standard_normal((len(who), 4))
        return euclidean(points), euclidean(points + 0.8 * random.standard_normal((len(who), 4)))

    assert rejections(who, draw, replicates, 4) >= least


def coverage(intervals, truth):
    low, high = np.array(intervals, dtype=float).T
    return np.mean((low <= truth) & (truth <= high))


def least_coverage(replicates):
    """Nominal 0.95 less 2 points, and two standard errors."""
    return 0.93 - 2 * math.sqrt(0.95 * 0.05 / replicates)


@pytest.mark.parametrize(
    ("populations", "draws", "noise"),
    [({"a": 12}, 1, 0.3), ({"a": 12}, 1, 1.0), ({"a": 12}, 1, None), ({"a": 15, "b": 15}, 3, 1.0)],
)
def test_intervals_of_mantel_cover_the_correlation(populations, draws, noise, monkeypatch):
    """The truth is the correlation over very many pairs of independent members; `noise` None: unrelated."""
    monkeypatch.setattr(relabelings, "PERMUTATIONS", 99)
    random, replicates = np.random.default_rng(5), 400 // len(populations)

    def draw(count):
        points = random.standard_normal((count, 4))
        other = random.standard_normal((count, 4))
        return points, other if noise is None else points + noise * other

    halves = [np.linalg.norm(points[::2] - points[1::2], axis=1) for points in draw(200_000)]
    truth, who = np.corrcoef(*halves)[0, 1], of(populations, draws)
    found = []
    for _ in range(replicates):
        first, second = map(euclidean, draw(len(who)))
        row = mantel.rows(first, second, who, 0)[-1]
        found.append((row["estimate"]["low"], row["estimate"]["high"]))
    assert coverage(found, truth) >= least_coverage(replicates)


@pytest.mark.parametrize("members", [5, 12, 20])
@pytest.mark.parametrize("related", [True, False])
def test_intervals_of_mantel_cover_where_members_have_lognormal_spread(members, related, monkeypatch):
    """A few members are far from the rest, in masks and predictions, together or not; r itself is covered."""
    monkeypatch.setattr(relabelings, "PERMUTATIONS", 99)
    random, replicates, who = np.random.default_rng(members), 300, of({"a": members}, 1)

    def draw(count):
        spread = np.exp(random.standard_normal((2, count, 1)))
        first, second = spread[0] * random.standard_normal((2, count, 30))
        return first, second if related else second * spread[1] / spread[0]

    halves = [np.linalg.norm(points[::2] - points[1::2], axis=1) for points in draw(200_000)]
    truth, found, p = np.corrcoef(*halves)[0, 1] if related else 0.0, [], []
    for at in range(replicates):
        first, second = map(euclidean, draw(members))
        (row,) = mantel.rows(first, second, who, at)
        found.append((row["estimate"]["low"], row["estimate"]["high"]))
        p.append(row["p"])
    assert coverage(found, truth) >= least_coverage(replicates)
    rate = np.mean(np.array(p) <= LEVEL)
    assert rate >= 0.5 if related else abs(rate - LEVEL) <= tolerance(LEVEL, replicates)


IMAGES, LABELS = 100, 4
DIFFICULTY = np.linspace(-1.5, 2.5, IMAGES)
SKILL = 1.2
"""Standard deviation of how good members are: large, so that single members matter."""


def right(skill):
    """Probability that members of these skills are right `[*, images]`; wrong classes are equally likely."""
    return 1 / (1 + np.exp(DIFFICULTY - SKILL * skill[..., None]))


def predicted(random, skill):
    """Predicted classes; the true one is always 0."""
    wrong = random.integers(1, LABELS, (*skill.shape, IMAGES))
    return np.where(random.random(wrong.shape) < right(skill), 0, wrong).astype(np.uint16)


def expected_disagreement(shared):
    """Of two members of one skill, or of independent ones; the mean over skills on a fine grid."""
    skill = np.linspace(-6, 6, 4001)
    density = np.exp(-(skill**2) / 2)
    density /= density.sum()
    p = right(skill)
    agreed = p**2 + (1 - p) ** 2 / (LABELS - 1)
    mean = density @ p
    independent = mean**2 + (1 - mean) ** 2 / (LABELS - 1)
    return 1 - (density @ agreed if shared else independent).mean()


def test_intervals_of_disagreement_cover_it():
    """Within and between populations, of equal and of different seeds."""
    random, replicates, who = np.random.default_rng(6), 400, of({"a": 10, "b": 10}, 1)
    found = {}
    for _ in range(replicates):
        skill = np.tile(random.standard_normal(10), 2)
        statistic = next(agreement.statistics(predicted(random, skill), LABELS))
        for cell in cells.of(who):
            values = statistic.values[np.ix_(cell.rows, cell.columns)][None]
            units = who.unit[cell.rows], who.unit[cell.columns]
            means = jackknife.mean_over_pairs(values, cell.chosen, *units)
            found.setdefault((cell.a, cell.b, cell.seed), []).append((means.low[0], means.high[0]))
    assert len(found) == 4
    for (_, _, seed), intervals in found.items():
        assert coverage(intervals, expected_disagreement(seed == "same")) >= least_coverage(replicates)


def soft(random, members):
    """Probabilities, and predicted classes, of members of different skill."""
    logits = random.standard_normal((*members, IMAGES, LABELS))
    logits[..., 0] += SKILL * random.standard_normal(members)[..., None] - DIFFICULTY + 1
    powers = np.exp(2 * logits)
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32), logits.argmax(axis=-1)


def test_intervals_of_ensembles_cover_accuracy_and_gain():
    """The truth is the mean over very many ensembles of new members."""
    random, replicates, members = np.random.default_rng(7), 150, 8
    truth = np.zeros(IMAGES, dtype=np.int64)
    mean_member = (soft(random, (20_000,))[1] == 0).mean()
    expected = {}
    for size in (2, 4, 8):
        accuracy = (soft(random, (2_000, size))[0].sum(axis=1).argmax(axis=-1) == 0).mean()
        expected[size] = accuracy, accuracy - mean_member
    found = {}
    for _ in range(replicates):
        probabilities, classes = soft(random, (members,))
        measured = by_size.measure(probabilities, classes.astype(np.uint16), truth, 0)
        for at, size in enumerate(measured.sizes):
            for which, given in enumerate((measured.accuracy, measured.gain)):
                row = given["average"][at]
                found.setdefault((size, which), []).append((row["low"], row["high"]))
    for size, values in expected.items():
        for which, value in enumerate(values):
            assert coverage(found[size, which], value) >= least_coverage(replicates), (size, which)
