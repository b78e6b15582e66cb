"""The landscape on the page: figures and tables print the numbers of results.json and of landscape.npz."""

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np

from masklab.report import figures, load, style
from masklab.report.landscape import text

from . import builder, dom, surfaces, walked
from .conftest import Page


def _texts(page: Page, name: str) -> list[str]:
    return [node.text() for node in page.root.by_id(f"s1-{name}").all("text")]


def _rows(page: Page, key: str, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in page.results[key] if all(row[name] == own for name, own in wanted.items())]


def _printed(cell: tuple[str, str], estimate: dict[str, Any], scale: float, digits: int) -> None:
    assert cell[0] == _number(scale * estimate["value"], digits)
    if estimate["low"] is not None:
        low, high = (_number(scale * estimate[end], digits) for end in ("low", "high"))
        assert cell[1].startswith(f"[{low}, {high}]")


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0.0 else text.replace("-", "−")


def test_barrier_matrices_show_the_linear_test_barriers(plain: Page) -> None:
    drawn = [text for text in _texts(plain, "barriers") if re.fullmatch(r"\d+\.\d+", text)]
    rows = _rows(plain, "landscape", path="linear", split="test", block="within")
    wanted = [f"{100.0 * row['barrier']['entezari_error']['value']:.1f}" for row in rows]
    assert sorted(drawn) == sorted(wanted)
    assert len(wanted) == 6 + 3
    assert "straight paths would show 0.4 points by noise alone" in plain.root.by_id("s1-barriers").text()


def test_a_mask_path_between_populations_has_its_own_matrix(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3, landscape=True)
    names = [row["name"] for row in results["populations"]]
    row = next(own for own in results["landscape"] if {own["a"], own["b"]} == set(names))
    row = copy.deepcopy(row) | {"path": "geodesic", "block": "within", "seed": "same", "split": "test"}
    row["barrier"]["entezari_error"]["value"] = 0.4321
    results["landscape"].append(row)
    drawn = builder.draw(tmp_path, results, figures.ALL["barriers"])
    texts = [node.text() for node in dom.parse(str(drawn.svg)).all("text")]
    assert "43.2" in texts
    assert {"linear, different seeds", "geodesic, different seeds", "geodesic, same seeds"} <= set(texts)


def test_cells_without_common_base_weights_are_drawn_and_named(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3, landscape=True)
    rows = [row for row in results["landscape"] if row["a"] != row["b"] or row["block"] == "within"]
    results["landscape"] = rows
    own = [row for row in rows if row["a"] == row["b"]]
    for row in own:
        row["block"] = "across"
    drawn = builder.draw(tmp_path, results, figures.ALL["barriers"])
    values = [
        f"{100 * row['barrier']['entezari_error']['value']:.1f}"
        for row in own
        if (row["path"], row["split"]) == ("linear", "test")
    ]
    texts = [node.text() for node in dom.parse(str(drawn.svg)).all("text")]
    assert values and set(values) <= set(texts)
    assert "share base weights, but for those that have no such pairs: " in drawn.caption
    assert f"{own[0]['a']} and {own[0]['a']}" in drawn.caption


