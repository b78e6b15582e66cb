"""A study's directory: what is stored, by member id."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from masklab import bits
from masklab.archive import files
from masklab.archive.description import TRAINED
from masklab.archive.member import Member, member_id
from masklab.archive.study_file import POPULATION_NAME, STUDY, read_study
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

PLAN = "plan.json"
MEMBERS = "members"
CHECKPOINTS = "checkpoints"
ANALYSIS = "analysis"
REPORT = "report.html"

_INDEX = re.compile(r"[0-9]{4,9}")
_MEMBER, _FAILURE = ".safetensors", ".failed.json"


def member_path(directory: files.Location, population: str, index: int) -> files.Location:
    """Where a member is stored."""
    return directory / MEMBERS / population / f"{index:04d}{_MEMBER}"


def failure_path(directory: files.Location, population: str, index: int) -> files.Location:
    """Where the failure of a member's training is stored."""
    return directory / MEMBERS / population / f"{index:04d}{_FAILURE}"


class Stock:
    """Which members and failures a directory holds, from one listing per population.

    A population is listed when it is first asked for; what is written later is not seen.
    """

    def __init__(self, directory: files.Location) -> None:
        self._directory = directory
        self._names: dict[str, dict[str, str]] = {}

    def member(self, population: str, index: int) -> bool:
        """Whether a member is stored."""
        return f"{index:04d}{_MEMBER}" in self._listed(population)

    def failure(self, population: str, index: int) -> bool:
        """Whether the failure of a member's training is stored."""
        return f"{index:04d}{_FAILURE}" in self._listed(population)

    def _listed(self, population: str) -> dict[str, str]:
        if population not in self._names:
            self._names[population] = files.listing(self._directory / MEMBERS / population)
        return self._names[population]


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


class Archive:
    """The stored members of one study.

    Args:
        directory: The study's directory (`--out`), local or remote.
        rebuild: Function from a member to its network; `masklab.open` supplies it.

    Raises:
        ArchiveError: `directory` holds no readable `study.json`.
    """

    def __init__(
        self, directory: files.Location, rebuild: "Callable[[Member], nn.Module] | None" = None
    ) -> None:
        self.directory = directory
        if not files.is_remote(directory) and not directory.is_dir():  # object stores have no folders
            raise ArchiveError(f"{directory} is not a directory; give the --out of a `masklab train`")
        self.study = read_study(directory)
        self._rebuild = rebuild
        self._stock = Stock(directory)
        self._opened: dict[str, Member] = {}

    @cached_property
    def ids(self) -> list[str]:
        """Ids of all stored members, populations in the study's order, then by index."""
        return [
            member_id(population["name"], index)
            for population in self.study["populations"]
            for index in range(population["members"])
            if self._stock.member(population["name"], index)
        ]

    @cached_property
    def compared(self) -> list[str]:
        """Ids of the stored members whose masks are compared, in the order of `ids`.

        A population whose `compared` is false in the study, an accuracy reference that keeps every weight,
        takes part in no overlap, distance, embedding or path.
        """
        named = {row["name"] for row in self.study["populations"] if row.get("compared", True)}
        return [member_id for member_id in self.ids if member_id.rpartition("/")[0] in named]

    @cached_property
    def failures(self) -> dict[str, dict[str, Any]]:
        """Failure records of members that are not stored, by id."""
        found = {}
        for population in self.study["populations"]:
            for index in range(population["members"]):
                name = population["name"]
                if self._stock.failure(name, index) and not self._stock.member(name, index):
                    path = failure_path(self.directory, name, index)
                    record = files.read_json(path)
                    files.require(record, {"cause": str, "step": int}, path)
                    found[member_id(population["name"], index)] = record
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
            self._check_belongs(member)
            self._opened[member_id] = member
        return self._opened[member_id]

    def _check_belongs(self, member: Member) -> None:
        """Hold a member against the study before any of its tensors is read."""
        files.require(member.facts, _MEMBER_FIELDS, member.path)
        layers = [(layer["name"], layer["shape"]) for layer in self.study["network"]["layers"]]
        if [(layer.name, list(layer.shape)) for layer in member.layers] != layers:
            raise ArchiveError(f"{member.path} has other layers than the network of {STUDY}")
        for population in self.study["populations"]:
            if population["name"] == member.facts["population"]:
                if population["digest"] != member.facts.get("population_digest"):
                    raise ArchiveError(f"{member.path} was trained under another recipe than {STUDY}'s")
                return
        raise ArchiveError(f"{member.path}: population {member.facts['population']!r} is not in {STUDY}")

    @cached_property
    def blocks(self) -> dict[str, int]:
        """Member id → number of its draw of base weights.

        Members of equal number share the initial draw up to a scale (densities scale the fan). Populations
        that draw from another distribution, or train their base weights, share nothing with the others, so
        their draws count on; members with trained weights and an equal draw started from equal weights.
        """
        members = {member_id: self.member(member_id) for member_id in self.ids}
        kinds = {
            member_id: (member.recipe.init, any(layer.origin == TRAINED for layer in member.layers))
            for member_id, member in members.items()
        }
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds.values()))}
        draws = max((member.recipe.level for member in members.values()), default=0) + 1
        return {
            member_id: member.recipe.level + draws * numbers[kinds[member_id]]
            for member_id, member in members.items()
        }

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per stored member, in the order of `ids`; keys are the columns of `members`."""
        return [_row(self.member(member_id), self.blocks[member_id]) for member_id in self.ids]

    @cached_property
    def members(self) -> "pd.DataFrame":
        """One row per stored member, indexed by member id.

        Columns: population, index, pruner, density (as asked), kept_density (as stored), block (see
        `blocks`), levels as `level_<source>`, refresh_events, accuracy (test, last epoch),
        validation_accuracy, best_epoch (epochs done then), best_epoch_accuracy (test, best validation epoch),
        train_loss.
        """
        import pandas as pd

        table = pd.DataFrame(self.rows, index=pd.Index(self.ids, name="member", dtype=object))
        return table.astype({"best_epoch": "Int64"}) if self.rows else table

    def mask(self, member_id: str) -> dict[str, Bool[np.ndarray, "*shape"]]:
        """Layer name → boolean mask, in forward order."""
        return self.member(member_id).mask()

    def snapshot(self, member_id: str, epoch: int) -> dict[str, Bool[np.ndarray, "*shape"]]:
        """Layer name → boolean mask when `epoch` epochs were done, in forward order.

        Raises:
            ArchiveError: The member has no snapshot at that epoch, or is missing or damaged.
        """
        return self.member(member_id).snapshot(epoch)

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


def _row(member: Member, block: int) -> dict[str, Any]:
    facts, accuracy = member.facts, member.facts["accuracy"]
    size = sum(layer.size for layer in member.layers)
    best = accuracy.get("best") or {}
    return {
        "population": facts["population"],
        "index": facts["index"],
        "pruner": facts["pruner"],
        "density": facts["density"],
        "kept_density": sum(layer.kept for layer in member.layers) / size,
        "block": block,
        **{f"level_{source}": level for source, level in facts["levels"].items()},
        "refresh_events": len(facts["events"]),
        "accuracy": accuracy["test"],
        "validation_accuracy": accuracy.get("validation"),
        "best_epoch": best.get("epoch"),
        "best_epoch_accuracy": best.get("test"),
        "train_loss": facts["history"]["loss"][-1] if facts["history"]["loss"] else None,
    }
