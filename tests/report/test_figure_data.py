import json
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from masklab.report import figures, payload, records
from masklab.report.figures import shaping

from .conftest import Page

Row = dict[str, Any]


class Drawn(NamedTuple):
    """A page, and the numbers of its figures as it carries them."""

    page: Page
    carried: dict[str, Row]

    def rows(self, name: str) -> list[Row]:
        found = self.carried[f"s1-{name}"]
        return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def _drawn(page: Page) -> Drawn:
    text = re.search(r'<script type="application/gzip" id="payload">([^<]*)</script>', page.html)
    assert text is not None
    return Drawn(page, payload.unpack(text.group(1).encode(), "the page")["figures"])


@pytest.fixture(scope="module")
def usual(plain: Page) -> Drawn:
    return _drawn(plain)


@pytest.mark.parametrize("name", ["plain", "full", "single", "linear"])
def test_every_drawing_has_its_numbers(name: str, request: pytest.FixtureRequest) -> None:
    drawn = _drawn(request.getfixturevalue(name))
    anchors = [f"s1-{key}" for key in figures.ALL]
    shown = {node.attributes["id"]: node for node in drawn.page.root.all("figure") if "id" in node.attributes}
    with_drawing = {key for key in anchors if key in shown and list(shown[key].all("svg"))}
    assert with_drawing == {key for key in anchors if key in drawn.carried}
    assert len(with_drawing) == {"plain": 23, "full": 23, "single": 2, "linear": len(with_drawing)}[name]
    for key in with_drawing:
        columns, rows = drawn.carried[key]["columns"], drawn.carried[key]["rows"]
        assert rows, key
        assert len(set(columns)) == len(columns), key
        for row in rows:
            assert len(row) == len(columns), key
            for value in row:
                assert value is None or type(value) in {str, int, float, bool}, (key, value)
                assert not isinstance(value, float) or math.isfinite(value), key


def _all(row: Row) -> bool:
    return True


SOURCES: dict[str, tuple[str, str, Callable[[Row], bool]]] = {
    "matrices": (
        "overlap",
        "estimate",
        lambda row: (row["metric"], row["layer"], row["block"]) == ("chance_corrected", "whole", "within"),
    ),
    "layers": (
        "overlap",
        "estimate",
        lambda row: (
            row["metric"] == "jaccard_similarity" and row["layer"] != "whole" and row["a"] == row["b"]
        ),
    ),
    "shares": ("structure", "estimate", lambda row: row["metric"] == "distance_share"),
    "differences": ("tests", "estimate", lambda row: row["test"] == "accuracy"),
    "separation": ("tests", "estimate", lambda row: row["test"] == "permanova" and row["b"] is not None),
    "ensembles": ("ensembles", "gain", _all),
    "movement": ("movement", "estimate", lambda row: row["layer"] == "whole"),
    "flatness": ("neighbourhood", "accuracy", lambda row: row["layer"] == "whole"),
    "sensitivity": ("neighbourhood", "drop", lambda row: row["kind"] == "layer"),
    "algebra": ("algebra", "accuracy", lambda row: row["operation"] != "consensus"),
    "gathering": ("algebra", "accuracy", lambda row: row["operation"] == "consensus"),
    "transfer": ("transfer", "accuracy", _all),
    "chains": ("chains", "entezari_error", lambda row: row["split"] == "test"),
    "barriers": (
        "landscape",
        "entezari_error",
        lambda row: (row["split"], row["block"], row["path"]) == ("test", "within", "linear"),
    ),
}
"""Figures of estimates: the list of results.json that they are in, which estimate, and which rows."""


@pytest.mark.parametrize("name", SOURCES)
def test_estimates_are_those_of_results_json(name: str, usual: Drawn) -> None:
    key, of, wanted = SOURCES[name]
    found = usual.rows(name)
    common = [column for column in found[0] if column in usual.page.results[key][0] and column != "n"]
    assert {"population", "a"} & set(common)

    def told(row: Row, estimate: Row) -> str:
        parts = [row[column] for column in common], [estimate[end] for end in ("value", "low", "high", "n")]
        return json.dumps(parts)

    expected = [
        told(row, row["barrier"][of] if of == "entezari_error" else row[of])
        for row in usual.page.results[key]
        if wanted(row)
    ]
    assert sorted(told(row, row) for row in found) == sorted(expected)
    if of != "estimate":
        assert {row["metric"] for row in found} == {of}


