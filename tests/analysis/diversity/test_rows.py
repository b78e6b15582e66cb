import json

import numpy as np
import pytest

from masklab.analysis import design, diversity
from masklab.analysis.diversity import dimension, neighbours, rarefaction, vendi
from masklab.analysis.nulls import summary

from .measured import design_of, distances_of, random_layers, twins_of

METRICS = [*vendi.ORDERS, *neighbours.METRICS, *dimension.METRICS]


def measured(populations, density=0.5, twins=3, seed=0):
    found = design_of(populations)
    kept = [np.full(len(found), int(density * size)) for size in (60, 40)]
    layers = random_layers(np.random.default_rng(seed), kept, [60, 40])
    distances = distances_of(layers, found.ids)
    return found, distances, twins_of(distances, twins), layers


def rows_of(populations, **options):
    found, distances, twins, _ = measured(populations, **options)
    rows = diversity.rows(found, distances, twins, 0)
    json.dumps(rows, allow_nan=False)
    return rows


def test_every_group_has_every_metric_in_order():
    rows = rows_of({"b": [0, 1, 0, 1, 2], "a": [0, 0, 0, 0, 0], "c": [0, 1]})
    cells = [(row["population"], row["block"], row["metric"]) for row in rows["diversity"]]
    expected = [("b", "within"), ("b", "all"), ("a", "within"), ("c", "all")]
    assert cells == [(*group, metric) for group in expected for metric in METRICS]
    assert [row["members"] for row in rows["diversity"][:: len(METRICS)]] == [4, 5, 5, 2]
    sizes = {("b", "within"): [1, 2], ("b", "all"): [1, 2, 4, 5], ("a", "within"): [1, 2, 4, 5]}
    sizes["c", "all"] = [1, 2]
    curves = [(row["population"], row["block"], row["metric"], row["size"]) for row in rows["rarefaction"]]
    assert curves == [
        (*group, metric, size)
        for group in expected
        for metric in rarefaction.METRICS
        for size in sizes[group]
    ]


def test_every_value_has_its_null_or_the_reason():
    for row in [row for rows in rows_of({"a": [0] * 6, "b": [0, 1] * 3}).values() for row in rows]:
        if row["null"] is None:
            assert row["why"] == "a dimension needs at least 50 masks of one weight draw"
        else:
            assert row["null"]["low"] <= row["null"]["mean"] <= row["null"]["high"]
            assert row["null"]["n"] == 3 and row["null"]["range"] == "min to max"
            assert "why" not in row


def test_a_population_is_measured_by_itself():
    whole, distances, twins, _ = measured({"a": [0] * 5, "b": [0] * 5})
    apart = diversity.rows(whole.only(range(5, 10)), _only(distances), [_only(one) for one in twins], 0)
    together = diversity.rows(whole, distances, twins, 0)
    for name, rows in apart.items():
        assert rows == [row for row in together[name] if row["population"] == "b"]


def _only(found):
    own = found.intersections[:, 5:, 5:]
    return type(found)(found.ids[5:], found.layers, found.sizes, np.ascontiguousarray(own))


def test_without_matched_masks_there_is_no_null():
    for rows in rows_of({"a": [0] * 5}, twins=0).values():
        for row in rows:
            assert row["null"] is None
            assert row["why"] == summary.NO_TWINS or "at least 50" in row["why"]


def test_without_members_there_is_nothing():
    nothing = design.make([], {})
    empty = distances_of([np.zeros((0, 3), dtype=bool)], [])
    assert diversity.rows(nothing, empty, [], 0) == {"diversity": [], "rarefaction": []}


@pytest.mark.parametrize("density", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("members", [1, 2, 3, 60])
def test_degenerate_studies_are_described(members, density):
    rows = rows_of({"a": [0] * members}, density=density)
    values = {row["metric"]: row["estimate"]["value"] for row in rows["diversity"]}
    assert (values["vendi"] is None) == (density != 0.5)
    assert (values["nearest_mean"] is None) == (members == 1)
    assert values["distinct"] == (members if density == 0.5 else 1)
    assert (values["dimension_bid"] is None) == (members < 60 or density != 0.5)


def test_coverage_stands_beside_the_other_curves():
    found, distances, twins, layers = measured({"a": [0] * 5})
    times = np.concatenate(layers, axis=1).sum(axis=0)
    rows = diversity.rows(found, distances, twins, 0, {"a": np.bincount(times, minlength=6)})["rarefaction"]
    curve = [row for row in rows if row["metric"] == "coverage"]
    assert [row["size"] for row in curve] == [1, 2, 4, 5]
    assert curve[0]["estimate"]["value"] == pytest.approx(0.5) == curve[0]["chance"]
    assert curve[-1]["estimate"]["value"] == pytest.approx((times > 0).mean())
