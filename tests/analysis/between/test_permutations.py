import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.analysis import design as designs
from masklab.analysis.between import permutations


def partition(labels):
    """The groups that labels make, whatever these are called."""
    return frozenset(frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()))


def brute_force(labels, strata):
    """Every way to exchange labels within strata, up to renaming of labels that can stand for each other."""
    own = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    found = set()
    for orders in itertools.product(*(set(itertools.permutations(labels[places])) for places in own)):
        result = labels.copy()
        for places, order in zip(own, orders, strict=True):
            result[places] = order
        found.add(tuple(result.tolist()))
    columns = columns_of(labels, strata)
    return {named(result, columns) for result in found}


def columns_of(labels, strata):
    """Members of each label in each stratum."""
    return {
        int(label): tuple(int(((labels == label) & (strata == one)).sum()) for one in np.unique(strata))
        for label in np.unique(labels)
    }


def named(labels, columns):
    """The groups of labels, with the sizes per stratum that tell labels apart."""
    labels = np.array(labels)
    groups = [(columns[int(label)], tuple(np.flatnonzero(labels == label))) for label in columns]
    return frozenset(groups)


@st.composite
def small(draw):
    members = draw(st.integers(1, 7))
    labels = draw(st.lists(st.integers(0, 2), min_size=members, max_size=members))
    strata = draw(st.lists(st.integers(0, 2), min_size=members, max_size=members))
    return np.array(labels), np.array(strata)


@given(small())
@settings(deadline=None, max_examples=60)
def test_enumerates_every_distinct_relabeling_once_and_the_observed_one_first(case):
    labels, strata = case
    possible = permutations.make(labels, strata, 0)
    [found] = possible.chunks()
    expected = brute_force(possible.labels, strata)
    columns = columns_of(possible.labels, strata)
    assert possible.exact
    assert possible.distinct == possible.permutations == len(found) == len(expected)
    assert {named(row, columns) for row in found} == expected
    assert (found[0] == possible.labels).all()


@pytest.mark.parametrize(
    ("labels", "strata", "distinct"),
    [
        ([0, 1] * 5, np.repeat(range(5), 2), 16),  # the published example: five pairs
        ([0, 0, 0, 1, 1, 1], [0] * 6, 10),
        ([0, 0, 1, 1, 1, 1], [0] * 6, 15),
        ([0, 1, 2] * 3, np.repeat(range(3), 3), 36),
        ([0, 1, 0, 1, 0], [0, 0, 1, 1, 2], 4),  # the last member tells the labels apart
        ([0, 0, 1, 1], [0, 0, 1, 1], 1),
        ([3, 3, 3], [0, 0, 0], 1),
        (list(range(12)), [0] * 12, 1),
    ],
)
def test_counts_relabelings_that_can_change_a_statistic(labels, strata, distinct):
    possible = permutations.make(np.array(labels), np.array(strata), 0)
    assert possible.distinct == distinct
    assert possible.smallest_p == 1 / distinct
    assert sum(len(chunk) for chunk in possible.chunks()) == distinct


@given(small(), small())
@settings(deadline=None, max_examples=40)
def test_parts_are_enumerated_each_for_itself(first, second):
    """Every pair of an arrangement of one part and one of the other, each up to its own names."""
    sizes = [len(first[0]), len(second[0])]
    labels = np.concatenate([first[0], second[0]])
    strata = np.concatenate([first[1], 10 + second[1]])
    parts = np.repeat([0, 1], sizes)
    possible = permutations.make(labels, strata, 0, parts=parts)
    found = np.concatenate(list(possible.chunks())) if possible.exact else None
    own = [brute_force(*part) for part in (first, second)]
    assert possible.distinct == len(own[0]) * len(own[1])
    if found is None:
        return
    names = np.unique(labels)[found]
    expected = set(itertools.product(*own))
    seen = [
        tuple(named(row[parts == at], columns_of(*part)) for at, part in enumerate((first, second)))
        for row in names
    ]
    assert len(seen) == len(set(seen)) == len(expected)
    assert set(seen) == expected
    assert (found[0] == possible.labels).all()


