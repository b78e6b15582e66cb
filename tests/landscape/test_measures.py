"""Means over masks, members and draws."""

import math
from pathlib import Path

import numpy as np
import pytest

from masklab.analysis import estimates
from masklab.landscape import barriers, measures
from masklab.landscape.context import Context
from tests.landscape import contexts

HEIGHT = barriers.limits("entezari_loss")


def test_interval_over_masks_leaves_masks_out() -> None:
    random = np.random.RandomState(0)
    pairs = [(f"p/{i:04d}", f"p/{j:04d}") for i, j in [(0, 1), (0, 2), (1, 3), (2, 4), (3, 4)]]
    values = random.rand(5)
    found = measures.over_masks(pairs, values, HEIGHT)
    units = sorted({member for pair in pairs for member in pair})
    without = [
        np.mean([value for pair, value in zip(pairs, values, strict=True) if unit not in pair])
        for unit in units
    ]
    error = math.sqrt(4 / 5 * sum((one - np.mean(without)) ** 2 for one in without))
    half = estimates.t_quantile(4) * error
    assert found["value"] == pytest.approx(values.mean())
    assert found["low"] == pytest.approx(max(0.0, values.mean() - half))
    assert found["high"] == pytest.approx(values.mean() + half)
    assert found["n"] == 5
    other = [(a, b.replace("p/", "q/")) for a, b in pairs]
    across = measures.over_masks(other, values, HEIGHT)  # four masks on each side: three degrees of freedom
    assert across["high"] == pytest.approx(values.mean() + estimates.t_quantile(3) * error)
    share = measures.over_masks(pairs, (values < 0.6).astype(float), estimates.SHARE)
    assert share["high"] <= 1
    alone = measures.over_masks(pairs[:1], values[:1], HEIGHT)
    assert (alone["value"], alone["low"]) == (pytest.approx(values[0]), None)
    lost = measures.over_masks(pairs, np.array([*values[:4], math.inf]), HEIGHT)
    assert (lost["value"], lost["n"]) == (None, 5)
    assert "not finite" in lost["why"]


@pytest.fixture(scope="module")
def context(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Context:
    out = tmp_path_factory.mktemp("measures") / "study"
    return contexts.of(contexts.trained(images, out, [{"pruner": "random", "members": 3}]))[0]


def test_over_members_are_the_means_of_other_tables_unless_infinite(context: Context) -> None:
    first, second, third = context.members["random-d0.5"]
    for members, draws in (((first, second), 2), ((first, third), 1)):
        values = dict(zip(members, (0.1, 0.3), strict=True))
        wanted = estimates.mean_over_members([0.1, 0.3], draws, limits=HEIGHT)
        assert measures.over_members(context, values, HEIGHT) == wanted
    lost = measures.over_members(context, {first: 0.1, second: math.nan}, HEIGHT)
    assert (lost["value"], lost["n"]) == (None, 2)
    assert "not finite" in lost["why"]


def test_over_draws_there_is_an_interval_from_three_on() -> None:
    found = measures.over_draws([0.2, 0.4, 0.9], (0.0, 1.0))
    half = estimates.t_quantile(2) * float(np.std([0.2, 0.4, 0.9], ddof=1)) / math.sqrt(3)
    assert found["value"] == pytest.approx(0.5)
    assert (found["low"], found["high"]) == (max(0.0, 0.5 - half), min(1.0, 0.5 + half))
    wide = measures.over_draws([0.2, 0.4, 0.9], estimates.ANY)
    assert (wide["low"], wide["high"]) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))
    assert "there are 2" in measures.over_draws([0.2, 0.4], (0.0, 1.0))["why"]
    assert measures.over_draws([0.5] * 4, (0.0, 1.0))["why"] == "all draws have the same value"


def test_chance_is_the_most_common_class(context: Context) -> None:
    for split, labels in context.images.labels.items():
        assert measures.chance(context, split) == np.unique(labels, return_counts=True)[1].max() / len(labels)