def test_barrier_table_has_everything_of_every_cell(plain: Page) -> None:
    cells = dom.table(plain.root, "barriers-table")
    rows = _rows(plain, "landscape", split="test")
    assert len(cells) == len(rows)
    by_place = {tuple(text for text, _ in row[:5]): row for row in cells}
    assert len(by_place) == len(rows)
    for row in rows:
        shared = "shared" if row["block"] == "within" else "different"
        cell = by_place[row["a"], row["b"], row["path"], shared, row["seed"]]
        (train,) = _rows(
            plain,
            "landscape",
            **{key: row[key] for key in ("a", "b", "path", "block", "seed")},
            split="train",
        )
        assert cell[6][0] == f"{row['pairs']} of {row['of_pairs']}"
        _printed(cell[7], row["barrier"]["entezari_error"], 100.0, 1)
        beside = train["barrier"]["entezari_error"]["value"]
        assert f"train {100.0 * beside:.1f}" in cell[7][1]
        over = row["over_images"]["entezari_error"]
        low, high = (f"{100.0 * over[end]:.1f}" for end in ("low", "high"))
        assert cell[8] == (f"{100.0 * over['corrected']:.1f}", f"[{low}, {high}]noise 0.4")
        _printed(cell[9], row["barrier"]["entezari_loss"], 1.0, 3)
        _printed(cell[10], row["barrier"]["frankle_error"], 100.0, 1)
        _printed(cell[11], row["barrier"]["frankle_loss"], 1.0, 3)
        _printed(cell[12], row["connected"], 100.0, 0)
    refreshed = by_place["biprop+recycle-d0.5", "biprop+recycle-d0.5", "geodesic", "shared", "different"]
    assert refreshed[5][0] == "effective values of one end each"
    assert refreshed[6][1] == "2 orders"


def test_paths_are_small_multiples_and_say_what_was_not_walked(plain: Page) -> None:
    texts = _texts(plain, "paths")
    assert [text for text in texts if text in walked.PATHS] == list(walked.PATHS)
    colours = style.theme([load.read(plain.study)]).colours
    figure = plain.root.by_id("s1-paths")
    lines = [
        node.attributes["style"]
        for node in figure.all("path")
        if "fill: none" in node.attributes.get("style", "") and "clip-path" in node.attributes
    ]
    for name, colour in colours.items():
        own = [line for line in lines if f"stroke: {colour}" in line]
        assert len(own) == len(walked.PATHS)
        dashed = sum("stroke-dasharray" in line for line in own)
        assert dashed == (3 if "recycle" in name else 0)
    (caption,) = figure.all("figcaption")
    assert (
        "Walked within no population: bernoulli; scores (needs scores that were kept, one gate and one set "
        "of base weights)." in caption.text()
    )


def test_a_population_without_a_line_is_named(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3, landscape=True)
    first = results["populations"][0]["name"]
    results["landscape"] = [
        row for row in results["landscape"] if (row["a"], row["path"]) != (first, "ranked")
    ]
    drawn = builder.draw(tmp_path, results, figures.ALL["paths"])
    assert f"No line: ranked (needs scores that were kept): {first}." in drawn.caption
    results["landscape_work"]["paths"] = ["linear", "ranked", "geodesic"]
    drawn = builder.draw(tmp_path, results, figures.ALL["paths"])
    assert "Not asked for: geodesic-swap; bernoulli; scores." in drawn.caption
    assert "Walked within no population" not in drawn.caption


def test_flatness_points_lie_where_the_numbers_are(plain: Page) -> None:
    """Log of the share against percent, in every panel of the kinds that a population has."""
    colours = style.theme([load.read(plain.study)]).colours
    (svg,) = plain.root.by_id("s1-flatness").all("svg")
    marks = [
        (float(node.attributes["x"]), float(node.attributes["y"]), node.attributes["style"])
        for node in svg.all("use")
        if "x" in node.attributes
        and "fill: #" in node.attributes["style"]
        and "fill-opacity" not in node.attributes["style"]  # bands
    ]
    for name, colour in colours.items():
        rows = [
            row
            for kind in ("random", "swap", "margin")
            for row in _rows(plain, "neighbourhood", population=name, kind=kind)
        ]
        assert len(rows) == 3 * len(walked.SHARES)
        own = [(x, y) for x, y, look in marks if f"fill: {colour}" in look][: len(rows)]
        heights = [100.0 * row["accuracy"]["value"] for row in rows]
        slope, offset = np.polyfit(heights, [y for _, y in own], 1)
        assert slope < 0
        assert np.abs(slope * np.array(heights) + offset - [y for _, y in own]).max() < 0.01
        for at in range(0, len(rows), len(walked.SHARES)):
            xs = np.array([x for x, _ in own[at : at + len(walked.SHARES)]])
            line = np.polynomial.Polynomial.fit(np.log(walked.SHARES), xs, 1)
            assert np.abs(line(np.log(walked.SHARES)) - xs).max() < 0.01
    texts = _texts(plain, "flatness")
    assert {"random flips", "swaps, density kept", "flips nearest to the threshold", "chance level"} <= set(
        texts
    )


