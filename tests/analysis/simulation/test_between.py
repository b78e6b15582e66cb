"""Levels, power and coverage of the comparisons between populations, on masks with known properties.

Every rate is compared with its nominal value within 3.5 binomial standard errors of its replicates.
"""

import functools
import math

import numpy as np
import pytest

from masklab.analysis import design as designs
from masklab.analysis.between import clustering, paired, pairwise, permanova, permdisp, permutations
from tests.analysis.simulation import masks

SIZE = 120
REPLICATES = 160
DESIGNS = [(5, 2, 1), (8, 2, 1), (5, 3, 1), (8, 3, 2)]
"""Units, populations, draws of base weights."""

DIFFERENT = [(8, 2, 1), (8, 3, 2)]


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
def replicates(
    shape, *, tests=("permanova", "permdisp"), varying=False, wider=(), moved=(), number=REPLICATES
):
    """For each test its rows in independent replicates of one experiment with given shared preferences."""
    design = design_of(*shape)
    random = np.random.default_rng([*shape, varying, len(wider), len(moved)])
    common = random.standard_normal((design.draws, SIZE))
    found = {test: [] for test in tests}
    for at in range(REPLICATES):
        squared = simulate(random, design, common=common, varying=varying, wider=wider, moved=moved)
        for test, rows in found.items():
            rows.append(TESTS[test](design, squared, at))
    return found


TESTS = {"permanova": permanova.row, "permdisp": permdisp.row}


def level_of(design):
    """The largest level up to .05, or the smallest there is, that the relabelings of a design can have."""
    smallest = permutations.of(design, 0).smallest_p
    return max(math.floor(0.05 / smallest + 1e-9), 1) * smallest


def rejected(rows, level):
    return np.mean([row["p"] <= level + 1e-9 for row in rows])


def error(share, number=REPLICATES):
    """3.5 standard errors of an observed share."""
    return 3.5 * math.sqrt(share * (1 - share) / number)


def covered(rows, truth=None):
    """Share of the intervals that contain the truth, by default the mean of the estimates."""
    estimates = [row["estimate"] for row in rows]
    truth = np.mean([one["value"] for one in estimates]) if truth is None else truth
    return np.mean([one["low"] <= truth <= one["high"] for one in estimates])


@pytest.mark.parametrize("shape", DESIGNS, ids=str)
def test_permanova_holds_its_level_when_seeds_are_paired(shape):
    level = level_of(design_of(*shape))
    assert abs(rejected(replicates(shape)["permanova"], level) - level) <= error(level)


@pytest.mark.parametrize("shape", DESIGNS, ids=str)
def test_permdisp_holds_its_level(shape):
    level = level_of(design_of(*shape))
    assert rejected(replicates(shape)["permdisp"], level) <= level + error(level)


@pytest.mark.parametrize("shape", [(5, 2, 1), (12, 2, 4)], ids=str)
def test_permdisp_holds_its_level_where_members_differ_in_their_distance(shape):
    """Here exchanging distances as they are, or residuals, rejects too often."""
    rows = replicates(shape, tests=("permdisp",), varying=True)["permdisp"]
    level = level_of(design_of(*shape))
    assert rejected(rows, level) <= level + error(level)
    assert covered(rows, 0.0) >= 0.95 - error(0.95)


@pytest.mark.parametrize("shape", DIFFERENT, ids=str)
def test_a_pure_location_difference_is_found_by_permanova_and_not_by_permdisp(shape):
    found = replicates(shape, moved=(1,))
    level = level_of(design_of(*shape))
    assert rejected(found["permanova"], level) >= 0.9
    assert rejected(found["permdisp"], level) <= level + error(level)


@pytest.mark.parametrize("shape", DIFFERENT, ids=str)
def test_a_spread_difference_is_found_by_permdisp(shape):
    rows = replicates(shape, tests=("permdisp",), wider=(1,))["permdisp"]
    assert rejected(rows, level_of(design_of(*shape))) >= 0.7
    if shape[1] == 2:
        assert np.mean([row["estimate"]["high"] < 0 for row in rows]) >= 0.7


HOW = [{}, {"moved": (1,)}, {"tests": ("permdisp",), "wider": (1,)}]


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("shape", DIFFERENT, ids=str)
def test_intervals_cover_what_is_expected_of_as_many_members(shape, how):
    for rows in replicates(shape, **how).values():
        assert covered(rows) >= 0.95 - error(0.95)


def test_difference_of_spread_has_no_bias_towards_either_population():
    rows = replicates((5, 2, 1))["permdisp"]
    assert covered(rows, 0.0) >= 0.95 - error(0.95)
    values = [row["estimate"]["value"] for row in rows]
    assert abs(np.mean(values)) <= 3.5 * np.std(values) / math.sqrt(len(values))


@pytest.mark.parametrize("paired_seeds", [True, False])
@pytest.mark.parametrize("units", [5, 8])
def test_accuracies_are_compared_at_the_nominal_level_and_their_intervals_cover(units, paired_seeds):
    free = [] if paired_seeds else ["b"]
    design = design_of(units, 2, 1)
    design = designs.make(design.ids, dict.fromkeys(design.ids, 0), unpaired=free)
    random = np.random.default_rng(units)
    rows = []
    for at in range(REPLICATES):
        effects = random.normal(0.8, 0.05, 3 * units)[design.unit] * paired_seeds
        accuracies = effects + random.normal(0, 0.02, len(design))
        rows += paired.rows(design, dict(zip(design.ids, accuracies.tolist(), strict=True)), at)
    level = 1 / 16 if paired_seeds and units == 5 else 0.05
    assert abs(rejected(rows, level) - level) <= error(level, len(rows))
    assert covered(rows, 0.0) >= 0.95 - error(0.95, len(rows))


def test_a_difference_of_accuracies_is_found_through_the_seeds_it_shares():
    design = design_of(8, 2, 1)
    random = np.random.default_rng(1)
    rows = []
    for at in range(REPLICATES):
        accuracies = random.normal(0.8, 0.05, 8)[design.unit] + random.normal(0, 0.01, 16)
        accuracies += 0.02 * (design.population == 0)
        rows += paired.rows(design, dict(zip(design.ids, accuracies.tolist(), strict=True)), at)
    assert rejected(rows, 0.05) >= 0.8
    assert covered(rows, 0.02) >= 0.95 - error(0.95)


@pytest.mark.parametrize("moved", [(), (1,)])
def test_agreement_of_clusters_with_populations(moved):
    """Distances of paired seeds are alike, so that clusters are of seeds; only real differences count."""
    design = design_of(8, 2, 2)
    random = np.random.default_rng(2)
    p = []
    for at in range(REPLICATES):
        squared = simulate(random, design, moved=moved)
        relabelings = permutations.of(design, at)
        clusters, _ = clustering.linked(np.sqrt(squared), 4)
        observed = float(clustering.adjusted_rand(clusters, design.population[None])[0])
        outcome = relabelings.test(observed, functools.partial(clustering.adjusted_rand, clusters))
        p.append(outcome.p)
    rate = np.mean(np.array(p) <= 0.05)
    assert rate >= 0.5 if moved else rate <= 0.05 + error(0.05)


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
