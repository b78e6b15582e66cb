"""What is said of a landscape is what its numbers carry, and figures leave none of them out."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from masklab import report
from masklab.report import figures, load, style
from masklab.report.landscape import sentences

from . import builder, dom, walked
from .predicted import value


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Any]:
    """Three populations, of the gates edge-popup, biprop, biprop, all over the same two draws."""
    found = builder.build(tmp_path, populations=3, members=4, landscape=True)
    for row, gate in zip(found["populations"], ("edge-popup", "biprop", "biprop"), strict=True):
        row["gate"] = gate
    return found


def _message(folder: Path, results: dict[str, Any], name: str) -> str:
    return builder.draw(folder, results, figures.ALL[name]).message


def _page(folder: Path, results: dict[str, Any]) -> dom.Node:
    builder.rewrite(folder, results)
    return dom.parse(report.write([folder], folder / "report.html").read_text(encoding="utf-8"))


def _between(results: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        row
        for row in results["landscape"]
        if row["a"] != row["b"] and (row["split"], row["block"]) == ("test", "within")
    ]


def test_barriers_are_means_by_kind_of_pair(tmp_path: Path, results: dict[str, Any]) -> None:
    gates = {row["name"]: row["gate"] for row in results["populations"]}
    for row in _between(results):
        height = 0.4
        if row["seed"] == "same":
            height = 0.05 if gates[row["a"]] == gates[row["b"]] else 0.2
        row["barrier"]["entezari_error"]["value"] = height
        row["over_images"]["entezari_error"].update(low=height - 0.01, high=height + 0.02, chance=0.013)
        row["connected"]["value"] = float(height < 0.1) / 2
        row["pairs"] = 3 if row["b"] == "biprop-d0.5" else 4
    said = _message(tmp_path, results, "interpolation")
    assert said == (
        "Mean barriers between trained populations, points of test error: "
        "same seeds within a gate 5.0 [4.0, 7.0] (n = 4 pairs, 50 % connected); "
        "same seeds across gates 20.0 [19.0, 22.0] (n = 7 pairs, 0 % connected); "
        "different seeds 40.0 [39.0, 42.0] (n = 11 pairs, 0 % connected). "
        "Brackets: from the lowest end to the highest of the intervals over images; noise alone would show "
        "1.3 points."
    )
    odd = next(row for row in _between(results) if row["seed"] == "different" and row["pairs"] == 4)
    odd["barrier"]["entezari_error"]["value"] = 0.95  # weighs 4 of 11
    assert "different seeds 60.0 [39.0, 42.0] (n = 11 pairs" in _message(tmp_path, results, "interpolation")
    assert "linear, same seeds within a gate 5.0 [4.0, 7.0]" in _message(tmp_path, results, "barriers")


def test_one_pair_carries_nothing(tmp_path: Path, results: dict[str, Any]) -> None:
    for row in results["landscape"]:
        row["pairs"] = 1
    for name in ("paths", "interpolation", "barriers"):
        drawn = builder.draw(tmp_path, results, figures.ALL[name])
        assert drawn.message.startswith("Only n = 1 pair of members was walked in each cell")
        assert "one pair carries nothing about a population" in drawn.message
        assert "where noise alone would show 0.4 points" in drawn.message
        assert "n = 1 pair " in drawn.caption or "n = 1 sampled pair " in drawn.caption
    _between(results)[0]["pairs"] = 2
    assert _message(tmp_path, results, "interpolation").count("(n = ") == 1


@pytest.mark.parametrize("how", ["untrained", "at guessing"])
def test_sentences_are_of_populations_that_learned(tmp_path: Path, results: dict[str, Any], how: str) -> None:
    name = results["populations"][0]["name"]
    if how == "at guessing":
        for row in results["accuracy"]:
            if row["population"] == name:
                row["estimate"] = value(0.12)
    else:
        results["populations"][0]["trained"] = False
    for row in results["neighbourhood"]:
        if row["population"] == name:
            row["drop"] = value(0.777, 0.001)
    for row in results["landscape"]:
        if name in (row["a"], row["b"]):
            row["barrier"]["entezari_error"]["value"] = 0.777
            row["over_images"]["entezari_error"].update(low=0.777, high=0.777)
    called = "trained populations above guessing level" if how == "at guessing" else "trained populations"
    for figure in ("paths", "interpolation", "barriers", "flatness"):
        said = _message(tmp_path, results, figure)
        assert "77.7" not in said
        assert re.search(rf"\b{called}(,| after)", said), said
    for row in results["populations"]:
        row["trained"] = False
    said = _message(tmp_path, results, "flatness")
    assert "populations, trained or not" in said
    assert "77.7" in said


def test_references_are_not_spoken_of(tmp_path: Path, results: dict[str, Any]) -> None:
    builder.rewrite(tmp_path, results)
    analysis = load.read(tmp_path)
    first, *others = analysis.results.populations
    populations = [first.model_copy(update={"compared": False}), *others]
    analysis = replace(analysis, results=analysis.results.model_copy(update={"populations": populations}))
    names = [own.name for own in populations]
    assert sentences.chosen(analysis, names) == sentences.Chosen(names[1:], "trained populations")
    assert sentences.chosen(analysis, names[:1]).called == "the one population, trained or not"


def test_an_extreme_is_named_where_its_interval_touches_no_other(
    tmp_path: Path, results: dict[str, Any]
) -> None:
    names = [row["name"] for row in results["populations"]]
    for row in results["neighbourhood"]:
        at = names.index(row["population"])
        row["drop"] = value((0.1, 0.3, 0.32)[at], (0.05, 0.03, 0.03)[at])
    said = _message(tmp_path, results, "flatness")
    assert said.endswith(f": 10.0 ({names[0]}) to 32.0 [5.0, 35.0].")
    assert "(n = 2 members each;" in said
    layers = [row for row in results["neighbourhood"] if row["kind"] == "layer"]
    for row in layers:
        row["drop"] = value(0.1 if row["rank"] == 1 else 0.05, 0.02)
    only = f"Swapped bits cost most in layer {layers[0]['layer']} in {names[0]} (10.0 points)"
    assert _message(tmp_path, results, "sensitivity").startswith(only)
    layers[1]["drop"] = value(0.07, 0.02)
    said = _message(tmp_path, results, "sensitivity")
    assert names[0] not in said
    assert said.endswith("; intervals of layers overlap in 1 of 3 trained populations.")


def test_every_point_of_every_chain_lies_inside_its_panel(tmp_path: Path, results: dict[str, Any]) -> None:
    for row in results["chains"]:
        if row["path"] == "geodesic":  # the last panel, far above the first
            row["barrier"]["entezari_error"] = value(0.6, 0.05)
    svg = dom.parse(str(builder.draw(tmp_path, results, figures.ALL["chains"]).svg))
    boxes = [{key: float(box.attributes[key]) for key in ("y", "height")} for box in svg.all("rect")]
    top, bottom = boxes[0]["y"], boxes[0]["y"] + boxes[0]["height"]
    heights = [
        float(node.attributes["y"])
        for node in svg.all("use")
        if "fill: #" in node.attributes["style"] and "fill-opacity" not in node.attributes["style"]
    ]
    assert len(boxes) == 2
    assert sum(top <= height <= bottom for height in heights) == 2 * 2 * 5  # populations, paths, links


def test_chains_show_what_noise_alone_shows(tmp_path: Path, results: dict[str, Any]) -> None:
    images = {"low": 0.01, "high": 0.09, "bias": 0.01, "corrected": 0.05, "chance": 0.0312, "resamples": 200}
    for row in results["chains"]:
        row["over_images"] = {"entezari_error": images, "entezari_loss": images}
        row["members"] = 1
    assert dom.table(_page(tmp_path, results), "chains-table")[0][7] == ("5.0", "[1.0, 9.0]noise 3.1")
    said = _message(tmp_path, results, "chains")
    assert "Noise alone would show 3.1 points. One member carries nothing about a population." in said
    assert "(n = 1 member per population;" in said


def test_lines_between_populations_start_in_panels_of_their_own(
    tmp_path: Path, results: dict[str, Any]
) -> None:
    """Each line stands in the panels of both of its ends, in the colour of the other."""
    drawn = builder.draw(tmp_path, results, figures.ALL["interpolation"])
    svg = dom.parse(str(drawn.svg))
    colours = style.theme([load.read(tmp_path)]).colours
    names = list(colours)
    texts = [node.text() for node in svg.all("text")]
    assert [text for text in texts if text.startswith("from ")] == [
        f"from {name}," for name in names for _ in range(2)
    ]
    assert "chance level" in texts
    looks = [node.attributes.get("style", "") for node in svg.all("path") if "clip-path" in node.attributes]
    for colour in colours.values():
        assert sum(f"stroke: {colour}" in look for look in looks) == len(_between(results)) * 2 // 3


def test_planes_say_on_which_draws_they_lie(tmp_path: Path, results: dict[str, Any]) -> None:
    drawn = builder.draw(tmp_path, results, figures.ALL["surfaces"])
    assert "draws of base weights" not in drawn.caption
    assert drawn.message.startswith("Lowest to highest accuracy over the 4 of 6 planes shown")
    for plane in results["planes"]:
        plane["block"] = {"members": "across", "flips": None}[plane["kind"]]
    drawn = builder.draw(tmp_path, results, figures.ALL["surfaces"])
    assert (
        " The three of edge-popup-d0.5, biprop-d0.5 lie on different draws of base weights." in drawn.caption
    )
    texts = [node.text() for node in dom.parse(str(drawn.svg)).all("text")]
    assert {"20", "40", "60", "80"} <= set(texts)


def test_what_re_estimated_statistics_do_to_members_is_said(tmp_path: Path, results: dict[str, Any]) -> None:
    name = results["populations"][0]["name"]
    walked.reestimate(results)
    results["study"]["network"]["buffers"] = [["bn1.running_mean", [16]]]
    rows = [{"population": name, "members": 4, "stored": 0.85, "re_estimated": 0.801}]
    results["landscape_work"]["members_accuracy"] = rows
    codes = ("reestimated-statistics", "landscape-starved", "path-not-possible")
    results["warnings"] += [{"code": code, "text": f"of {code}", "where": name} for code in codes]
    root = _page(tmp_path, results)
    caption = root.by_id("s1-landscape-work-caption").text()
    assert f"{name} 85.0 → 80.1 % (−4.9 points, 4 members)." in caption
    assert "each member has of its own (the landscape re-estimates them); scale" in root.text()
    (warnings,) = [node for node in root.all("div") if node.has("warnings")]
    for code in codes:
        assert f"of {code} ({name}) {code}" in warnings.text()
    assert "without a limit" in root.by_id("s1-landscape-work").text()
    results["landscape_work"].update(members_accuracy=[], statistics="keep")
    text = _page(tmp_path, results).text()
    assert "re-estimates them" not in text
    assert "Mean test accuracy of the members themselves" not in text


def test_the_table_that_holds_the_intervals_is_open(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=4, members=4, landscape=True)
    root = _page(tmp_path, results)
    (details,) = [
        node
        for node in root.all("details")
        if any(own.attributes.get("id") == "s1-barriers-table" for own in node.all("div"))
    ]
    assert len(dom.table(root, "barriers-table")) > 24
    assert "open" in details.attributes
    assert "stand in the table below" in root.by_id("s1-barriers").text()
