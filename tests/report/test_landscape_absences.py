"""What a landscape does not hold is said, and what is wrong with it is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import report
from masklab.errors import ArchiveError
from masklab.report import figures, load

from . import builder, dom, surfaces, variants, walked


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Any]:
    return builder.build(tmp_path, populations=2, members=3, landscape=True)


def _page(folder: Path, results: dict[str, Any]) -> dom.Node:
    builder.rewrite(folder, results)
    return dom.parse(report.write([folder], folder / "report.html").read_text(encoding="utf-8"))


def _anchors(root: dom.Node) -> set[str]:
    found = {node.attributes["id"].removeprefix("s1-") for node in root.all() if "id" in node.attributes}
    return found & {*walked.DRAWN, *walked.TABLES}


def test_without_a_landscape_one_sentence_says_so(tmp_path: Path, results: dict[str, Any]) -> None:
    for key in walked.KEYS:
        results[key] = []
    results["landscape_work"] = None
    root = _page(tmp_path, results)
    assert _anchors(root) == {"paths"}
    assert "The landscape between masks was not measured" in root.by_id("s1-paths").text()
    for word in ("Entezari et al.", "Landscape:"):
        assert word not in root.text()
    for name in walked.DRAWN:
        drawn = builder.draw(tmp_path, results, figures.ALL[name])
        assert drawn.svg is None
        assert drawn.caption.startswith("The landscape between masks was not measured")


def test_what_a_landscape_lacks_is_said(tmp_path: Path, results: dict[str, Any]) -> None:
    for key in set(walked.KEYS) - {"landscape"}:
        results[key] = []
    results["landscape"] = [row for row in results["landscape"] if row["a"] == row["b"]]
    root = _page(tmp_path, results)
    assert _anchors(root) == {
        *("paths", "barriers", "barriers-table", "landscape-work"),
        *("flatness", "algebra", "transfer", "surfaces", "chains"),
    }
    reasons = {
        "flatness": "The neighbourhood of masks was not measured.",
        "algebra": "No two masks of a population share base weights",
        "transfer": "No mask was put on other base weights.",
        "surfaces": "No population has the members that a plane is drawn around.",
        "chains": "no member that holds snapshots has such weights",
    }
    for name, reason in reasons.items():
        assert reason in root.by_id(f"s1-{name}").text(), name
    results["movement"] = []
    drawn = builder.draw(tmp_path, results, figures.ALL["chains"])
    assert drawn.caption == "No member holds snapshots of its mask, so there are none to join along training."
    for name in ("interpolation", "sensitivity", "gathering"):
        drawn = builder.draw(tmp_path, results, figures.ALL[name])
        assert (drawn.svg, drawn.message) == (None, "")


def test_undefined_values_are_left_out_and_explained(tmp_path: Path, results: dict[str, Any]) -> None:
    why = "the loss is not finite somewhere on a path"
    nothing = {"value": None, "low": None, "high": None, "level": 0.95, "method": "t", "n": 2, "why": why}
    for row in (*results["landscape"], *results["chains"]):
        row["barrier"] = dict.fromkeys(row["barrier"], nothing)
    for row in results["landscape"]:
        for own in row["over_images"].values():
            own.update(dict.fromkeys(("low", "high", "bias", "corrected", "chance")), why=why)
    for row in (*results["neighbourhood"], *results["algebra"], *results["transfer"]):
        row.update((key, nothing) for key in ("drop", "gain", "change") if key in row)
    root = _page(tmp_path, results)
    row = dom.table(root, "barriers-table")[0]
    for at in (7, 8, 9, 10, 11):
        assert row[at] == ("–", why)
    assert not list(root.by_id("s1-barriers").all("svg"))
    assert "No barrier between members is defined." in root.by_id("s1-barriers").text()
    messages = {
        "paths": "Accuracy along paths between members of a population.",
        "interpolation": "Accuracy along straight lines between members of two populations.",
        "flatness": "Accuracy after random flips.",
        "algebra": "Accuracy of what operations make of the masks of a population.",
    }
    for name, message in messages.items():
        (svg,) = root.by_id(f"s1-{name}").all("svg")
        assert svg.attributes["aria-label"] == message
    for name in ("chains", "sensitivity"):
        assert not list(root.by_id(f"s1-{name}").all("svg"))


def _with(value: Any, *keys: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(
            (_with("nobody", key, 0, "population"), f"{key} names the population 'nobody'")
            for key in ("chains", "neighbourhood", "algebra", "transfer", "planes")
        ),
        (_with("nobody", "landscape", 0, "b"), "landscape names the population 'nobody'"),
        (_with([0.0], "landscape", 0, "points"), "points and accuracies differ in number"),
        (_with("x", "landscape", 0, "split"), r"landscape\.0\.split: Input should be 'test' or 'train'"),
        (_with(None, "landscape", 0, "orders"), r"landscape\.0\.orders: Input should be a valid integer"),
        (_with(-1, "chains", 0, "to"), "a chain of edge-popup-d0.5 goes back from epoch 0 to -1"),
        (_with(0.0, "neighbourhood", 0, "share"), "neighbourhood of edge-popup-d0.5: a share of 0.0 is fli"),
        (_with(["x/0"], "planes", 0, "members"), "plane/0 is through 'x/0', which is no stored member"),
        (_with("x/0", "planes", 0, "at", 0, "id"), "plane/0 is through 'x/0', which is no stored member"),
        (_with([1.0, 0.0], "planes", 0, "x"), "plane/0: x and y are not ascending positions"),
        (_with([0.0], "planes", 0, "y"), "plane/0: x and y are not ascending positions"),
        (_with("plane/9", "planes", 0, "array"), r"landscape\.npz is incomplete: "),
        (_with([0.0, 1.0], "planes", 0, "x"), "plane/0/accuracy is not a finite 7 × 2 matrix"),
        (_with("many", "landscape_work", "budget"), r"landscape_work\.budget: Input should be a valid int"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, results: dict[str, Any], change: Callable[[Any], None], message: str
) -> None:
    change(results)
    builder.rewrite(tmp_path, results)
    with pytest.raises(ArchiveError, match=message):
        load.read(tmp_path)


def _replace(path: Path, values: np.ndarray) -> None:
    surfaces.write(path.parent, {f"plane/{at}/accuracy": values for at in range(4)})


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, "landscape.npz does not exist; run `masklab analyze` again"),
        (lambda path: path.write_bytes(b"PK\x03\x04nothing"), "is damaged"),
        (lambda path: _replace(path, np.full((7, 7), np.nan)), "plane/0/accuracy is not a finite 7 × 7 matr"),
        (lambda path: _replace(path, np.array(["a"])), "is damaged"),
    ],
)
def test_what_is_wrong_with_the_planes_is_named(
    tmp_path: Path, damage: Callable[[Path], Any], message: str
) -> None:
    damage(tmp_path / "analysis" / "landscape.npz")
    with pytest.raises(ArchiveError, match=message):
        load.read(tmp_path)


def test_without_planes_their_arrays_are_not_looked_for(tmp_path: Path, results: dict[str, Any]) -> None:
    (tmp_path / "analysis" / "landscape.npz").unlink()
    variants.clear(results)
    builder.rewrite(tmp_path, results)
    assert load.read(tmp_path).surfaces == {}
