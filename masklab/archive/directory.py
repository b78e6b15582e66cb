"""A study's directory: what is stored, by member id."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from masklab import bits
from masklab.archive import belonging, blocks, catalogue, files
from masklab.archive.member import Member, member_id
from masklab.archive.study_file import POPULATION_NAME, STUDY, read_study
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

__all__ = ["ANALYSIS", "CHECKPOINTS", "MEMBERS", "PLAN", "REPORT", "STUDY", "Archive", "Stock"]

PLAN = "plan.json"
MEMBERS = "members"
CHECKPOINTS = "checkpoints"
ANALYSIS = "analysis"
REPORT = "report.html"

_OPENED = 1000
"""Members whose descriptions an archive keeps in memory."""

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

    def signature(self, population: str, index: int) -> str:
        """Signature of a stored member's file: another one when it is replaced."""
        return self._listed(population)[f"{index:04d}{_MEMBER}"]

    def failure(self, population: str, index: int) -> bool:
        """Whether the failure of a member's training is stored."""
        return f"{index:04d}{_FAILURE}" in self._listed(population)

    def settled(self, name: str) -> bool:
        """Whether a member, by its id, is stored, or known to fail."""
        population, _, index = name.rpartition("/")
        return self.member(population, int(index)) or self.failure(population, int(index))

    def _listed(self, population: str) -> dict[str, str]:
        if population not in self._names:
            self._names[population] = files.listing(self._directory / MEMBERS / population)
        return self._names[population]


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

    @property
    def seed(self) -> int:
        """Seed of what an analysis samples: the study's, or 0 where its seeds are not known."""
        seed = self.study["seeds"]["study"]
        return 0 if seed is None else seed

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
        found = self._opened.get(member_id)
        if found is None:  # several threads may ask
            if len(self._opened) >= _OPENED:  # descriptions take memory, and little time to read again
                self._opened.clear()
            found = self._opened[member_id] = self._open(member_id)
        return found

    def _open(self, member_id: str) -> Member:
        population, _, index = member_id.rpartition("/")
        if not POPULATION_NAME.fullmatch(population) or not _INDEX.fullmatch(index):
            raise ArchiveError(f"{member_id!r} is not a member id; one looks like 'biprop-d0.5/0003'")
        member = Member(member_path(self.directory, population, int(index)))
        if member.id != member_id:
            raise ArchiveError(f"{member.path} holds member {member.id}, not {member_id}")
        belonging.check(member, self.study)
        return member

    @cached_property
    def _stamps(self) -> dict[str, tuple[str, str]]:
        digests = {row["name"]: row["digest"] for row in self.study["populations"]}
        parts = {own: own.rpartition("/") for own in self.ids}
        return {
            own: (self._stock.signature(population, int(index)), digests[population])
            for own, (population, _, index) in parts.items()
        }

    @cached_property
    def _current(self) -> dict[str, catalogue.Entry]:
        """What the catalogue says of members whose files have not changed since; no member is opened."""
        return catalogue.current(self.directory, self._layers, self._stamps)

    @cached_property
    def _catalogue(self) -> dict[str, catalogue.Entry]:
        """An entry for every stored member, from the catalogue as far as it is up to date."""
        return catalogue.entries(self.directory, self._layers, self._stamps, self._current, self._open)

    @property
    def _layers(self) -> list[Any]:
        return [[layer["name"], layer["shape"]] for layer in self.study["network"]["layers"]]

    def agrees(self, member: Member) -> bool:
        """Whether the catalogue says of a member what its file says; so it does when it knows nothing.

        Raises:
            ArchiveError: The member's description lacks what the catalogue keeps.
        """
        entry = self._current.get(member.id)
        fresh = catalogue.entry_of(member, "" if entry is None else entry.signature)
        return entry is None or entry == fresh

    @cached_property
    def summaries(self) -> dict[str, dict[str, Any]]:
        """Member id → what is known without opening its file, in the order of `ids`.

        Keys: `row` (see `members`), `draw` (see `masklab.archive.blocks`), `digest`, `snapshots` (their
        epochs), `population_digest`.
        """
        return {member_id: entry.facts for member_id, entry in self._catalogue.items()}

    @cached_property
    def blocks(self) -> dict[str, int]:
        """Member id → number of its draw of base weights (see `masklab.archive.blocks`)."""
        return blocks.numbers({member_id: facts["draw"] for member_id, facts in self.summaries.items()})

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per stored member, in the order of `ids`; keys are the columns of `members`."""
        return [{**facts["row"], "block": self.blocks[own]} for own, facts in self.summaries.items()]

    @cached_property
    def members(self) -> "pd.DataFrame":
        """One row per stored member, indexed by member id.

        Columns: population, index, pruner, density (as asked), kept_density (as stored), block (see
        `blocks`), levels as `level_<source>`, refresh_events, accuracy (test, last epoch; empty if imported),
        validation_accuracy, best_epoch (epochs done then), best_epoch_accuracy (test, best validation epoch),
        train_loss.
        """
        import pandas as pd

        table = pd.DataFrame(self.rows, index=pd.Index(self.ids, name="member", dtype=object))
        return table.astype({"best_epoch": "Int64", "accuracy": "float64"}) if self.rows else table

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
        """Packed masks of one layer, one row per member (all stored members by default).

        Masks are not unpacked on the way, and nothing else is read of members that the catalogue knows.

        Raises:
            ArchiveError: The study has no such layer, or a member that is asked for is missing or damaged.
        """
        layers = {row["name"]: (at, row["size"]) for at, row in enumerate(self.study["network"]["layers"])}
        if layer not in layers:
            raise ArchiveError(f"{self.directory} has no layer {layer!r}; it has {', '.join(layers)}")
        wanted, (at, size) = list(self.ids if ids is None else ids), layers[layer]
        rows = np.empty((len(wanted), bits.packed_size(size)), dtype=np.uint8)
        whole = ids is None or "_catalogue" in vars(self)  # for a few members it is not worth making
        known = self._catalogue if whole else self._current
        for row, own in zip(rows, wanted, strict=True):
            row[:] = self._packed(own, layer, known.get(own), at, size)
        return rows

    @cached_property
    def _paths(self) -> dict[str, files.Location]:
        places = {own: own.rpartition("/") for own in self.ids}
        return {
            own: member_path(self.directory, name, int(index)) for own, (name, _, index) in places.items()
        }

    def _packed(
        self, member_id: str, layer: str, known: catalogue.Entry | None, at: int, size: int
    ) -> UInt8[np.ndarray, " bytes"]:
        if known is not None and member_id not in self._opened:
            found = catalogue.packed(self._paths[member_id], known.frames[at], size)
            if found is not None:
                return found
        return self.member(member_id).packed(layer)

    def weights(self, member_id: str) -> dict[str, Float32[np.ndarray, "*shape"]]:
        """Layer name → float32 base weights, checked against the member's digest."""
        return self.member(member_id).weights()

    def network(self, member_id: str) -> "nn.Module":
        """The member as a plain network whose weights are its effective weights."""
        if self._rebuild is None:
            raise ArchiveError("this archive was opened without torch; use masklab.open")
        if "imported" in self.member(member_id).facts:
            raise ArchiveError(f"{member_id} was imported: the network that it belongs to is not known")
        return self._rebuild(self.member(member_id))
