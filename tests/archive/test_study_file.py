"""What the recipe digest covers."""

import copy
from pathlib import Path
from typing import Any

import pytest

from masklab.archive import files, study_file
from masklab.errors import ArchiveError

from . import samples

OLD: dict[str, Any] = {
    "name": "synthetic",
    "seeds": {"study": 0},
    "data": {
        "name": "synthetic",
        "path": None,
        "digest": "d1",
        "validation_fraction": 0.1,
        "classes": ["a", "b"],
        "input_shape": [1, 2, 2],
    },
    "network": {"name": "mlp", "width": 1.0, "activation": "relu", "layers": []},
    "training": {"epochs": 2},
    "analysis": {"interpolation_pairs": 6, "interpolation_points": 11},
    "warnings": [],
    "provenance": {"wall_s": {}},
    "populations": [{"name": "p", "members": 1, "digest": "p1"}],
    "recipe_digest": "b6e6cc1e2c702e95ee47dc0e51909ae35d73604e2a5a4525bb955744f3b65c4d",
}
"""A study as it was stored when a network had four fields only."""


def _changed(study: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(study)
    table, _, key = place.partition(".")
    changed[table][key] = value
    return changed


def test_a_study_with_four_network_fields_keeps_its_digest(tmp_path: Path) -> None:
    files.write_json(tmp_path / study_file.STUDY, OLD)
    assert study_file.read_study(tmp_path) == OLD
    covered = {
        "format": 1,
        "data": {"digest": "d1", "validation_fraction": 0.1},
        **{key: OLD[key] for key in ("network", "training", "seeds")},
    }
    assert study_file.recipe(OLD) == covered


@pytest.mark.parametrize(
    "place",
    [
        "data.digest",
        "data.validation_fraction",
        *(f"network.{key}" for key in ("name", "width", "layers", "batchnorm", "mask_only", "unmasked")),
        *(f"training.{key}" for key in ("epochs", "optimizer", "any_other")),
        *(f"seeds.{key}" for key in ("study", "weights")),
    ],
)
def test_every_field_that_shapes_a_mask_is_covered(tmp_path: Path, place: str) -> None:
    study = samples.study({"p": 1})
    edited = _changed(study, place, 7)
    assert study_file.recipe_digest(edited) != study["recipe_digest"]
    if place.startswith(("data.validation", "network.b", "network.m", "network.u", "training.", "seeds.")):
        files.write_json(tmp_path / study_file.STUDY, edited)
        with pytest.raises(ArchiveError, match="was edited: its data, network, training or seeds"):
            study_file.read_study(tmp_path)


@pytest.mark.parametrize(
    "place", ["data.name", "data.path", "data.download", "analysis.any", "provenance.any"]
)
def test_the_rest_is_not(place: str) -> None:
    study = samples.study({"p": 1})
    assert study_file.recipe_digest(_changed(study, place, 7)) == study["recipe_digest"]


@pytest.mark.parametrize("flag", ["trained", "compared"])
@pytest.mark.parametrize("value", [0, 1, None, "false", []])
def test_a_flag_is_true_or_false(tmp_path: Path, flag: str, value: Any) -> None:
    study = samples.study({"p": 1})
    study["populations"][0][flag] = value
    files.write_json(tmp_path / study_file.STUDY, study)
    with pytest.raises(
        ArchiveError, match=rf"study\.json: field '{flag}' of population 'p' is .*; allowed: tr"
    ):
        study_file.read_study(tmp_path)