def test_layers_are_ranked_by_what_their_swaps_cost(plain: Page) -> None:
    cells = dom.table(plain.root, "sensitivity-table")
    rows = _rows(plain, "neighbourhood", kind="layer")
    assert len(cells) == len(rows) == 3 * len(builder.LAYERS)
    for cell, row in zip(cells, rows, strict=True):
        assert [text for text, _ in cell[:3]] == [row["population"], row["layer"], str(row["rank"])]
        _printed(cell[3], row["drop"], 100.0, 1)
        _printed(cell[4], row["drop_per_flip"], 100_000.0, 2)
    (svg,) = plain.root.by_id("s1-sensitivity").all("svg")
    assert svg.attributes["aria-label"].startswith("Intervals of layers overlap (n = 2 members each) in")


def test_algebra_stands_beside_members_and_chance(plain: Page) -> None:
    cells = dom.table(plain.root, "algebra-table")
    rows = plain.results["algebra"]
    assert len(cells) == len(rows)
    for cell, row in zip(cells, rows, strict=True):
        kind = "" if row["operation"] == "members" else row["density_kind"]
        assert cell[1] == (row["operation"], kind)
        _printed(cell[5], row["accuracy"], 100.0, 1)
        _printed(cell[6], row["gain"], 100.0, 1)
        assert cell[7][0] == "10.3"
    texts = _texts(plain, "algebra")
    operations = ["members", "union", "intersection", "majority", "symmetric-difference", "random"]
    assert [text for text in texts if text in operations] == operations
    (svg,) = plain.root.by_id("s1-algebra").all("svg")
    assert "majority 0.4 (no interval); symmetric-difference −" in svg.attributes["aria-label"]
    (svg,) = plain.root.by_id("s1-gathering").all("svg")
    assert re.search(r": 1 mask 8\d\.\d %.*\(no interval\); 3 masks 8\d\.\d %", svg.attributes["aria-label"])


def test_populations_without_common_weights_are_named(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3, landscape=True)
    first, second = [row["name"] for row in results["populations"]]
    results["algebra"] = [row for row in results["algebra"] if row["population"] == first]
    for name in ("algebra", "gathering"):
        drawn = builder.draw(tmp_path, results, figures.ALL[name])
        assert drawn.caption.endswith(f"(a refresh changes them): {second}.")


def test_transfers_stand_beside_their_own_weights(plain: Page) -> None:
    cells = dom.table(plain.root, "transfer-table")
    rows = plain.results["transfer"]
    assert len(cells) == len(rows) == 4 + 4 + 5
    for cell, row in zip(cells, rows, strict=True):
        assert cell[1][0] == text.WEIGHTS[row["weights"]]
        _printed(cell[2], row["accuracy"], 100.0, 1)
        _printed(cell[3], row["change"], 100.0, 1)
    (svg,) = plain.root.by_id("s1-transfer").all("svg")
    assert (
        "another member's, from the same draw: 31.0 % (biprop+recycle-d0.5) [29.8, 32.2]"
        in svg.attributes["aria-label"]
    )


def test_at_most_four_planes_are_drawn_with_their_members(plain: Page) -> None:
    texts = _texts(plain, "surfaces")
    assert len(plain.results["planes"]) == 6
    assert [text for text in texts if text in "ABC"] == ["A", "B", "C", "A", "A", "B", "C", "A"]
    (caption,) = plain.root.by_id("s1-surfaces").all("figcaption")
    for wanted in (
        "n = 49 networks per plane",
        "A edge-popup-d0.5/0000, B edge-popup-d0.5/0001, C edge-popup-d0.5/0002; A edge-popup-d0.5/0000;",
        "sets of 14,000 bits",
        "2 further planes stand in landscape.npz",
    ):
        assert wanted in caption.text()


