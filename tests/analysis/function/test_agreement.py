import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from masklab.analysis.function import agreement


@st.composite
def classified(draw):
    """Predicted classes, number of classes, and the truth."""
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    labels, images = draw(st.integers(2, 12)), draw(st.integers(1, 40))
    members = draw(st.integers(1, 5))
    truth = random.randint(0, labels, images)
    keep = random.random_sample((members, images)) < draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))
    return np.where(keep, truth, random.randint(0, labels, keep.shape)).astype(np.uint16), labels, truth


def by_name(classes, labels, right=None):
    return {found.metric: found for found in agreement.statistics(classes, labels, right)}


@given(classified(), st.integers(1, 200))
@settings(deadline=None)
def test_agreements_are_counted(case, at_once):
    classes, labels, _ = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agreement, "_BITS_AT_ONCE", at_once)
        found = agreement.agreements(classes, labels)
    np.testing.assert_array_equal(found, (classes[:, None] == classes[None]).sum(axis=2))


@given(classified())
@settings(deadline=None)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning:sklearn")
def test_agrees_with_two_by_two_tables(case):
    classes, labels, truth = case
    right = classes == truth
    found = by_name(classes, labels, right)
    for i, one in enumerate(classes):
        for j, other in enumerate(classes):
            a, b = right[i], right[j]
            assert found["disagreement"].values[i, j] == pytest.approx(np.mean(one != other))
            by_chance = np.mean([x != y for x in one for y in other])
            assert found["disagreement"].chance[i, j] == pytest.approx(by_chance)
            kappa = metrics.cohen_kappa_score(one, other) if len({*one, *other}) > 1 else math.nan
            assert found["kappa"].values[i, j] == pytest.approx(kappa, nan_ok=True)
            n11, n00 = np.sum(a & b), np.sum(~a & ~b)
            n10, n01 = np.sum(a & ~b), np.sum(~a & b)
            whole = n11 * n00 + n01 * n10
            q = (n11 * n00 - n01 * n10) / whole if whole else math.nan
            assert found["q_statistic"].values[i, j] == pytest.approx(q, nan_ok=True)
            assert found["double_fault"].values[i, j] == pytest.approx(n00 / len(truth))
            assert found["double_fault"].chance[i, j] == pytest.approx(np.mean(~a) * np.mean(~b))


@given(classified())
@settings(deadline=None)
def test_disagreement_is_divided_by_the_mean_error_of_both(case):
    classes, labels, truth = case
    right = classes == truth
    found = by_name(classes, labels, right)["normalised_disagreement"]
    for i, f in enumerate(classes):
        for j, g in enumerate(classes):
            errors = 1 - right[i].mean(), 1 - right[j].mean()
            assert found.values[i, j] == pytest.approx(np.mean(f != g))
            assert found.over is not None
            assert found.over[i, j] == pytest.approx(sum(errors) / 2)


def test_labels_are_not_needed_for_two_of_them():
    classes = np.array([[0, 1], [1, 1]], dtype=np.uint16)
    assert list(by_name(classes, 2)) == ["disagreement", "kappa"]


def test_published_limits_are_those_of_simulated_classifiers():
    """Fort et al.: independent errors above; below, the better one with random other classes now and then."""
    random, images, labels = np.random.RandomState(0), 400_000, 10
    truth = random.randint(0, labels, images)

    def spoilt(of, share):
        other = (of + random.randint(1, labels, images)) % labels
        return np.where(random.random_sample(images) < share, other, of)

    reference, compared = spoilt(truth, 0.1), spoilt(truth, 0.3)
    r, a = (reference == truth).mean(), (compared == truth).mean()
    classes = np.stack([reference, compared]).astype(np.uint16)
    found = by_name(classes, labels, classes == truth)["normalised_disagreement"]
    assert found.chance[0, 1] == pytest.approx(np.mean(reference != compared), rel=0.01)
    share = (r - a) / (r - (1 - r) / (labels - 1))
    relabelled = spoilt(reference, share)
    assert (relabelled == truth).mean() == pytest.approx(a, abs=0.003)
    assert found.limits["relabelled"][0, 1] == pytest.approx(np.mean(relabelled != reference), rel=0.01)


def test_what_is_worse_than_guessing_has_no_lower_limit():
    truth = np.zeros(10, dtype=np.uint16)
    classes = np.stack([np.r_[np.zeros(8), np.ones(2)], np.ones(10)]).astype(np.uint16)
    found = by_name(classes, 2, classes == truth)["normalised_disagreement"]
    assert math.isnan(found.limits["relabelled"][0, 1]) and math.isfinite(found.values[0, 1])


def test_classifiers_that_always_say_the_same_have_no_kappa():
    found = by_name(np.zeros((2, 7), dtype=np.uint16), 3)["kappa"]
    assert np.isnan(found.values).all() and np.isnan(found.chance).all() and found.why