def test_labels_stay_in_their_strata_and_every_arrangement_is_drawn_as_often():
    labels, strata = np.array([0, 1, 1, 0, 1, 2] * 3), np.repeat(range(6), 3)
    labels[-1] = 7
    possible = permutations.make(labels, strata, 1)
    drawn = permutations._drawn(possible, np.random.RandomState(0), 6_000)
    for stratum in range(6):
        own = strata == stratum
        assert (np.sort(drawn[:, own], axis=1) == np.sort(possible.labels[own])).all()
        counts = Counter(map(tuple, drawn[:, own]))
        expected = 6_000 / len(set(itertools.permutations(possible.labels[own].tolist())))
        assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in counts.values())
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 3])[0, 1]) < 0.05


def test_many_relabelings_are_drawn_in_chunks_and_repeatably(monkeypatch):
    monkeypatch.setattr(permutations, "_CELLS", 5_000)
    possible = permutations.make(np.array([0, 1] * 20), np.repeat(range(20), 2), 3)
    assert not possible.exact
    assert possible.smallest_p == 1 / 10_000
    first = list(possible.chunks())
    assert max(chunk.size for chunk in first) <= 5_000
    assert sum(len(chunk) for chunk in first) == possible.permutations == 9_999
    again = np.concatenate(list(possible.chunks()))
    assert (np.concatenate(first) == again).all()
    other = permutations.make(possible.labels, possible.strata, 4)
    assert (np.concatenate(list(other.chunks())) != again).any()


def test_p_counts_the_observed_labels():
    values = np.array([5.0, 1.0, 6.0, 2.0, 7.0, 3.0])
    possible = permutations.make(np.array([0, 1] * 3), np.repeat(range(3), 2), 0)

    def apart(labels):
        return np.abs(((labels == 0) @ values - (labels == 1) @ values) / 3)

    outcome = possible.test(4.0, apart)
    assert (outcome.p, outcome.permutations, outcome.exact, outcome.why) == (0.25, 4, True, "")
    assert outcome.chance == pytest.approx((4 + 3 * 4 / 3) / 4)
    assert possible.test(0.0, apart).p == 1.0


def test_equal_statistics_that_are_rounded_differently_count_as_equal():
    possible = permutations.make(np.array([0, 1] * 3), np.repeat(range(3), 2), 0)
    assert possible.test(1.0, lambda labels: np.full(len(labels), 1.0 - 1e-13)).p == 1.0


def test_p_of_drawn_relabelings_is_never_zero(monkeypatch):
    monkeypatch.setattr(permutations, "PERMUTATIONS", 99)
    possible = permutations.make(np.array([0, 1] * 9), np.repeat(range(9), 2), 0)
    outcome = possible.test(2.0, lambda labels: np.zeros(len(labels)))
    assert (outcome.p, outcome.smallest_p, outcome.permutations, outcome.exact) == (0.01, 0.01, 99, False)


def test_no_p_where_no_other_labels_are_possible():
    outcome = permutations.make(np.array([0, 1]), np.array([0, 1]), 0).test(1.0, lambda labels: np.ones(1))
    assert outcome.p is None
    assert "no other labels are possible" in outcome.why


def test_strata_are_seeds_and_draws_where_seeds_are_known_and_draws_elsewhere():
    ids = [f"{name}/{index:04d}" for name in "ab" for index in range(6)]
    blocks = {member: int(member[2:]) % 2 for member in ids}
    known = permutations.of(designs.make(ids, blocks), 0)
    assert partition(known.strata) == partition(np.tile(range(6), 2))
    assert known.distinct == 2**6 // 2
    unknown = permutations.of(designs.make(ids, blocks, unpaired={"b"}), 0)
    assert partition(unknown.strata) == partition(np.tile([0, 1], 6))
    assert unknown.distinct == 20**2 // 2


def test_a_missing_member_leaves_its_partner_out():
    ids = ["a/0000", "a/0001", "a/0002", "b/0000", "b/0002"]
    possible = permutations.of(designs.make(ids, dict.fromkeys(ids, 0)), 0)
    [found] = possible.chunks()
    assert possible.distinct == len(found) == 4
    assert (found[:, 1] == 0).all()


def test_same_seeds_on_other_base_weights_are_not_exchanged():
    ids = ["a/0000", "a/0001", "b/0000", "b/0001"]
    blocks = {"a/0000": 0, "a/0001": 0, "b/0000": 1, "b/0001": 0}
    assert permutations.of(designs.make(ids, blocks), 0).distinct == 2