def test_members_and_means_of_accuracy(usual: Drawn) -> None:
    rows, results = usual.rows("accuracy"), usual.page.results
    members = {row["id"]: row for row in rows if row["kind"] == "member"}
    assert {name: (own["population"], own["block"], own["value"]) for name, own in members.items()} == {
        own["id"]: (own["population"], own["block"], own["accuracy"]) for own in results["members"]
    }
    means = {own["population"]: own["estimate"] for own in results["accuracy"] if own["metric"] == "accuracy"}
    found = {row["population"]: row for row in rows if row["kind"] == "mean"}
    assert found.keys() == means.keys()
    for name, own in means.items():
        assert [found[name][end] for end in ("value", "low", "high", "n")] == [
            own[end] for end in ("value", "low", "high", "n")
        ]


def test_distances_are_the_matrix_in_the_order_of_the_drawing(usual: Drawn) -> None:
    data = usual.carried["s1-distances"]
    ids = data["columns"][1:]
    assert [row[0] for row in data["rows"]] == ids
    names = [node.text() for node in usual.page.root.by_id("s1-distances").all("text")]
    assert [name for name in names if name in set(ids)] == ids
    with np.load(usual.page.study / "analysis" / "overlap.npz") as arrays:
        order = [arrays["ids"].tolist().index(name) for name in ids]
        wanted = arrays["hamming"][np.ix_(order, order)]
    np.testing.assert_allclose([row[1:] for row in data["rows"]], wanted, rtol=0, atol=5.1e-7)


def test_shares_are_drawn_as_multiples_of_chance(usual: Drawn) -> None:
    for row in usual.rows("shares"):
        for end in ("value", "low", "high"):
            assert row[f"ratio_{end}"] == pytest.approx(row[end] / row["chance"])


def test_embeddings_hold_members_and_twins(usual: Drawn) -> None:
    wanted = [
        (own["method"], kind, point["id"], point["x"], point["y"])
        for own in usual.page.results["embeddings"]
        for kind, points in (("members", own["points"]), ("random twin", own["twin"]["points"]))
        for point in points
    ]
    rows = usual.rows("embeddings")
    assert [(row["method"], row["kind"], row["id"], row["x"], row["y"]) for row in rows] == wanted
    assert all(row["id"].startswith(f"{row['population']}/") for row in rows)


def test_scatter_holds_every_pair(usual: Drawn) -> None:
    keys = ("id_a", "id_b", "block", "hamming", "disagreement")
    rows = usual.rows("scatter")
    wanted = [[own[key] for key in keys] for own in usual.page.results["scatter"]]
    assert [[row[key] for key in keys] for row in rows] == wanted
    assert all(row["id_a"].startswith(f"{row['population']}/") for row in rows)


def test_chance_level_of_ensembles_is_a_gain(usual: Drawn) -> None:
    wanted = {
        (own["population"], own["rule"], own["size"]): own["independent"] - own["mean_member"]
        for own in usual.page.results["ensembles"]
    }
    assert {
        (row["population"], row["rule"], row["size"]): row["chance"] for row in usual.rows("ensembles")
    } == wanted


def test_rarefaction_is_drawn_per_mask(usual: Drawn) -> None:
    rows = usual.rows("rarefaction")
    found = {(row["population"], row["metric"], row["size"]): row for row in rows if row["kind"] == "members"}
    source = usual.page.results["rarefaction"]
    assert len(found) == len(source)
    for own in source:
        row, value = found[own["population"], own["metric"], own["size"]], own["estimate"]["value"]
        assert row["value"] == value
        assert row["share"] == pytest.approx(value / own["size"] if own["metric"] == "vendi" else value)
    random = {row["size"]: row for row in rows if row["kind"] == "random masks"}
    for size, row in random.items():
        nulls = [own["null"] for own in source if (own["metric"], own["size"]) == ("vendi", size)]
        assert row["share_low"] == pytest.approx(min(own["low"] for own in nulls) / size)
        assert row["share_high"] == pytest.approx(max(own["high"] for own in nulls) / size)
        assert row["share"] == pytest.approx(np.mean([own["mean"] for own in nulls]) / size)
    assert random.keys() == {1, 2, 3}


