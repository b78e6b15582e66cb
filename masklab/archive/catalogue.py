"""What the headers of a directory's member files say, kept in one file beside them: a cache, no more.

Opening ten thousand files takes seconds; reading one does not. An entry counts as long as the file has the
signature (size, time, number or tag) that it had when it was read; whatever the catalogue lacks is read from
the files, and a catalogue that is missing, damaged or of another version is made anew.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from masklab.archive import blocks, codec, container, files
from masklab.archive.member import Member
from masklab.errors import ArchiveError

NAME = ".catalogue"

_VERSION = 1
"""Of what is in the file; a catalogue of another version is made anew."""

_FACTS = {"row", "draw", "digest", "snapshots", "population_digest"}

FRAME = np.dtype(
    [("begin", "<u8"), ("length", "<u8"), ("kept", "<u8"), ("codec", "u1"), ("checksum", "u1", 32)]
)
"""Where the mask of a layer lies in its file, and what it must be."""


@dataclass(frozen=True)
class Entry:
    """What is known of a member without opening its file.

    Attributes:
        signature: Signature of the file when it was read.
        facts: `row` (a row of `Archive.members` but for the block), `draw` (see `masklab.archive.blocks`),
            `digest`, `snapshots` (their epochs), `population_digest`.
        frames: One `FRAME` per layer, in the study's order.
    """

    signature: str
    facts: dict[str, Any]
    frames: Shaped[np.ndarray, " layers"]

    @property
    def stamp(self) -> tuple[str, str]:
        """What must be the member's now: signature of its file and digest of its population."""
        return self.signature, self.facts["population_digest"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and (
            (self.signature, self.facts, self.frames.tobytes())
            == (other.signature, other.facts, other.frames.tobytes())
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]


Stamps = Mapping[str, tuple[str, str]]
"""Member id → signature of its file and digest of its population."""


def current(directory: files.Location, layers: list[Any], stamps: Stamps) -> dict[str, Entry]:
    """What the catalogue knows of members whose files are still those that it read, and of no others.

    Args:
        directory: The study's directory.
        layers: Names and shapes of the study's layers.
        stamps: What the members have now.
    """
    known = _read(directory, layers)
    return {own: entry for own, entry in known.items() if entry.stamp == stamps.get(own)}


def entries(
    directory: files.Location,
    layers: list[Any],
    stamps: Stamps,
    known: Mapping[str, Entry],
    member: Callable[[str], Member],
) -> dict[str, Entry]:
    """An entry for each member, as known or else from the file; what was not known is kept.

    Args:
        directory: The study's directory.
        layers: Names and shapes of the study's layers.
        stamps: What the members have now.
        known: What `current` gave.
        member: Opens a member.

    Raises:
        ArchiveError: A member's file is damaged or another study's.
    """
    found = {
        own: known[own] if own in known else entry_of(member(own), signature)
        for own, (signature, _) in stamps.items()
    }
    if found.keys() != known.keys():
        _write(directory, layers, found)
    return found


def entry_of(member: Member, signature: str) -> Entry:
    """What is kept of a member.

    Raises:
        ArchiveError: Its description lacks something, or has it of another type.
    """
    frames = np.zeros(len(member.layers), dtype=FRAME)
    for frame, layer in zip(frames, member.layers, strict=True):
        begin, length, checksum = member.frame(layer.name)
        frame["begin"], frame["length"], frame["kept"] = begin, length, layer.kept
        # a codec that is not known shows when the frame is decoded from the file itself
        frame["codec"] = codec.CODECS.index(layer.codec) if layer.codec in codec.CODECS else len(codec.CODECS)
        frame["checksum"] = np.frombuffer(bytes.fromhex(checksum), dtype=np.uint8)
    try:
        facts = _facts(member)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArchiveError(
            f"{member.path}: incomplete description ({type(error).__name__}: {error})"
        ) from error
    return Entry(signature, facts, frames)


def _facts(member: Member) -> dict[str, Any]:
    """What is kept of a member's description."""
    return {
        "row": _row(member),
        "draw": blocks.draw(member),
        "digest": member.facts["digest"],
        "snapshots": member.snapshots,
        "population_digest": member.facts["population_digest"],
    }


def _row(member: Member) -> dict[str, Any]:
    facts, accuracy = member.facts, member.facts["accuracy"]
    size = sum(layer.size for layer in member.layers)
    best = accuracy.get("best") or {}
    return {
        "population": facts["population"],
        "index": facts["index"],
        "pruner": facts["pruner"],
        "density": facts["density"],
        "kept_density": sum(layer.kept for layer in member.layers) / size,
        **{f"level_{source}": level for source, level in facts["levels"].items()},
        "refresh_events": len(facts["events"]),
        "accuracy": _number(accuracy.get("test")),
        "validation_accuracy": _number(accuracy.get("validation")),
        "best_epoch": _number(best.get("epoch")),
        "best_epoch_accuracy": _number(best.get("test")),
        "train_loss": _number(facts["history"]["loss"][-1]) if facts["history"]["loss"] else None,
    }


def _number(value: Any) -> float | int | None:
    if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
        raise ValueError(f"{value!r:.40} is no number")
    return value


def packed(path: files.Location, frame: np.void, size: int) -> UInt8[np.ndarray, " bytes"] | None:
    """Packed mask from where the catalogue says; None when the file has something else there.

    Args:
        path: The member's file.
        frame: A `FRAME`.
        size: Number of weights of the layer.

    Raises:
        ArchiveError: The file is missing or cannot be read.
    """
    with files.reading(path) as source:
        data = source.read(int(frame["begin"]), int(frame["length"]))
    if container.digest(data) != frame["checksum"].tobytes().hex() or frame["codec"] >= len(codec.CODECS):
        return None
    try:
        return codec.decode_mask(codec.CODECS[frame["codec"]], data, size, int(frame["kept"]))
    except ArchiveError:  # whoever opens the file says what is wrong with it
        return None


def _read(directory: files.Location, layers: list[Any]) -> dict[str, Entry]:
    """Entries by member id; none where there is no catalogue of these layers."""
    try:
        data = files.read(directory / NAME)
    except ArchiveError:
        return {}
    checksum, _, rest = data.partition(b"\n")
    if checksum != container.digest(rest).encode():
        return {}
    line, _, frames = rest.partition(b"\n")
    try:
        index = json.loads(line)
        if index["version"] != _VERSION or index["layers"] != layers:
            return {}
        rows = np.frombuffer(frames, dtype=FRAME).reshape(len(index["entries"]), len(layers))
        found = {
            member: Entry(signature, facts, row)
            for (member, signature, facts), row in zip(index["entries"], rows, strict=True)
        }
        return found if all(entry.facts.keys() == _FACTS for entry in found.values()) else {}
    except (ValueError, KeyError, TypeError, AttributeError):  # of another version
        return {}


def _write(directory: files.Location, layers: list[Any], entries: Mapping[str, Entry]) -> None:
    """Keep entries, where the directory can be written; nothing depends on it.

    A checksum, an index in JSON and the frames, a line feed between them. Nobody waits for the disk: what two
    processes or a loss of power leave half written does not have its checksum.
    """
    listed = [[member, known.signature, known.facts] for member, known in entries.items()]
    try:
        index = json.dumps({"version": _VERSION, "layers": layers, "entries": listed}, allow_nan=False)
    except ValueError:  # an infinity where only a crafted file has one
        return
    rest = b"\n".join([index.encode(), b"".join(known.frames.tobytes() for known in entries.values())])
    files.write_hint(directory / NAME, container.digest(rest).encode() + b"\n" + rest)
