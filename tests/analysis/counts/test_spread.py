import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from masklab.analysis import jackknife
from masklab.analysis.between import permanova
from masklab.analysis.counts import spread, tallies

from . import studies


def differing(masks):
    """Weights that exactly one of two members keeps, `[layers, members, members]`."""
    return np.array([(table[:, None] ^ table).sum(axis=2) for table in masks.values()])


@given(studies.studies())
@settings(deadline=None, max_examples=50)
def test_hamming_and_its_interval_are_those_over_all_pairs(study):
    masks, members = study[0], studies.members(*study[1])
    found = tallies.from_masks(masks, members)
    table = differing(masks)
    shares = np.concatenate(
        [table.sum(axis=0, keepdims=True) / found.sizes.sum(), table / found.sizes[:, None, None]]
    )
    for block, groups in (("within", found.within), ("all", found.whole)):
        for at, sample in enumerate(spread.hamming(found, groups)):
            own = members.members(members.names[at])
            chosen = np.triu(np.ones((len(own), len(own)), dtype=bool), 1)
            if block == "within":
                chosen &= np.equal.outer(members.block[own], members.block[own])
            if not chosen.any():
                assert np.isnan(sample.value).all() and "share a draw" in sample.reason(0)
                continue
            units = members.unit[own]
            expected = jackknife.mean_over_pairs(shares[:, own[:, None], own], chosen, units, units)
            rows = [sample.estimate(stratum, "t") for stratum in range(len(shares))]
            np.testing.assert_allclose(sample.value, expected.value, atol=1e-12)
            assert sample.pairs == expected.pairs and len(sample.units) == expected.units
            assert [row["n"] for row in rows] == [expected.units] * len(rows)
            for row, low, high in zip(rows, expected.low, expected.high, strict=True):
                if np.isnan(low):
                    assert row["low"] is row["high"] is None and row["why"]
                else:
                    assert row["low"] == pytest.approx(low, abs=1e-12)
                    assert row["high"] == pytest.approx(high, abs=1e-12)


@given(studies.studies())
@settings(deadline=None, max_examples=50)
def test_sums_of_squares_are_exactly_those_of_all_distances(study):
    masks, members = study[0], studies.members(*study[1])
    found = tallies.from_masks(masks, members)
    squared = differing(masks)  # √Hamming, squared, times the number of weights

    def about_centroid(table, places, size):
        return Fraction(int(table[np.ix_(places, places)].sum()) // 2, len(places)) / size

    populations = range(len(members.names))
    for layer in (None, *range(len(masks))):
        table = squared.sum(axis=0) if layer is None else squared[layer]
        size = int(found.sizes.sum() if layer is None else found.sizes[layer])
        for block, groups in (("within", found.within), ("all", found.whole)):
            cells = studies.groups(members, block)
            draws = {
                draw for (_, draw), own in cells.items() if len(own) > 1 or members.draws == 1 or draw is None
            }
            for chosen in itertools.combinations(populations, min(2, len(populations))):
                used = {key: own for key, own in cells.items() if key[0] in chosen and key[1] in draws}
                by_draw: dict = {}
                for (_, draw), own in used.items():
                    by_draw.setdefault(draw, []).extend(own)
                shared = {draw for draw in by_draw if sum(key[1] == draw for key in used) > 1}
                used = {key: own for key, own in used.items() if key[1] in shared}
                by_draw = {draw: own for draw, own in by_draw.items() if draw in shared}
                total = sum((about_centroid(table, own, size) for own in by_draw.values()), Fraction(0))
                within = sum((about_centroid(table, own, size) for own in used.values()), Fraction(0))
                sums = spread.sums_of_squares(found, groups, list(chosen), layer)
                assert sums.total == pytest.approx(float(total), rel=1e-13, abs=1e-15)
                assert sums.within == pytest.approx(float(within), rel=1e-13, abs=1e-15)
                assert sums.members == sum(map(len, used.values()))
                if total:
                    assert sums.r2 == pytest.approx(float(1 - within / total), abs=1e-12)
                else:
                    assert math.isnan(sums.r2)


@pytest.mark.parametrize(
    ("size", "kept"), [(4, (2, 2, 2)), (4, (1, 2, 3)), (5, (0, 2, 4)), (3, (1, 3)), (1, (0, 1))]
)
def test_chance_is_that_of_all_masks_with_these_counts(size, kept):
    every = [
        [[weight in own for weight in range(size)] for own in itertools.combinations(range(size), count)]
        for count in kept
    ]
    values = []
    for chosen in itertools.product(*every):
        pairs = list(itertools.combinations(np.array(chosen), 2))
        values.append(np.mean([(a ^ b).sum() / size for a, b in pairs]))
    masks = {"fc": np.array([own[0] for own in every], dtype=bool).reshape(len(kept), size)}
    found = tallies.from_masks(masks, studies.members({"a": range(len(kept))}))
    (sample,) = spread.hamming(found, found.whole)
    assert sample.chance == pytest.approx([np.mean(values)] * 2)
    assert sample.chance_sd == pytest.approx([np.std(values)] * 2, abs=1e-12)


def test_rows_of_sums_name_all_populations_then_pairs():
    random = np.random.default_rng(0)
    masks = {"fc": random.random((9, 50)) < 0.5}
    found = tallies.from_masks(masks, studies.members({"a": range(3), "b": range(3), "c": range(3)}))
    rows = spread.sum_rows(found, found.whole, "within")
    assert [(row["a"], row["b"], row["n"]) for row in rows] == [
        (None, None, 9),
        ("a", "b", 6),
        ("a", "c", 6),
        ("b", "c", 6),
    ]
    assert all(row["between"] == row["total"] - row["within"] for row in rows)
    equal = tallies.from_masks({"fc": np.ones((2, 5), dtype=bool)}, studies.members({"a": [0], "b": [0]}))
    (all_rows, _) = spread.sum_rows(equal, equal.whole, "within")
    assert all_rows["r2"] is None and all_rows["why"] == "all these masks are equal"


def test_shares_are_those_of_permanova_with_missing_members_and_several_draws():
    """Of four draws, one has members of one population only, and one of two of the three."""
    random = np.random.default_rng(1)
    counts = {"a": [0, 1, 2, 3, 4, 5, 6, 7, 8], "b": [0, 1, 4, 5, 9], "c": [1, 2, 5, 6, 9, 10]}
    planned = studies.members(counts, draws=4)
    masks = {"fc": random.random((len(planned), 80)) < random.random(80)}
    found = tallies.from_masks(masks, planned)
    squared = differing(masks)[0] / 80
    rows = spread.sum_rows(found, found.within, "within")
    assert len(rows) == 4
    for row in rows:
        names = [row["a"], row["b"]] if row["a"] else planned.names
        places = np.sort(np.concatenate([planned.members(name) for name in names]))
        tested = permanova.row(planned.only(places), squared[np.ix_(places, places)], 0)
        assert row["r2"] == pytest.approx(tested["estimate"]["value"], rel=1e-12) and row["n"] == tested["n"]


def test_populations_that_share_no_draw_have_no_share():
    random = np.random.default_rng(0)
    found = tallies.from_masks(
        {"fc": random.random((8, 50)) < 0.5}, studies.members({"a": [0, 2, 4, 6], "b": [1, 3, 5, 7]}, draws=2)
    )
    for row in spread.sum_rows(found, found.within, "within"):
        assert row["r2"] is None and row["n"] == 0
        assert row["why"] == "no draw of base weights has members of two of these populations"