def test_consensus_holds_intervals_where_there_are_any(usual: Drawn) -> None:
    wanted = [
        (
            *(own[key] for key in ("population", "kept_by", "share", "chance")),
            own.get("estimate", {}).get("low"),
        )
        for own in usual.page.results["consensus"]
    ]
    keys = ("population", "kept_by", "share", "chance", "low")
    assert [tuple(row[key] for key in keys) for row in usual.rows("consensus")] == wanted


@pytest.mark.parametrize(("name", "same"), [("paths", True), ("interpolation", False)])
def test_curves_are_in_long_form(name: str, *, same: bool, usual: Drawn) -> None:
    keys = ["accuracy_mean", "accuracy_low", "accuracy_high"][: 3 if same else 1]
    wanted = [
        (own["a"], own["b"], own["path"], own["seed"] if not same else None, t, *values)
        for own in usual.page.results["landscape"]
        if (own["a"] == own["b"]) == same and (own["split"], own["block"]) == ("test", "within")
        if same or own["path"] == "linear"
        for t, *values in zip(
            own["points"], *(own["accuracy"][key.removeprefix("accuracy_")] for key in keys), strict=True
        )
    ]
    found = [
        (*(row.get(key) for key in ("a", "b", "path", "seed", "t")), *(row[key] for key in keys))
        for row in usual.rows(name)
    ]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_planes_hold_every_network_and_the_members(usual: Drawn) -> None:
    rows = usual.rows("surfaces")
    planes = {own["array"]: own for own in usual.page.results["planes"]}
    drawn = list(dict.fromkeys(row["plane"] for row in rows))
    assert len(drawn) == 4
    with np.load(usual.page.study / "analysis" / "landscape.npz") as arrays:
        for name in drawn:
            own = planes[name]
            cells = {
                (row["x"], row["y"]): row["accuracy"]
                for row in rows
                if (row["plane"], row["id"]) == (name, None)
            }
            y, x = np.meshgrid(own["y"], own["x"], indexing="ij")
            wanted = dict(
                zip(
                    zip(x.ravel().tolist(), y.ravel().tolist(), strict=True),
                    arrays[f"{name}/accuracy"].ravel().tolist(),
                    strict=True,
                )
            )
            assert cells == wanted
            corners = [row for row in rows if row["plane"] == name and row["id"] is not None]
            assert [(row["id"], row["x"], row["y"], row["accuracy"]) for row in corners] == [
                (at["id"], at["x"], at["y"], at["accuracy"]) for at in own["at"]
            ]


def test_columns_are_those_of_all_rows() -> None:
    data = shaping.table([{"a": 1}, {"b": None, "a": 2}], "some are elsewhere")
    assert (list(data.columns), list(data.rows), data.note) == (
        ["a", "b"],
        [(1, None), (2, None)],
        "some are elsewhere",
    )


def test_digits_follow_the_wider_half_of_the_intervals() -> None:
    def own(half: float | None) -> records.Estimate:
        low, high = (None, None) if half is None else (0.5 - half, 0.5 + half)
        return records.Estimate(value=0.5, low=low, high=high, level=0.95, method="t", n=3)

    assert shaping.digits([own(0.001), own(0.02), own(0.3)], 1.0, 4) == 3
    assert shaping.digits([own(None), own(0.3)], 1.0, 4) == 2
    assert shaping.digits([own(None)], 1.0, 4) == 4
    assert shaping.digits([], 1.0, 4) == 4
    assert shaping.digits([own(0.3)], 100.0, 2) == 0
