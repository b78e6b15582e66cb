import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.analysis import design as designs
from masklab.analysis import estimates
from masklab.analysis.between import permanova, permutations
from tests.analysis.between import synthetic

# scikit-bio's published cases, which its authors checked with vegan's adonis in R
TIES = [[0, 1, 1, 4], [1, 0, 3, 2], [1, 3, 0, 3], [4, 2, 3, 0]]
NO_TIES = [[0, 1, 5, 4], [1, 0, 3, 2], [5, 3, 0, 3], [4, 2, 3, 0]]
UNEQUAL = [
    [0.0, 1.0, 0.1, 0.5678, 1.0, 1.0],
    [1.0, 0.0, 0.002, 0.42, 0.998, 0.0],
    [0.1, 0.002, 0.0, 1.0, 0.123, 1.0],
    [0.5678, 0.42, 1.0, 0.0, 0.123, 0.43],
    [1.0, 0.998, 0.123, 0.123, 0.0, 0.5],
    [1.0, 0.0, 1.0, 0.43, 0.5, 0.0],
]


def labelled(names):
    """A design of independent members on one draw with the given populations."""
    ids = [f"{name}/{at:04d}" for at, name in enumerate(names)]
    return designs.make(ids, dict.fromkeys(ids, 0), unpaired=set(names))


def by_points(design, where, kept=None):
    """Explained and total sum of squares of points, from centroids."""
    kept = np.ones(len(design), dtype=bool) if kept is None else kept
    between = total = 0.0
    for block in np.unique(design.block):
        own = kept & (design.block == block)
        if len(np.unique(design.population[design.block == block])) < 2 or not own.any():
            continue
        centre = where[own].mean(axis=0)
        total += ((where[own] - centre) ** 2).sum()
        for label in np.unique(design.population[own]):
            group = own & (design.population == label)
            between += group.sum() * ((where[group].mean(axis=0) - centre) ** 2).sum()
    return between, total


@pytest.mark.parametrize(
    ("distance", "names", "statistic"),
    [(TIES, "ccff", 2.0), (NO_TIES, "ccff", 4.4), (UNEQUAL, "cdedcc", 0.578848)],
)
def test_published_values(distance, names, statistic):
    row = permanova.row(labelled(names), np.array(distance, dtype=float) ** 2, 0)
    assert row["statistic"] == pytest.approx(statistic, abs=5e-7)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_bio(seed):
    from skbio import DistanceMatrix
    from skbio.stats import distance

    random = np.random.default_rng(seed)
    names = random.choice(list("abc"), 21)
    design = labelled(names)
    _, squared = synthetic.points(design, seed)
    theirs = distance.permanova(DistanceMatrix(np.sqrt(squared)), names, permutations=0)
    row = permanova.row(design, squared, seed)
    assert row["statistic"] == pytest.approx(theirs["test statistic"], rel=1e-9)


