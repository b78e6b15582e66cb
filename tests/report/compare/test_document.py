import json
from pathlib import Path
from typing import Any

import pytest

from masklab.report import compare, load, payload
from masklab.report.compare import document
from masklab.report.compare.document import Former

from ..together import studies
from .conftest import kept


def _find(former: Former, kind: str, *of: str) -> document.Number:
    (found,) = [own for own in former.numbers[kind] if own.of == of]
    return found


def _short(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-8)


def test_every_number_of_whole_masks_is_kept(results: studies.Row) -> None:
    former = kept(results)
    accuracies = [
        own
        for kind in ("accuracy", "best_epoch_accuracy", "validation_accuracy")
        for own in former.numbers[kind]
    ]
    assert len(accuracies) == len(results["accuracy"])
    for row in results["accuracy"]:
        own = _find(former, row["metric"], row["population"])
        assert own[1:4] == tuple(_short(row["estimate"][end]) for end in ("value", "low", "high"))
        assert own.n == row["estimate"]["n"]
    whole = [
        row for row in results["overlap"] if row["layer"] == "whole" and row["metric"] == "chance_corrected"
    ]
    assert len(former.numbers["chance_corrected"]) == len(whole) > 3
    for row in whole:
        own = _find(former, "chance_corrected", row["a"], row["b"], row["block"], row["seed"])
        assert (own.value, own.n) == (_short(row["estimate"]["value"]), row["pairs"])
    for row in results["landscape"]:
        if row["split"] == "test":
            own = _find(former, "barrier", row["a"], row["b"], row["block"], row["seed"], row["path"])
            assert own.value == _short(row["barrier"]["entezari_error"]["value"])
    assert len(former.numbers["ensemble"]) == len(results["ensembles"])
    assert len(former.numbers["stability"]) == 2
    assert [(own.id, own.accuracy) for own in former.members] == [
        (row["id"], _short(row["accuracy"])) for row in results["members"]
    ]


def test_numbers_are_told_apart(results: studies.Row) -> None:
    for kind, numbered in kept(results).numbers.items():
        assert len({own.of for own in numbered}) == len(numbered), kind


def test_settings_are_those_of_the_study(results: studies.Row) -> None:
    settings = kept(results).settings
    assert settings["recipe"]["epochs"] == 20
    assert settings["recipe"]["digest"] == "ab" * 32
    assert settings["network"]["layers"] == {
        layer["name"]: layer["size"] for layer in results["study"]["network"]["layers"]
    }
    assert settings["data"]["classes"] == 10
    assert settings["seeds"]["weights"] == 2
    assert settings["versions"]["torch"] == "2.15.0"
    assert settings["versions"]["results.json"] == "schema 3"
    assert settings["statistics"]["sets of random masks"] == 19
    assert settings["statistics"]["landscape budget"] == 8_000_000
    assert settings["computation"] == {
        "engine": "vmap",
        "precision": "fp32",
        "device": "cpu",
        "cpu": "Example 9000",
        "gpu": None,
        "commit": "0123abcd" * 5,
    }


def test_a_study_without_landscape_or_pairs(results: studies.Row) -> None:
    results["landscape_work"], results["landscape"] = None, []
    settings = kept(results).settings["statistics"]
    assert settings["landscape"] is None
    assert "landscape budget" not in settings


def test_the_page_carries_it_unchanged(results: studies.Row) -> None:
    analysis = studies.analysis(results)
    carried = compare.compact(analysis)
    again = payload.unpack(payload.pack({"results": [carried]}).encode(), "here")["results"][0]
    assert Former.model_validate(again) == document.make(analysis)
    assert payload.pack(carried) == payload.pack(compare.compact(analysis))


def test_it_is_small(results: studies.Row) -> None:
    """Without curves, layers and pairs of members: a small part of the results, and nothing twice."""
    size = len(json.dumps(compare.compact(studies.analysis(results)), separators=(",", ":")))
    assert size < 0.1 * len(json.dumps(results))
    assert size < 40_000


def test_directory_and_page_keep_the_same(folder: Path) -> None:
    (own,) = compare.read(folder)
    assert own == document.make(load.read(folder))
