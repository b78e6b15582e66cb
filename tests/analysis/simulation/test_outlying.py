"""PERMDISP over all populations where a few members are far from the rest of theirs: its level, its power.

Relabeling takes the distances for exchangeable and rejects too often there; the jackknife keeps it from that.
The test is conservative: its level is bounded from above.
"""

import math

import numpy as np
import pytest

from masklab.analysis import design as designs
from masklab.analysis.between import permdisp, permutations

REPLICATES = 200


@pytest.fixture(autouse=True)
def few_relabelings(monkeypatch):
    monkeypatch.setattr(permutations, "PERMUTATIONS", 99)


OUTLYING = [(5, 5, 5), (12, 12, 12), (5,) * 5, (12,) * 5, (12, 5, 8)]


def most(level, count):
    """A nominal share of rejections, and 2 points and 2 binomial standard errors above it."""
    return level + 0.02 + 2 * math.sqrt(level * (1 - level) / count)


def rejected(rows):
    return np.mean([row["p"] <= 0.05 + 1e-9 for row in rows])


def outlying(sizes, count, *, rare=0.2, wider=1.0):
    """Rows of PERMDISP over points of paired seeds of which some are four times as far from the rest.

    Args:
        sizes: Members of each population.
        count: Replicates.
        rare: How many are.
        wider: By how much members of the second population are further from their centroid.
    """
    ids = [f"{'abcde'[at]}/{unit:04d}" for at, size in enumerate(sizes) for unit in range(size)]
    design = designs.make(ids, dict.fromkeys(ids, 0))
    random = np.random.default_rng(sizes)
    found = []
    for at in range(count):
        spread = random.choice([1.0, 4.0], len(design), p=[1 - rare, rare])
        spread[design.population == 1] *= wider
        shared = random.standard_normal((max(sizes), 20))[design.unit]
        where = spread[:, None] * (0.5 * shared + 0.75**0.5 * random.standard_normal((len(design), 20)))
        products = where @ where.T
        squared = products.diagonal()[:, None] + products.diagonal() - 2 * products
        found.append(permdisp.row(design, np.maximum(squared, 0.0), at))
    return found


@pytest.mark.parametrize("sizes", OUTLYING, ids=str)
def test_permdisp_over_all_populations_holds_its_level_where_a_few_members_are_outlying(sizes):
    assert rejected(outlying(sizes, REPLICATES)) <= most(0.05, REPLICATES)


def test_relabeling_alone_would_not(monkeypatch):
    monkeypatch.setattr(permdisp, "_of_pairs", lambda *_: 0.0)
    assert rejected(outlying((5, 5, 5), REPLICATES)) > most(0.05, REPLICATES)


@pytest.mark.parametrize(
    ("sizes", "rare", "wider", "power"),
    [
        ((12, 12, 12), 0.2, 3.0, 0.55),
        ((12,) * 5, 0.2, 3.0, 0.35),
        ((5,) * 5, 0.0, 2.0, 0.6),
        ((12, 5, 8), 0.0, 2.0, 0.6),
    ],
    ids=str,
)
def test_a_population_that_spreads_more_is_found(sizes, rare, wider, power):
    assert rejected(outlying(sizes, 100, rare=rare, wider=wider)) >= power