def test_a_plane_is_drawn_from_its_array(tmp_path: Path) -> None:
    """Areas follow the values: a plane of one value has one colour, one of two halves has two."""
    results = builder.build(tmp_path, populations=1, members=3, landscape=True)
    results["planes"] = results["planes"][:1]
    shades = []
    for values in (np.full((7, 7), 0.5), np.repeat([[0.2], [0.8]], [3, 4], axis=0) * np.ones((7, 7))):
        surfaces.write(tmp_path / "analysis", {"plane/0/accuracy": values})
        svg = dom.parse(str(builder.draw(tmp_path, results, figures.ALL["surfaces"]).svg))
        groups = [node for node in svg.all("g") if "QuadContourSet" in node.attributes.get("id", "")]
        assert len(groups) == 1
        shades.append(len(list(groups[0].all("path"))))
    assert shades[0] < shades[1]


def test_chains_join_snapshots_of_members_whose_weights_stayed(plain: Page) -> None:
    texts = _texts(plain, "chains")
    assert {"linear", "geodesic", "edge-popup-d0.5", "biprop-d0.5", "connected: below 2 points"} <= set(texts)
    assert "biprop+recycle-d0.5" not in texts
    cells = dom.table(plain.root, "chains-table")
    rows = _rows(plain, "chains", split="test")
    assert len(cells) == len(rows) == 2 * 2 * 5
    for cell, row in zip(cells, rows, strict=True):
        assert [text for text, _ in cell[:4]] == [
            row["population"],
            row["path"],
            str(row["epoch"]),
            str(row["to"]),
        ]
        _printed(cell[6], row["barrier"]["entezari_error"], 100.0, 1)
        assert "train" in cell[6][1]
        assert cell[7] == ("–", "not measured")


def test_what_was_spent_stands_by_question(plain: Page) -> None:
    cells = dom.table(plain.root, "landscape-work")
    work = plain.results["landscape_work"]
    assert [row[0][0] for row in cells][:2] == ["members themselves", "paths between members"]
    for cell, own in zip(cells, work["questions"], strict=False):
        assert [text for text, _ in cell[1:]] == [
            f"{own[name]:,}" for name in ("networks", "evaluations", "wanted")
        ]
    assert cells[-1][0][0] == "together"
    assert cells[-1][2][0] == f"{work['evaluations']:,}"
    caption = plain.root.by_id("s1-landscape-work").text()
    assert "1,000 of 10,000 test images and 500 of 45,000 train images" in caption


def test_methods_and_sources_are_those_that_were_used(plain: Page, full: Page) -> None:
    text, references = plain.root.text(), plain.root.by_id("references").text()
    for wanted in (
        "of a budget of 8,000,000: 0.4 × the forward passes of the training (the default)",
        "geodesic-swap: in each layer, a bit that only the first keeps is swapped",
        "walked in 2 orders, all at 11 positions",
        "(200 resamples, the same for all pairs)",
        "Connected: error barrier below 2 points",
        "12 members class 3 of 12,000 images otherwise",
        "Chains: paths between the masks",
    ):
        assert wanted in text
    for author in ("Entezari", "Frankle", "Davison", "Garipov", "Paul et al."):
        assert author in references
    for unused in ("Sreenivasan", "Jordan", "Batch normalisation", "bernoulli: each"):
        assert unused not in references + text
    assert "Jordan et al." in full.root.by_id("references").text()
    assert "as plain means over 8 batches of training images (1,024 images)" in full.root.text()
    captions = [node.text() for node in full.root.all("figcaption")]
    assert sum("running statistics were re-estimated for every network" in text for text in captions) == 10


def test_hostile_names_stay_text(hostile: Page) -> None:
    first = hostile.results["populations"][0]["name"]
    for name in walked.DRAWN:
        assert any(first in text for text in _texts(hostile, name)), name
    for name in set(walked.TABLES) - {"landscape-work"}:
        assert any(first in text for row in dom.table(hostile.root, name) for text, _ in row), name
