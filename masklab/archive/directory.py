"""A study's directory: what is stored, by member id."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from masklab import bits
from masklab.archive import files
from masklab.archive.member import Member
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

STUDY = "study.json"
PLAN = "plan.json"
MEMBERS = "members"
CHECKPOINTS = "checkpoints"
ANALYSIS = "analysis"
REPORT = "report.html"

POPULATION_NAME = re.compile(r"[a-z0-9+_-][a-z0-9.+_-]*")
"""Allowed population ids: they are folder names, so no leading dot and no separator."""

_INDEX = re.compile(r"[0-9]{4,9}")


def member_path(directory: Path, population: str, index: int) -> Path:
    """Where a member is stored."""
    return directory / MEMBERS / population / f"{index:04d}.safetensors"


def failure_path(directory: Path, population: str, index: int) -> Path:
    """Where the failure of a member's training is stored."""
    return directory / MEMBERS / population / f"{index:04d}.failed.json"


class Archive:
    """The stored members of one study.

    Args:
        directory: The study's directory (`--out`).
        rebuild: Function from a member to its network; `masklab.open` supplies it.

    Raises:
        ArchiveError: `directory` holds no readable `study.json`.
    """

    def __init__(self, directory: Path, rebuild: "Callable[[Member], nn.Module] | None" = None) -> None:
        self.directory = directory
        if not directory.is_dir():
            raise ArchiveError(f"{directory} is not a directory; give the --out of a `masklab train`")
        self.study: dict[str, Any] = files.read_json(directory / STUDY)
        if not isinstance(self.study, dict) or "populations" not in self.study:
            raise ArchiveError(f"{directory / STUDY} is not a masklab study (no 'populations' in it)")
        if not isinstance(self.study["populations"], list) or not all(
            map(_is_population, self.study["populations"])
        ):
            raise ArchiveError(f"{directory / STUDY}: 'populations' lacks a name, members or a digest")
        self._rebuild = rebuild
        self._opened: dict[str, Member] = {}

    @cached_property
    def ids(self) -> list[str]:
        """Ids of all stored members, populations in the study's order, then by index."""
        return [
            f"{population['name']}/{index:04d}"
            for population in self.study["populations"]
            for index in range(population["members"])
            if member_path(self.directory, population["name"], index).exists()
        ]

    @cached_property
    def failures(self) -> dict[str, dict[str, Any]]:
        """Failure records of members that are not stored, by id."""
        found = {}
        for population in self.study["populations"]:
            for index in range(population["members"]):
                path = failure_path(self.directory, population["name"], index)
                if path.exists() and not member_path(self.directory, population["name"], index).exists():
                    found[f"{population['name']}/{index:04d}"] = files.read_json(path)
        return found

    def member(self, member_id: str) -> Member:
        """One stored member.

        Raises:
            ArchiveError: There is none of that id, or its file is damaged or another member's.
        """
        if member_id not in self._opened:
            population, _, index = member_id.rpartition("/")
            if not POPULATION_NAME.fullmatch(population) or not _INDEX.fullmatch(index):
                raise ArchiveError(f"{member_id!r} is not a member id; one looks like 'biprop-d0.5/0003'")
            member = Member(member_path(self.directory, population, int(index)))
            if member.id != member_id:
                raise ArchiveError(f"{member.path} holds member {member.id}, not {member_id}")
            self._check_digest(member)
            self._opened[member_id] = member
        return self._opened[member_id]

    def _check_digest(self, member: Member) -> None:
        for population in self.study["populations"]:
            if population["name"] == member.facts["population"]:
                if population["digest"] != member.facts.get("population_digest"):
                    raise ArchiveError(f"{member.path} was trained under another recipe than {STUDY}'s")
                return
        raise ArchiveError(f"{member.path}: population {member.facts['population']!r} is not in {STUDY}")

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per stored member, in the order of `ids`; keys are the columns of `members`."""
        return [_row(self.member(member_id)) for member_id in self.ids]

    @cached_property
    def members(self) -> "pd.DataFrame":
        """One row per stored member, indexed by member id.

        Columns: population, index, pruner, density (as asked), kept_density (as stored), block (the draw
        of base weights), levels as `level_<source>`, refresh_events, accuracy (test, last epoch),
        validation_accuracy, best_epoch (epochs done then), best_epoch_accuracy (test, best validation epoch),
        train_loss.
        """
        import pandas as pd

        table = pd.DataFrame(self.rows, index=pd.Index(self.ids, name="member", dtype=object))
        return table.astype({"best_epoch": "Int64"}) if self.rows else table

    def mask(self, member_id: str) -> dict[str, Bool[np.ndarray, "*shape"]]:
        """Layer name → boolean mask, in forward order."""
        return self.member(member_id).mask()

    def packed(
        self, layer: str, ids: Sequence[str] | Iterable[str] | None = None
    ) -> UInt8[np.ndarray, "members bytes"]:
        """Packed masks of one layer, one row per member (all stored members by default)."""
        members = [self.member(member_id) for member_id in (self.ids if ids is None else ids)]
        size = members[0].layer(layer).size if members else 0
        rows = np.empty((len(members), bits.packed_size(size)), dtype=np.uint8)
        for row, member in zip(rows, members, strict=True):
            if member.layer(layer).size != size:
                raise ArchiveError(
                    f"{member.path}: layer {layer!r} has another size than in {members[0].path}"
                )
            row[:] = member.packed(layer)
        return rows

    def weights(self, member_id: str) -> dict[str, Float32[np.ndarray, "*shape"]]:
        """Layer name → float32 base weights, checked against the member's digest."""
        return self.member(member_id).weights()

    def network(self, member_id: str) -> "nn.Module":
        """The member as a plain network whose weights are its effective weights."""
        if self._rebuild is None:
            raise ArchiveError("this archive was opened without torch; use masklab.open")
        return self._rebuild(self.member(member_id))


def _is_population(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and POPULATION_NAME.fullmatch(entry["name"]) is not None
        and type(entry.get("members")) is int
        and isinstance(entry.get("digest"), str)
    )


def _row(member: Member) -> dict[str, Any]:
    facts, accuracy = member.facts, member.facts["accuracy"]
    size = sum(layer.size for layer in member.layers)
    best = accuracy["best"] or {}
    return {
        "population": facts["population"],
        "index": facts["index"],
        "pruner": facts["pruner"],
        "density": facts["density"],
        "kept_density": sum(layer.kept for layer in member.layers) / size,
        "block": facts["levels"]["weights"],
        **{f"level_{source}": level for source, level in facts["levels"].items()},
        "refresh_events": len(facts["events"]),
        "accuracy": accuracy["test"],
        "validation_accuracy": accuracy["validation"],
        "best_epoch": best.get("epoch"),
        "best_epoch_accuracy": best.get("test"),
        "train_loss": facts["history"]["loss"][-1] if facts["history"]["loss"] else None,
    }
