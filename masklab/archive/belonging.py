"""Whether a member is one of a study, held against it before any of its tensors is read."""

from collections.abc import Mapping
from typing import Any

from masklab.archive import files, study_file
from masklab.archive.member import Member
from masklab.archive.study_file import STUDY
from masklab.errors import ArchiveError

_MEMBER_FIELDS = {
    "pruner": str,
    "gate": str,
    "density": float,
    "levels.weights": int,
    "levels": dict,
    "accuracy.test": float,
    "accuracy.n_test": int,
    "history.loss": list,
    "events": list,
    "evaluation.batch_size": int,
    "evaluation.threads": int,
    "evaluation.device": str,
    "network": dict,
    "data.mean": list,
    "data.deviation": list,
}


def check(member: Member, study: Mapping[str, Any]) -> None:
    """Hold a member against a study.

    Raises:
        ArchiveError: It lacks what its readers rely on, or is another study's.
    """
    imported = "imported" in member.facts
    files.require(
        member.facts, study_file.IMPORTED_MEMBER_FIELDS if imported else _MEMBER_FIELDS, member.path
    )
    if member.recipe is None and not imported:
        raise ArchiveError(f"{member.path} has no recipe of its base weights, and was not imported")
    layers = [(layer["name"], layer["shape"]) for layer in study["network"]["layers"]]
    if [(layer.name, list(layer.shape)) for layer in member.layers] != layers:
        raise ArchiveError(f"{member.path} has other layers than the network of {STUDY}")
    if not imported and member.facts["network"].get("name") != study["network"]["name"]:
        raise ArchiveError(
            f"{member.path} names network {member.facts['network'].get('name')!r:.80}, {STUDY} "
            f"{study['network']['name']!r:.80}"
        )
    for population in study["populations"]:
        if population["name"] == member.facts["population"]:
            if population["digest"] != member.facts.get("population_digest"):
                raise ArchiveError(f"{member.path} was trained under another recipe than {STUDY}'s")
            return
    raise ArchiveError(f"{member.path}: population {member.facts['population']!r} is not in {STUDY}")
