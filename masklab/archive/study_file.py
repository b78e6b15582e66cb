"""`study.json`: the resolved study, and what its digests cover."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from masklab.archive import files
from masklab.errors import ArchiveError

STUDY = "study.json"

RECIPE_FORMAT = 1
"""Version of what recipe digests cover; files of another format do not make it another recipe."""

POPULATION_NAME = re.compile(r"[a-z0-9+_-][a-z0-9.+_-]*")
"""Allowed population ids: they are folder names, so no leading dot and no separator."""

_STUDY_FIELDS = {
    "name": str,
    "seeds.study": int,
    "data.name": str,
    "data.digest": str,
    "data.validation_fraction": float,
    "data.classes": list,
    "data.input_shape": list,
    "network.name": str,
    "network.width": float,
    "network.activation": str,
    "network.layers": list,
    "training.epochs": int,
    "analysis.interpolation_pairs": int,
    "analysis.interpolation_points": int,
    "recipe_digest": str,
    "warnings": list,
    "provenance.wall_s": dict,
}


_IMPORTED_FIELDS = {
    "name": str,
    "network.layers": list,
    "warnings": list,
    "provenance.wall_s": dict,
}
"""Fields of a study that no recipe gives: all of its populations came from other tools."""


IMPORTED_MEMBER_FIELDS = {
    "pruner": str,
    "gate": str,
    "density": float,
    "levels": dict,
    "accuracy.n_test": int,
    "history.loss": list,
    "events": list,
    "imported.weights": str,
    "imported.tensors": dict,
    "imported.shapes": dict,
    "imported.renamed": bool,
    "imported.unknown": list,
}
"""Fields of a member file whose mask came from another tool."""

_SOURCE_FIELDS = {"format": str, "weights": str, "files": list, "unknown": list}
"""What the study says of where an imported population came from."""


def unknown_recipe() -> dict[str, Any]:
    """The parts of a study of which nothing is known when its masks came from other tools."""
    return {
        "schema": 1,
        "keep_scores": None,
        "snapshots": [],
        "seeds": {"study": None},
        "data": {
            **dict.fromkeys(("name", "digest", "validation_fraction", "train", "validation", "test")),
            "classes": [],
            "input_shape": [],
        },
        "network": {**dict.fromkeys(("name", "width", "activation")), "unmasked": [], "buffers": []},
        "network_source": None,
        "training": {"epochs": None},
        "analysis": {"interpolation_pairs": 0, "interpolation_points": 0},
        "recipe_digest": None,
    }


def digest(document: Any) -> str:
    """SHA-256 of a document's canonical JSON."""
    return hashlib.sha256(files.canonical_json(document).encode()).hexdigest()


def recipe(study: Mapping[str, Any]) -> dict[str, Any]:
    """What the recipe digest covers: everything that shapes the masks of every population.

    The network, training and seeds are covered whole, whatever is in them; of the data, its content and how
    much of it is held out.

    Args:
        study: A resolved study, as stored.
    """
    return {
        "format": RECIPE_FORMAT,
        "data": {key: study["data"][key] for key in ("digest", "validation_fraction")},
        "network": study["network"],
        "training": study["training"],
        "seeds": study["seeds"],
    }


def recipe_digest(study: Mapping[str, Any]) -> str:
    """Digest of a study's recipe."""
    return digest(recipe(study))


def read_study(directory: files.Location) -> dict[str, Any]:
    """A directory's `study.json`, with the fields that everything relies on.

    Raises:
        ArchiveError: It is missing, not JSON, incomplete, or its recipe was edited.
    """
    study = files.read_json(directory / STUDY)
    if not isinstance(study, dict) or "populations" not in study:
        raise ArchiveError(f"{directory / STUDY} is not a masklab study (no 'populations' in it)")
    populations = study["populations"]
    if not isinstance(populations, list) or not all(map(_is_population, populations)):
        raise ArchiveError(f"{directory / STUDY}: 'populations' lacks a name, members or a digest")
    for population in populations:
        _check_flags(population, directory / STUDY)
        if "imported" in population:
            files.require(population["imported"], _SOURCE_FIELDS, directory / STUDY)
    if "recipe_digest" in study and study["recipe_digest"] is None:
        _check_without_recipe(study, directory / STUDY)
        return study
    files.require(study, _STUDY_FIELDS, directory / STUDY)
    if recipe_digest(study) != study["recipe_digest"]:
        raise ArchiveError(
            f"{directory / STUDY} was edited: its data, network, training or seeds are not those of its "
            "recipe_digest, with which its members were trained"
        )
    return study


def _check_without_recipe(study: Mapping[str, Any], where: files.Location) -> None:
    files.require(study, _IMPORTED_FIELDS, where)
    blank = unknown_recipe()
    blank["network"]["layers"] = study["network"]["layers"]
    wrong = next((key for key, value in blank.items() if study.get(key) != value), None)
    if wrong is not None or not all(entry.get("imported") for entry in study["populations"]):
        raise ArchiveError(
            f"{where} was edited: it has no recipe_digest, and its {wrong or 'populations'!r} is not "
            "that of a study of imported masks"
        )


def _is_population(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and POPULATION_NAME.fullmatch(entry["name"]) is not None
        and type(entry.get("members")) is int
        and isinstance(entry.get("digest"), str)
    )


def _check_flags(population: Mapping[str, Any], where: files.Location) -> None:
    for flag in ("trained", "compared"):
        if not isinstance(population.get(flag, True), bool):
            raise ArchiveError(
                f"{where}: field {flag!r} of population {population['name']!r} is {population[flag]!r}; "
                "allowed: true, false"
            )