@given(st.integers(3, 6), st.integers(2, 4), st.integers(1, 2), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_sums_of_squares_are_those_of_centroids_within_draws(units, populations, draws, seed):
    design = synthetic.design_of(units, populations, draws)
    random = np.random.default_rng(seed)
    gone = random.choice(len(design), 2, replace=False)
    design = design.only(np.setdiff1d(np.arange(len(design)), gone))
    where, squared = synthetic.points(design, seed)
    prepared = permanova.location(design, squared)
    between, total = by_points(design, where)
    assert prepared.total == pytest.approx(total)
    assert prepared.share == pytest.approx(between / total)
    units_of = prepared.design.unit
    left = prepared.without(np.unique(units_of)[:, None] != units_of)
    for unit, found in zip(np.unique(units_of), left, strict=True):
        between, total = by_points(design, where, design.unit != unit)
        assert found == pytest.approx(between / total) if total > 0 else np.isnan(found)


def test_statistic_effect_and_interval():
    design = synthetic.design_of(8, 3, 2)
    where, squared = synthetic.points(design)
    row = permanova.row(design, squared, 0)
    between, total = by_points(design, where)
    assert row["statistic"] == pytest.approx((between / 4) / ((total - between) / 18))
    left = np.array([np.divide(*by_points(design, where, design.unit != unit)) for unit in range(8)])
    half = estimates.t_quantile(7) * np.sqrt(7 / 8 * ((left - left.mean()) ** 2).sum())
    assert row["estimate"]["value"] == pytest.approx(between / total)
    assert row["estimate"]["low"] == pytest.approx(between / total - half)
    assert row["estimate"]["high"] == pytest.approx(between / total + half)
    assert (row["units"], row["blocks"], row["n"]) == (8, 2, 24)
    assert row["chance"] == pytest.approx(4 / 22, rel=0.05)


def test_exact_p_of_five_pairs_is_the_share_of_the_sixteen_relabelings():
    design = synthetic.design_of(5, 2)
    where, squared = synthetic.points(design)
    shares = []
    for bits in range(16):
        labels = design.population.copy()
        for unit in range(4):
            if bits >> unit & 1:
                labels[design.unit == unit] = 1 - labels[design.unit == unit]
        first, second = where[labels == 0].mean(axis=0), where[labels == 1].mean(axis=0)
        shares.append(((first - second) ** 2).sum())
    row = permanova.row(design, squared, 0)
    assert row["p"] == np.mean(np.array(shares) >= shares[0] * (1 - 1e-9))
    assert (row["smallest_p"], row["exact"], row["permutations"]) == (1 / 16, True, 16)


def test_a_draw_of_one_population_is_left_out():
    design = synthetic.design_of(4, 2)
    _, squared = synthetic.points(design)
    ids = [*design.ids, "a/0004", "a/0005"]
    wider = designs.make(ids, {member: int(int(member[2:]) > 3) for member in ids})
    _, more = synthetic.points(wider, 1)
    more[:8, :8] = squared
    row, expected = permanova.row(wider, more, 0), permanova.row(design, squared, 0)
    assert row == expected
    assert (row["n"], row["blocks"], row["units"], row["estimate"]["n"]) == (8, 1, 4, 4)


@pytest.mark.parametrize("draws", [1, 2])
def test_an_imported_population_on_a_draw_of_its_own_leaves_the_pairs_of_the_others(draws):
    design = synthetic.design_of(6, 2, draws)
    ids = [*design.ids, *(f"c/{at:04d}" for at in range(5))]
    blocks = {member: 9 if member[0] == "c" else int(member[2:]) % draws for member in ids}
    wider = designs.make(ids, blocks, unpaired={"c"})
    _, more = synthetic.points(wider, 1)
    row, expected = permanova.row(wider, more, 0), permanova.row(design, more[:12, :12], 0)
    assert row == expected
    assert (row["permutations"], row["units"], row["estimate"]["n"]) == (2**6 // 2**draws, 6, 6)


def test_missing_members_leave_as_many_units_in_the_row_as_in_its_interval():
    design = synthetic.design_of(8, 3, 2)
    gone = [design.ids.index(one) for one in ("a/0000", "a/0003", "b/0000", "c/0000", "b/0005")]
    some = design.only(np.setdiff1d(np.arange(len(design)), gone))
    row = permanova.row(some, synthetic.points(some)[1], 0)
    assert row["units"] == row["estimate"]["n"] == 7
    assert (row["n"], row["blocks"]) == (19, 2)


@pytest.mark.parametrize("populations", [2, 3])
@pytest.mark.parametrize("draws", [1, 3, 4])
def test_separated_populations_have_the_smallest_p(draws, populations):
    """Renaming the populations on one draw only changes no sum of squares, and so is no other labeling."""
    design = synthetic.design_of(2 * draws if populations == 3 else 3 * draws, populations, draws)
    where, _ = synthetic.points(design)
    where[:, 0] += 100.0 * design.population
    row = permanova.row(design, ((where[:, None] - where[None]) ** 2).sum(axis=-1), 0)
    per_draw = 6 if populations == 3 else 4
    assert row["exact"]
    assert row["p"] == row["smallest_p"] == pytest.approx(1 / per_draw**draws)


@pytest.mark.parametrize(
    ("design", "why"),
    [
        (synthetic.design_of(4, 1), "there is one population"),
        (synthetic.design_of(1, 1), "there is one population"),
        (synthetic.design_of(4, 2, 4), "no population has two members on one draw"),
        (
            designs.make(["a/0000", "b/0000"], {"a/0000": 0, "b/0000": 1}),
            "no draw of base weights has members of two",
        ),
    ],
)
def test_null_with_a_reason(design, why):
    row = permanova.row(design, synthetic.points(design)[1], 0)
    assert why in row["why"]
    assert why in row["estimate"]["why"]
    assert (row["statistic"], row["estimate"]["value"], row["p"]) == (None, None, None)


def test_equal_masks_have_no_statistic():
    design = synthetic.design_of(4, 2)
    row = permanova.row(design, np.zeros((8, 8)), 0)
    assert row["why"] == "all masks of a draw of base weights are equal"


def test_populations_without_spread_have_an_infinite_statistic():
    design = synthetic.design_of(4, 2)
    row = permanova.row(design, (design.population[:, None] != design.population).astype(float), 0)
    assert row["estimate"]["value"] == 1.0
    assert row["statistic"] is None
    assert "no F" in row["why"]
    assert row["p"] == 1 / 8


def test_two_units_give_no_interval():
    design = synthetic.design_of(2, 2)
    row = permanova.row(design, synthetic.points(design)[1], 0)
    assert row["estimate"]["low"] is None
    assert row["estimate"]["why"] == "an interval needs at least 3 seeds; there are 2"


def test_no_relabeling_means_no_p():
    ids = ["a/0000", "a/0001", "b/0002", "b/0003"]
    design = designs.make(ids, dict.fromkeys(ids, 0))
    row = permanova.row(design, synthetic.points(design)[1], 0)
    assert row["p"] is None
    assert row["statistic"] > 0
    assert "no other labels are possible" in row["why"]


def test_chunks_do_not_change_the_result(monkeypatch):
    design = synthetic.design_of(6, 3)
    _, squared = synthetic.points(design)
    row = permanova.row(design, squared, 0)
    monkeypatch.setattr(permutations, "_CELLS", 10_000)
    assert permanova.row(design, squared, 0)["p"] == row["p"]
