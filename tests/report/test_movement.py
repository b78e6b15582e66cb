import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import report
from masklab.report import load, numbers, records, style
from masklab.report.figures import movement

from . import builder, dom, variants
from .conftest import Page


def _whole(results: dict[str, Any], metric: str, population: str = "") -> list[dict[str, Any]]:
    return [
        row
        for row in results["movement"]
        if (row["metric"], row["layer"]) == (metric, "whole") and population in {"", row["population"]}
    ]


def _draw(folder: Path, results: dict[str, Any]) -> tuple[dom.Node, str, str]:
    builder.rewrite(folder, results)
    analysis = load.read(folder)
    drawn = movement.draw(analysis, style.theme([analysis]), "k")
    return dom.parse(str(drawn.svg)), drawn.message, drawn.caption


def test_points_lie_where_the_numbers_are(plain: Page) -> None:
    """Left: midpoints of the two epochs against percent; right: epochs against Hamming distances."""
    colours = style.theme([load.read(plain.study)]).colours
    marks = [
        (float(node.attributes["x"]), float(node.attributes["y"]), node.attributes["style"])
        for node in plain.root.by_id("s1-movement").all("use")
        if "x" in node.attributes and "fill: #" in node.attributes["style"]
    ]
    for metric, left, scale in (("flipped_per_epoch", True, 100.0), ("to_final", False, 1.0)):
        wanted, found = [], []
        for name, colour in colours.items():
            rows = _whole(plain.results, metric, name)
            wanted += [
                ((row["epoch"] + row["to"]) / 2 if left else row["epoch"], scale * row["estimate"]["value"])
                for row in rows
            ]
            own = [(x, y) for x, y, look in marks if f"fill: {colour}" in look and (x < 360) == left]
            # one mark of each population stands in the legend
            found += [place for place in own if place[1] < 250]
            assert len(rows) == 5
        assert len(found) == len(wanted)
        for axis in (0, 1):
            x = np.array(wanted, dtype=np.float64)[:, axis]
            y = np.array(found, dtype=np.float64)[:, axis]
            slope, offset = np.polyfit(x, y, 1)
            assert np.abs(slope * x + offset - y).max() < 0.01
            assert (slope > 0) == (axis == 0)


def test_chance_level_is_inside_the_panel_at_its_height(plain: Page) -> None:
    figure = plain.root.by_id("s1-movement")
    (dashed,) = [
        node
        for node in figure.all("path")
        if "stroke-dasharray" in node.attributes.get("style", "") and "clip-path" in node.attributes
    ]
    xs, ys = np.array(re.findall(r"[ML] (\S+) (\S+)", dashed.attributes["d"]), dtype=np.float64).T
    rows = [row for row in _whole(plain.results, "to_final") if row["population"] == "biprop-d0.5"]
    colour = style.theme([load.read(plain.study)]).colours["biprop-d0.5"]
    marks = [
        (float(node.attributes["x"]), float(node.attributes["y"]))
        for node in figure.all("use")
        if f"fill: {colour}" in node.attributes["style"] and float(node.attributes["x"]) > 360
    ][: len(rows)]
    slope, offset = np.polyfit([row["estimate"]["value"] for row in rows], [y for _, y in marks], 1)
    assert np.abs(ys - (slope * rows[0]["chance"] + offset)).max() < 0.05
    assert ys.min() > 10.0  # below the upper edge of the drawing
    assert np.abs(xs[[0, -1]] - [marks[0][0], marks[-1][0]]).max() < 0.01


def test_bands_chance_and_names_are_drawn(plain: Page) -> None:
    figure = plain.root.by_id("s1-movement")
    texts = [node.text() for node in figure.all("text")]
    for wanted in ("share of mask bits flipped per epoch, %", "distance to the final mask", "chance level"):
        assert wanted in texts
    assert {row["name"] for row in plain.results["populations"]} <= set(texts)
    bands = [node for node in figure.all("path") if "fill-opacity: 0.18" in node.attributes.get("style", "")]
    bands += [node for node in figure.all("use") if "fill-opacity: 0.18" in node.attributes.get("style", "")]
    assert len(bands) == 2 * 3
    (caption,) = figure.all("figcaption")
    assert caption.text().startswith("n = 6 members per point.")
    assert "95 % interval, jackknife over members" in caption.text()
    assert "analysis/movement.csv" in caption.text()


