import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab import seeds
from masklab.analysis import estimates
from masklab.analysis.function import by_size, ensemble

from . import studies


def made(seed, members, images, labels):
    random = np.random.RandomState(seed)
    truth = random.randint(0, labels, images)
    classes = studies.guesses(random, members, truth, labels).astype(np.uint16)
    soft = studies.probabilities(random, classes, labels) + 1e-4 * random.random_sample(
        (members, images, labels)
    )
    return soft.astype(np.float32), classes, truth  # no two sums are equal


def voted(classes, truth, labels):
    """Expected accuracy of a plurality vote, ties drawn by lot."""
    right = 0.0
    for image, label in enumerate(truth):
        counts = np.bincount(classes[:, image], minlength=labels)
        best = np.flatnonzero(counts == counts.max())
        right += (label in best) / len(best)
    return right / len(truth)


@given(
    st.integers(0, 2**31),
    st.integers(1, 5),
    st.integers(1, 20),
    st.integers(2, 5),
    st.sampled_from([1, 50, 10**6]),
)
@settings(deadline=None, max_examples=50)
def test_agrees_with_one_ensemble_after_the_other(seed, members, images, labels, at_once):
    probabilities, classes, truth = made(seed, members, images, labels)
    for size in range(1, members + 1):
        chosen = ensemble.subsets_of(members, size, seeds.stream(0, "split"), 500)
        assert len(chosen) == math.comb(members, size) and (chosen.sum(axis=1) == size).all()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ensemble, "_AT_ONCE", at_once)
            found = ensemble.accuracies(chosen, probabilities, classes, truth)
        for at, own in enumerate(itertools.combinations(range(members), size)):
            mine = classes[list(own)]
            assert found["vote"][at] == pytest.approx(voted(mine, truth, labels))
            mean = probabilities[list(own)].sum(axis=0).argmax(axis=1) if size > 1 else mine[0]
            assert found["average"][at] == pytest.approx((mean == truth).mean())


def test_many_subsets_are_drawn():
    chosen = ensemble.subsets_of(40, 8, seeds.stream(0, "split"), ensemble.SUBSETS)
    assert chosen.shape == (ensemble.SUBSETS, 40) and (chosen.sum(axis=1) == 8).all()
    assert len({tuple(row) for row in chosen}) > 490
    assert abs(chosen.mean(axis=0) - 0.2).max() < 0.07


def test_two_voters_are_as_good_as_their_mean():
    _, classes, truth = made(3, 6, 50, 4)
    found = by_size.measure(*made(3, 6, 50, 4), 0)
    at = found.sizes.index(2)
    assert found.accuracy["vote"][at]["value"] == pytest.approx((classes == truth).mean())
    assert found.gain["vote"][at]["value"] == pytest.approx(0, abs=1e-12)


def jackknife(statistic, members):
    everyone = list(range(members))
    without = [statistic([m for m in everyone if m != one]) for one in everyone]
    return math.sqrt((members - 1) * np.var(without)), statistic(everyone)


@pytest.mark.parametrize("rule", ensemble.RULES)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_intervals_leave_out_one_member(rule, size):
    probabilities, classes, truth = made(5, 6, 30, 3)
    found = by_size.measure(probabilities, classes, truth, 0)

    def mean(own, beyond):
        own = np.array(own)
        subsets = [own[list(places)] for places in itertools.combinations(range(len(own)), size)]
        each = [
            voted(classes[s], truth, 3)
            if rule == "vote" or size == 1
            else (probabilities[s].sum(axis=0).argmax(axis=1) == truth).mean()
            for s in subsets
        ]
        return np.mean(each) - (beyond * (classes[own] == truth).mean())

    for beyond, given_ in ((0, found.accuracy), (1, found.gain)):
        error, value = jackknife(lambda own, beyond=beyond: mean(own, beyond), 6)
        row = given_[rule][found.sizes.index(size)]
        assert row["value"] == pytest.approx(value, abs=1e-9)
        assert row["value"] - row["low"] == pytest.approx(estimates.t_quantile(5) * error, abs=1e-9)


def test_all_members_together_have_an_interval():
    probabilities, classes, truth = made(5, 6, 30, 3)
    row = by_size.measure(probabilities, classes, truth, 0).accuracy["vote"][-1]
    without = [voted(np.delete(classes, one, axis=0), truth, 3) for one in range(6)]
    assert row["value"] == pytest.approx(voted(classes, truth, 3))
    half = estimates.t_quantile(5) * math.sqrt(6 * np.var(without))
    assert row["value"] - row["low"] == pytest.approx(half)


@pytest.mark.parametrize("members", [1, 2])
def test_few_members_give_no_interval(members):
    found = by_size.measure(*made(1, members, 20, 3), 0)
    assert found.sizes == [1, 2][:members]
    for row in (*found.accuracy["vote"], *found.gain["average"]):
        assert row["value"] is not None and row["low"] is None and "at least 3 members" in row["why"]


def test_members_in_nearly_all_drawn_ensembles_give_no_interval(monkeypatch):
    monkeypatch.setattr(ensemble, "SUBSETS", 40)
    found = by_size.measure(*made(2, 18, 20, 3), 0)
    row = found.accuracy["vote"][found.sizes.index(16)]
    assert row["low"] is None and "left out of fewer than 10" in row["why"]
    assert found.accuracy["vote"][found.sizes.index(2)]["low"] is not None


def test_independent_errors_keep_what_each_member_confuses():
    _, classes, truth = made(7, 5, 200, 4)
    place = ensemble.independent(classes, truth, 0)
    moved = np.take_along_axis(classes, place, axis=1)
    for own, other in zip(classes, moved, strict=True):
        table, again = np.zeros((4, 4), int), np.zeros((4, 4), int)
        np.add.at(table, (truth, own), 1)
        np.add.at(again, (truth, other), 1)
        np.testing.assert_array_equal(table, again)
    assert (moved != classes).any(axis=1).all()


def test_images_are_bounded():
    assert by_size.image_limit(12, 10) > 10_000
    held = 256 * 1000 * by_size.image_limit(256, 1000)
    assert held <= by_size._HELD and held * ensemble.SUBSETS <= by_size._OPERATIONS
