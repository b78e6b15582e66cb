from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import report
from masklab.errors import ArchiveError
from masklab.report import load

from . import builder


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    return tmp_path, builder.build(tmp_path, populations=2, members=2, landscape=True)


def test_a_study_without_analysis_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=rf"run `masklab analyze {tmp_path}` first"):
        report.write([tmp_path], tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_no_study_at_all(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no study given"):
        report.write([], tmp_path / "report.html")


def _without(*keys: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return change


def _with(value: Any, *keys: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("overlap"), "overlap: Field required"),
        (_without("members", 1, "accuracy"), r"members\.1\.accuracy: Field required"),
        (_without("accuracy", 0, "estimate", "low"), r"accuracy\.0\.estimate\.low: Field required"),
        (_with("high", "accuracy", 0, "estimate", "value"), r"accuracy\.0\.estimate\.value"),
        (
            _with(2, "schema"),
            "schema 2; this version of masklab reads schema 3: run `masklab analyze` again",
        ),
        (_without("stability"), "stability: Field required"),
        (_without("tests", 0, "effect"), r"tests\.0\.effect: Field required"),
        (_with("much", "diversity", 0, "null", "mean"), r"diversity\.0\.null\.mean"),
        *(
            (_with("nobody", key, 0, field), f"{key} names the population 'nobody'")
            for key, field in (
                ("stability", "population"),
                ("spread", "population"),
                ("consensus", "population"),
                ("structure", "population"),
                ("ensembles", "population"),
                ("diversity", "population"),
                ("rarefaction", "population"),
                ("tests", "a"),
                ("function", "b"),
            )
        ),
        (_with("x/0", "scatter", 0, "id_b"), "scatter names 'x/0', which is no stored member"),
        (
            _with("x/0", "embeddings", 0, "twin", "points", 0, "id"),
            "the twin of embedding pcoa places 'x/0', which is no stored member",
        ),
        (_with(9, "consensus", 0, "kept_by"), "counts weights that 9 of 3 masks keep"),
        (_with("nobody", "members", 0, "population"), "members names the population 'nobody'"),
        (_with("nobody", "movement", 0, "population"), "movement names the population 'nobody'"),
        (
            _with("soon", "movement", 0, "metric"),
            r"movement\.0\.metric: Input should be 'flipped_per_epoch' or",
        ),
        (_without("movement", 3, "members"), r"movement\.3\.members: Field required"),
        (_with(-1, "movement", 0, "to"), "movement of edge-popup-d0.5 goes back from epoch 0 to -1"),
        (_with(False, "populations", 0, "compared"), "overlap edge-popup-d0.5 – edge-popup-d0.5 compares a"),
        (
            _with("maybe", "populations", 0, "trained"),
            r"populations\.0\.trained: Input should be a valid boo",
        ),
        (_with([3], "populations", 0), r"populations\.0: Input should be a valid dictionary"),
        (
            _with([{"name": "a"}], "study", "network", "unmasked"),
            r"network\.unmasked\.0\.shape: Field required",
        ),
        (_with("x/0", "embeddings", 0, "points", 0, "id"), "places 'x/0', which is no stored member"),
    ],
)
def test_what_is_wrong_in_results_json_is_named(
    study: tuple[Path, dict[str, Any]], change: Callable[[Any], None], message: str
) -> None:
    folder, results = study
    change(results)
    builder.rewrite(folder, results)
    with pytest.raises(ArchiveError, match=message):
        load.read(folder)


@pytest.mark.parametrize(("text", "message"), [("[]", "no JSON object"), ("{", "is not JSON")])
def test_foreign_results(study: tuple[Path, Any], text: str, message: str) -> None:
    folder, _ = study
    (folder / "analysis" / "results.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArchiveError, match=message):
        load.read(folder)


def test_a_number_that_is_not_finite_is_refused(study: tuple[Path, Any]) -> None:
    folder, _ = study
    path = folder / "analysis" / "results.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"momentum": 0.9', '"momentum": NaN'), encoding="utf-8"
    )
    with pytest.raises(ArchiveError, match="not finite"):
        load.read(folder)


def _drop_hamming(path: Path) -> None:
    np.savez(path, ids=np.array(["a"]))


def _drop_member(path: Path) -> None:
    with np.load(path) as arrays:
        np.savez(path, ids=arrays["ids"][:-1], hamming=arrays["hamming"][:-1, :-1])


def _spoil_distance(path: Path) -> None:
    with np.load(path) as arrays:
        hamming = arrays["hamming"].copy()
        ids = arrays["ids"]
    hamming[0, 1] = np.nan
    np.savez(path, ids=ids, hamming=hamming)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, "overlap.npz does not exist"),
        (lambda path: path.write_bytes(b"PK\x03\x04nothing"), "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (_drop_hamming, "is incomplete"),
        (_drop_member, "its members are not those of"),
        (_spoil_distance, "not a finite 4 × 4 matrix"),
    ],
)
def test_what_is_wrong_in_the_distances_is_named(
    study: tuple[Path, Any], damage: Callable[[Path], Any], message: str
) -> None:
    folder, _ = study
    damage(folder / "analysis" / "overlap.npz")
    with pytest.raises(ArchiveError, match=message):
        load.read(folder)


def test_pairs_are_found_in_either_order(study: tuple[Path, dict[str, Any]]) -> None:
    folder, results = study
    analysis = load.read(folder)
    first, second = analysis.names
    row = analysis.overlap(second, first, "jaccard", seed="same")
    assert row is not None
    assert row == analysis.overlap(first, second, "jaccard", seed="same")
    (wanted,) = [
        entry["estimate"]["value"]
        for entry in results["overlap"]
        if (entry["a"], entry["b"], entry["layer"], entry["metric"], entry["seed"], entry["block"])
        == (first, second, "whole", "jaccard", "same", "within")
    ]
    assert row.estimate.value == wanted
    path = analysis.path(second, first, seed="same")
    assert path is not None
    assert (path.a, path.b, path.path, path.split) == (first, second, "linear", "test")
    other = analysis.path(second, first, seed="same", split="train")
    assert other is not None
    assert (other.a, other.b, other.path, other.split) == (first, second, "linear", "train")
    assert analysis.path(first, second, seed="same", path="ranked") is None