def test_table_prints_the_whole_mask_rows(plain: Page) -> None:
    cells = dom.rows(plain.root.by_id("s1-movement-table"))
    flips, ways = _whole(plain.results, "flipped_per_epoch"), _whole(plain.results, "to_final")
    assert len(cells) == len(flips) == len(ways) == 15
    for row, flip, way in zip(cells, flips, ways, strict=True):
        assert [dom.part(cell, "text") for cell in row[:3]] == [
            flip["population"],
            str(flip["epoch"]),
            str(flip["to"]),
        ]
        for cell, found, scale in ((row[3], flip, 100.0), (row[4], way, 1.0)):
            value = scale * found["estimate"]["value"]
            assert float(cell.attributes["data-value"]) == pytest.approx(value, rel=1e-14)
            digits = numbers.decimals(records.Estimate(**found["estimate"]), scale, 0)
            assert dom.part(cell, "text") == f"{value:.{digits}f}"
            assert dom.part(cell, "count") == "6 members"
        assert float(row[5].attributes["data-value"]) == way["chance"]


def test_message_names_first_and_last_means(plain: Page) -> None:
    (svg,) = plain.root.by_id("s1-movement").all("svg")
    values = [row["estimate"]["value"] for row in _whole(plain.results, "to_final") if row["epoch"] == 0]
    first = [
        100.0 * row["estimate"]["value"]
        for row in _whole(plain.results, "flipped_per_epoch")
        if row["epoch"] == 0
    ]
    message = svg.attributes["aria-label"]
    assert f"{min(first):.2f} to {max(first):.2f} % from epochs 0 to 2, " in message
    assert f"final mask at epoch 0: {min(values):.3f} to {max(values):.3f}." in message


