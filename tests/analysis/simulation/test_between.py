"""Levels, power and coverage of the comparisons between populations, on masks with known properties.

Rates of rejection and coverages may be 2 points, and 2 binomial standard errors of their replicates, away
from their nominal value: in both directions, so that a test that never rejects fails. Conservative tests and
intervals, which may err in one direction only, are named so.
"""

import functools
import math

import numpy as np
import pytest

from masklab.analysis import design as designs
from masklab.analysis.between import clustering, paired, pairwise, permanova, permdisp, permutations
from tests.analysis.simulation import masks

SIZE = 120
REPLICATES = 1_000
FEWER = 200
"""Replicates for power, and for what is conservative."""

SHAPES = [(8, 2, 1), (8, 3, 2)]
"""Units, populations, draws of base weights."""


@pytest.fixture(autouse=True)
def few_relabelings(monkeypatch):
    """99 random relabelings have levels that are multiples of 1/100; their number is not what is tested."""
    monkeypatch.setattr(permutations, "PERMUTATIONS", 99)


def design_of(units, populations, draws):
    ids = [f"{'abcd'[at]}/{unit:04d}" for at in range(populations) for unit in range(units)]
    return designs.make(ids, {member: int(member[2:]) % draws for member in ids})


def simulate(random, design, *, common=None, varying=False, wider=(), moved=()):
    """Squared distances (Hamming) of masks with paired seeds and, on each draw, a shared preference.

    Args:
        random: Source of everything.
        design: Who is made.
        common: The shared preference of each draw; drawn anew by default.
        varying: Members follow the shared preference more or less, each at random.
        wider: Populations whose members hardly follow it.
        moved: Populations whose masks have half of their weights exchanged: distances within them stay equal.
    """
    if common is None:
        common = random.standard_normal((design.draws, SIZE))
    seeds = random.standard_normal((int(design.unit.max()) + 1, SIZE))
    strength = np.full(len(design), 0.5)
    if varying:
        strength = random.choice([0.2, 0.85], len(design))
    strength[np.isin(design.population, wider)] = 0.1
    found = np.empty((len(design), SIZE), dtype=bool)
    for block in range(design.draws):
        for level in np.unique(strength):
            own = np.flatnonzero((design.block == block) & (strength == level))
            how = {
                "common": common[block],
                "strength": level,
                "seeds": seeds[design.unit[own]],
                "pairing": 0.5,
            }
            found[own] = masks.masks(random, len(own), SIZE, 0.5, **how)
    for population in moved:
        own = np.flatnonzero(design.population == population)
        found[own] = found[own][:, np.roll(np.arange(SIZE), SIZE // 2)]
    shared = masks.intersections(found)
    kept = shared.diagonal()
    return (kept[:, None] + kept - 2 * shared) / SIZE


@functools.cache
def replicates(test, shape, *, count=REPLICATES, varying=False, wider=(), moved=()):
    """Rows of one test in independent replicates of one experiment with given shared preferences."""
    design = design_of(*shape)
    random = np.random.default_rng([*shape, varying, len(wider), len(moved)])
    common = random.standard_normal((design.draws, SIZE))
    found = []
    for at in range(count):
        squared = simulate(random, design, common=common, varying=varying, wider=wider, moved=moved)
        found.append(TESTS[test](design, squared, at))
    return found


TESTS = {"permanova": permanova.row, "permdisp": permdisp.row}


def level_of(rows):
    """The largest level up to .05, or the smallest there is, that a test can have."""
    smallest = rows[0]["smallest_p"]
    return max(math.floor(0.05 / smallest + 1e-9), 1) * smallest


def rejected(rows, level):
    return np.mean([row["p"] <= level + 1e-9 for row in rows])


def tolerance(share, count):
    """2 points and 2 standard errors of an observed share."""
    return 0.02 + 2 * math.sqrt(share * (1 - share) / count)


def covered(rows, truth=None):
    """Share of the intervals that contain the truth, by default the mean of the estimates."""
    estimates = [row["estimate"] for row in rows]
    truth = np.mean([one["value"] for one in estimates]) if truth is None else truth
    return np.mean([one["low"] <= truth <= one["high"] for one in estimates])


def holds_its_level(rows, *, conservative=False):
    level = level_of(rows)
    away = rejected(rows, level) - level
    return (away if conservative else abs(away)) <= tolerance(level, len(rows))


def covers(rows, truth=None, *, conservative=False):
    away = 0.95 - covered(rows, truth)
    return (away if conservative else abs(away)) <= tolerance(0.95, len(rows))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_permanova_holds_its_level_when_seeds_are_paired(shape):
    assert holds_its_level(replicates("permanova", shape))


@pytest.mark.parametrize("shape", [(5, 2, 1), (12, 2, 4)], ids=str)
def test_permdisp_holds_its_level_where_members_differ_in_their_distance(shape):
    """Here exchanging distances as they are, or residuals, rejects too often."""
    rows = replicates("permdisp", shape, varying=True)
    assert holds_its_level(rows)
    assert covers(rows, 0.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_permdisp_is_conservative_where_pairs_and_not_members_vary(shape):
    """A location difference changes no distance within populations, and so nothing here."""
    assert holds_its_level(replicates("permdisp", shape, count=FEWER, moved=(1,)), conservative=True)


def test_a_location_difference_is_found_by_permanova_and_its_intervals_cover():
    rows = replicates("permanova", (8, 2, 1), moved=(1,))
    assert rejected(rows, 0.05) >= 0.9
    assert covers(rows)


def test_a_location_difference_over_several_draws_is_found_by_permanova():
    assert rejected(replicates("permanova", (8, 3, 2), count=FEWER, moved=(1,)), 0.05) >= 0.9


@pytest.mark.parametrize(("shape", "power"), [((8, 2, 1), 0.7), ((8, 3, 2), 0.5)], ids=str)
def test_a_spread_difference_is_found_by_permdisp(shape, power):
    rows = replicates("permdisp", shape, count=FEWER, wider=(1,))
    assert rejected(rows, level_of(rows)) >= power
    if shape[1] == 2:
        assert np.mean([row["estimate"]["high"] < 0 for row in rows]) >= power


@pytest.mark.parametrize(
    ("test", "shape", "how"),
    [
        ("permanova", (8, 2, 1), {}),
        ("permanova", (8, 3, 2), {}),
        ("permanova", (8, 3, 2), {"count": FEWER, "moved": (1,)}),
        ("permdisp", (8, 2, 1), {"count": FEWER, "moved": (1,)}),
        ("permdisp", (8, 3, 2), {"count": FEWER, "moved": (1,)}),
        ("permdisp", (8, 2, 1), {"count": FEWER, "wider": (1,)}),
        ("permdisp", (8, 3, 2), {"count": FEWER, "wider": (1,)}),
    ],
    ids=str,
)
def test_intervals_near_chance_are_conservative(test, shape, how):
    assert covers(replicates(test, shape, **how), conservative=True)


def test_difference_of_spread_has_no_bias_towards_either_population():
    rows = replicates("permdisp", (5, 2, 1), varying=True)
    values = [row["estimate"]["value"] for row in rows]
    assert abs(np.mean(values)) <= 3.5 * np.std(values) / math.sqrt(len(values))


def compared(design, accuracies_of, count=REPLICATES):
    """Rows of the accuracies of two populations in independent replicates."""
    return [
        row
        for at in range(count)
        for row in paired.rows(design, dict(zip(design.ids, accuracies_of().tolist(), strict=True)), at)
    ]


@pytest.mark.parametrize(("units", "paired_seeds"), [(8, True), (5, False)])
def test_accuracies_are_compared_at_the_nominal_level_and_their_intervals_cover(units, paired_seeds):
    free = [] if paired_seeds else ["b"]
    design = design_of(units, 2, 1)
    design = designs.make(design.ids, dict.fromkeys(design.ids, 0), unpaired=free)
    random = np.random.default_rng(units)

    def accuracies():
        effects = random.normal(0.8, 0.05, 3 * units)[design.unit] * paired_seeds
        return effects + random.normal(0, 0.02, len(design))

    rows = compared(design, accuracies)
    assert holds_its_level(rows, conservative=True)
    assert rejected(rows, 0.05) >= 0.01
    assert covers(rows, 0.0, conservative=True)


def test_a_difference_of_accuracies_is_found_through_the_seeds_it_shares():
    design = design_of(8, 2, 1)
    random = np.random.default_rng(1)

    def accuracies():
        each = random.normal(0.8, 0.05, 8)[design.unit] + random.normal(0, 0.01, 16)
        return each + 0.02 * (design.population == 0)

    rows = compared(design, accuracies, FEWER)
    assert rejected(rows, 0.05) >= 0.8
    assert covers(rows, 0.02)


@pytest.mark.parametrize("moved", [(), (1,)])
def test_agreement_of_clusters_with_populations(moved):
    """Distances of paired seeds are alike, so clusters are of seeds: without a difference conservative."""
    design = design_of(8, 2, 2)
    random = np.random.default_rng(2)
    p = []
    for at in range(FEWER):
        squared = simulate(random, design, moved=moved)
        relabelings = permutations.of(design, at)
        clusters, _ = clustering.linked(np.sqrt(squared), 4)
        observed = float(clustering.adjusted_rand(clusters, design.population[None])[0])
        outcome = relabelings.test(observed, functools.partial(clustering.adjusted_rand, clusters))
        p.append(outcome.p)
    rate = np.mean(np.array(p) <= 0.05)
    assert rate >= 0.5 if moved else rate <= 0.05 + tolerance(0.05, FEWER)


@pytest.mark.parametrize("test", [permanova.row, permdisp.row])
def test_false_discoveries_among_pairs_stay_below_their_rate(test):
    """Population d differs from the other three; the other three do not differ."""
    design = design_of(10, 4, 1)
    random = np.random.default_rng(3)
    moved, wider = ((3,), ()) if test is permanova.row else ((), (3,))
    false, found = [], []
    for at in range(30):
        rows = pairwise.rows(test, design, simulate(random, design, moved=moved, wider=wider), at)[1:]
        positive = [row["b"] == "d" for row in rows if row["adjusted_p"] <= 0.05]
        false.append(1 - np.mean(positive) if positive else 0.0)
        found.append(sum(positive) / 3)
    assert np.mean(false) <= 0.05 + 3.5 * np.std(false) / math.sqrt(len(false))
    assert np.mean(found) >= 0.7
