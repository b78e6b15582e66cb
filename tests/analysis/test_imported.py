"""Numbers of a study with masks of other tools: what is unknown is null and says why."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from masklab import stages
from masklab.analysis import chance, design, distances, overlap
from masklab.archive import Archive
from tests.archive.exchange import samples

from . import builder


@pytest.fixture
def mixed(tmp_path: Path) -> Archive:
    """A population with seeds, and two of masks alone of which one has an empty layer."""
    masks = builder.random_masks({"edge-popup-d0.5": 0.5}, 5)
    builder.build(tmp_path / "out", masks)
    for name, empty in (("foreign", False), ("collapsed", True)):
        places = []
        for seed in range(3):
            mask = builder.random_mask(100 + seed, 0.5)
            if empty:
                mask["fc"] = np.zeros_like(mask["fc"])
            samples.savez(tmp_path / f"{name}{seed}.npz", mask)
            places.append(tmp_path / f"{name}{seed}.npz")
        samples.take(tmp_path / "out", *places, population=name)
    return Archive(tmp_path / "out")


def _results(archive: Archive) -> dict:
    found = builder.assembled(archive)
    return json.loads(json.dumps(found, allow_nan=False))


def test_unknown_accuracy_is_null_and_says_why(mixed: Archive) -> None:
    found = _results(mixed)
    rows = {(row["population"], row["metric"]): row for row in found["accuracy"]}
    row = rows["foreign", "accuracy"]
    assert (row["estimate"]["value"], row["why"]) == (None, "accuracy is unknown (imported)")
    assert rows["edge-popup-d0.5", "accuracy"]["estimate"]["value"] == pytest.approx(0.52)
    members = {row["id"]: row for row in found["members"]}
    assert members["foreign/0000"]["accuracy"] is None
    assert members["foreign/0000"]["why"] == "unknown (imported)"
    assert "why" not in members["edge-popup-d0.5/0000"]
    assert mixed.members["accuracy"].isna().tolist() == [False] * 5 + [True] * 6


def test_populations_say_where_they_came_from(mixed: Archive) -> None:
    rows = {row["name"]: row for row in _results(mixed)["populations"]}
    assert rows["edge-popup-d0.5"]["imported"] is None
    imported = rows["foreign"]["imported"]
    assert (imported["format"], imported["weights"]) == ("arrays", "none")
    assert [described["name"] for described in imported["files"]] == [f"foreign{i}.npz" for i in range(3)]
    assert imported["unknown"] == ["seeds", "accuracy", "predictions", "data", "network", "training"]


def test_warnings_name_what_is_unknown(mixed: Archive) -> None:
    found = [(row["code"], row["where"]) for row in _results(mixed)["warnings"]]
    for code in ("imported", "unknown-weights"):
        assert [where for own, where in found if own == code] == ["foreign", "collapsed"]
    assert ("few-weight-draws", "seeds.weights") in found


def test_equal_indices_are_no_equal_seeds(mixed: Archive) -> None:
    rows = [row for row in _results(mixed)["overlap"] if row["layer"] == "whole"]
    unknown = [row for row in rows if row["metric"] == overlap.MAGNITUDE and row["a"] != "edge-popup-d0.5"]
    assert all("base weights are known" in row["estimate"]["why"] for row in unknown)
    rows = [row for row in rows if row["metric"] != overlap.MAGNITUDE]  # of known base weights only
    between = [row for row in rows if {row["a"], row["b"]} == {"edge-popup-d0.5", "foreign"}]
    assert {(row["seed"], row["pairs"]) for row in between} == {("different", 15)}
    assert {row["block"] for row in between} == {"across"}
    foreign = [row for row in rows if (row["a"], row["b"]) == ("foreign", "collapsed")]
    assert {(row["seed"], row["pairs"]) for row in foreign} == {("different", 9)}


def test_seeds_of_other_populations_stay_paired(mixed: Archive) -> None:
    names, blocks = ["a", "b", "x"], {f"{name}/{i:04d}": 0 for name in "abx" for i in range(3)}
    masks = {name: [builder.random_mask(i, 0.5) for i in range(3)] for name in names}
    archive = builder.build(mixed.directory / "other", masks)  # pyright: ignore[reportArgumentType]
    who = design.make(archive.ids, blocks, names, ["x"])
    rows = [row for row in overlap.rows(who, distances.measure(archive)) if row["layer"] == "whole"]
    seeds = {(row["a"], row["b"], row["seed"]): row["pairs"] for row in rows}
    assert (seeds["a", "b", "same"], seeds["a", "b", "different"]) == (3, 6)
    assert ("a", "x", "same") not in seeds
    assert seeds["a", "x", "different"] == 9


def test_an_empty_layer_has_no_similarity(mixed: Archive) -> None:
    rows = {
        row["metric"]: row
        for row in _results(mixed)["overlap"]
        if (row["a"], row["b"], row["layer"]) == ("collapsed", "collapsed", "fc")
    }
    assert rows["hamming"]["estimate"]["value"] == 0.0
    for metric in ("jaccard", "jaccard_similarity", "chance_corrected"):
        assert rows[metric]["estimate"]["value"] is None
        assert rows[metric]["estimate"]["why"].endswith("or none, so that only one overlap is possible")
        assert rows[metric]["chance"] is None
    whole = [
        row["estimate"]["value"]
        for row in _results(mixed)["overlap"]
        if (row["a"], row["b"], row["layer"]) == ("collapsed", "collapsed", "whole")
        and row["metric"] != overlap.MAGNITUDE
    ]
    assert None not in whole


@pytest.mark.parametrize("size", [40, 4000])
@pytest.mark.parametrize("kept", [(0, 7), (0, 0), (3, 5)])
def test_chance_where_a_mask_keeps_nothing(size: int, kept: tuple[int, int]) -> None:
    found = chance.expected_jaccard_similarity(np.array([size]), np.array([kept]))
    assert math.isnan(found[0, 0]) == (kept[0] == 0)
    if kept == (0, 7):
        assert found[0, 1] == found[1, 0] == 0.0
    assert math.isnan(found[0, 1]) == (kept == (0, 0))


def test_equal_masks_of_unknown_seeds(tmp_path: Path) -> None:
    samples.savez(tmp_path / "a.npz", builder.random_mask(1, 0.5))
    samples.take(tmp_path / "out", tmp_path / "a.npz", tmp_path / "a.npz")
    found = {row["code"]: row["text"] for row in _results(Archive(tmp_path / "out"))["warnings"]}
    assert "not all of their seeds are known" in found["duplicate-members"]


def _alone(folder: Path, members: int) -> Path:
    places = []
    for seed in range(members):
        samples.savez(folder / f"{seed}.npz", builder.random_mask(seed, 0.5))
        places.append(folder / f"{seed}.npz")
    samples.take(folder / "out", *places)
    return folder / "out"


_WITHOUT_TORCH = """
import sys
from pathlib import Path
from masklab import analysis
from masklab.archive import Archive
analysis.analyze(Archive(Path(sys.argv[1])))
assert "torch" not in sys.modules
"""


def test_a_study_of_imported_masks_alone_needs_no_torch(tmp_path: Path) -> None:
    out = _alone(tmp_path, 5)
    subprocess.run([sys.executable, "-c", _WITHOUT_TORCH, str(out)], check=True)
    found = json.loads((out / "analysis/results.json").read_text())
    assert [row["method"] for row in found["embeddings"]] == ["pcoa"]
    (row,) = [
        row for row in found["overlap"] if row["layer"] == "whole" and row["metric"] == "jaccard_similarity"
    ]
    assert row["estimate"]["value"] == pytest.approx(row["chance"], abs=0.05)
    assert not [row for row in found["warnings"] if row["code"] in ("few-weight-draws", "at-guessing")]


def test_the_stage_walks_no_path(tmp_path: Path) -> None:
    out = _alone(tmp_path, 3)
    stages.analyze(out, jobs=1)
    found = json.loads((out / "analysis/results.json").read_text())
    assert (found["landscape"], found["study"]["recipe_digest"]) == ([], None)
    assert not stages.is_analyzed(out)
    stages.report([out])
    assert stages.is_analyzed(out)