@pytest.mark.parametrize("change", ["missing", "empty"])
def test_without_snapshots_there_is_no_section(tmp_path: Path, change: str) -> None:
    results = builder.build(tmp_path, populations=2, members=2)
    variants.clear(results, "movement")
    if change == "missing":
        del results["movement"]
    else:
        results["movement"] = []
    builder.rewrite(tmp_path, results)
    html = report.write([tmp_path], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "How masks move" not in html
    assert "movement" not in html
    analysis = load.read(tmp_path)
    assert movement.draw(analysis, style.theme([analysis]), "k").svg is None


def test_undefined_and_single_values(tmp_path: Path) -> None:
    """One snapshot of one population; its interval is a line, and what is undefined is said to be."""
    results = builder.build(tmp_path, populations=2, members=2)
    variants.clear(results, "movement")
    first = results["populations"][0]["name"]
    few = copy.deepcopy(results)
    few["movement"] = [
        row for row in results["movement"] if row["epoch"] == 16 and row["population"] == first
    ]
    root, message, _ = _draw(tmp_path, few)
    assert message.count("from epochs 16 to 20") == 1
    marks = [n for n in root.all("use") if "fill: #" in n.attributes["style"] and "x" in n.attributes]
    assert len(marks) == 3  # a point in each panel, and the legend
    for row in few["movement"]:
        if row["metric"] == "flipped_per_epoch":
            row["estimate"].update(value=None, low=None, high=None, why="no two snapshots")
    root, message, _ = _draw(tmp_path, few)
    assert message.startswith("Hamming distance to the final mask at epoch 16: ")
    page = dom.parse(report.write([tmp_path], tmp_path / "report.html").read_text(encoding="utf-8"))
    ((*_, flip, way, chance),) = dom.rows(page.by_id("s1-movement-table"))
    assert dom.part(flip, "text") == "–"
    assert dom.part(flip, "detail").startswith("no two snapshots")
    assert "data-value" not in flip.attributes
    assert "data-value" in way.attributes
    assert "data-value" in chance.attributes
    few["movement"] = [row for row in few["movement"] if row["metric"] == "flipped_per_epoch"]
    builder.rewrite(tmp_path, few)
    page = dom.parse(report.write([tmp_path], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.by_id("s1-movement").text().strip().endswith("No member holds snapshots of its mask.")
    ((*_, way, chance),) = dom.rows(page.by_id("s1-movement-table"))
    assert dom.part(way, "detail") == "no such snapshots"
    assert dom.part(chance, "text") == "–"


def test_members_with_other_snapshots_have_rows_of_their_own(tmp_path: Path) -> None:
    """One epoch may have two successors, and none; every row is in the table, and lines never turn back."""
    results = builder.build(tmp_path, populations=1, members=2)
    variants.clear(results, "movement")
    skipping = copy.deepcopy(
        [row for row in results["movement"] if (row["metric"], row["epoch"]) == ("flipped_per_epoch", 0)]
    )
    for row in skipping:
        row["to"] = 16
    results["movement"] = [
        *skipping,
        *(r for r in results["movement"] if (r["metric"], r["epoch"]) != ("flipped_per_epoch", 10)),
    ]
    builder.rewrite(tmp_path, results)
    root = dom.parse(report.write([tmp_path], tmp_path / "report.html").read_text(encoding="utf-8"))
    cells = dom.rows(root.by_id("s1-movement-table"))
    epochs = [[dom.part(cell, "text") for cell in row[1:3]] for row in cells]
    assert epochs == [["0", "2"], ["0", "16"], ["2", "5"], ["5", "10"], ["10", "–"], ["16", "20"]]
    assert dom.part(cells[4][3], "detail") == "no such snapshots"
    name = results["populations"][0]["name"]
    middles = [row.epoch + row.to for row in load.read(tmp_path).movement(name, "flipped_per_epoch")]
    assert middles == [2, 7, 15, 16, 36]


def test_populations_with_chance_levels_of_their_own(tmp_path: Path) -> None:
    """A level that two populations share is drawn once in ink, one of its own in the population's colour."""
    results = builder.build(tmp_path, populations=3, members=2)
    names = [row["name"] for row in results["populations"]]
    for row in results["movement"]:
        if row["metric"] == "to_final" and row["population"] == names[2]:
            row["chance"] = 0.375
    root, _, _ = _draw(tmp_path, results)
    colours = style.theme([load.read(tmp_path)]).colours
    dashed = [
        node.attributes["style"]
        for node in root.all("path")
        if "stroke-dasharray" in node.attributes.get("style", "") and "#" in node.attributes["style"]
    ]
    assert sum(colours[names[2]] in look for look in dashed) == 1
    assert not any(colours[name] in look for look in dashed for name in names[:2])


def test_odd_names_are_text_in_the_section(hostile: Page) -> None:
    first = hostile.results["populations"][0]["name"]
    assert first in [node.text() for node in hostile.root.by_id("s1-movement").all("text")]
    assert first in hostile.root.by_id("s1-movement-table").text()


def test_layers_and_when_they_settle(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3)
    name, layer = results["populations"][1]["name"], results["study"]["network"]["layers"][0]["name"]
    estimate = {"value": 7.25, "low": 6.0, "high": 8.5, "level": 0.95, "method": "t", "n": 3}
    row = {"population": name, "layer": layer, "metric": "settled_epoch", "tolerance": 0.01, "to": 20}
    results["settling"] = [{**row, "first": 2, "estimate": estimate, "chance": 20.0, "members": 3}]
    builder.rewrite(tmp_path, results)
    root = dom.parse(report.write([tmp_path], tmp_path / "report.html").read_text(encoding="utf-8"))
    ((population, at, settled, chance),) = dom.rows(root.by_id("s1-settling-table"))
    assert [dom.part(cell, "text") for cell in (population, at, settled, chance)] == [
        name,
        layer,
        "7.2",
        "20.0",
    ]
    assert "[6.0, 8.5]" in settled.text() and "3 members" in settled.text()
    assert "at most 1 % of the weights" in root.by_id("s1-settling-table").text()
