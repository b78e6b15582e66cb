"""Files that appear whole or not at all, wherever a study lies, and JSON documents in them.

`local` and `remote` do the work; the places themselves are `places.Location`s.
"""

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masklab.archive import local, looking, remote
from masklab.archive.local import Source
from masklab.archive.places import Location, location
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Location",
    "Source",
    "canonical_json",
    "claimed",
    "exists",
    "folders",
    "is_remote",
    "json_bytes",
    "listing",
    "location",
    "locked",
    "read",
    "read_arrays",
    "read_json",
    "reading",
    "refuse_file",
    "remove",
    "remove_empty",
    "require",
    "require_writable",
    "sweep_temporaries",
    "workers",
    "write_atomic",
    "write_hint",
    "write_json",
]


def is_remote(place: Location) -> bool:
    """Whether a place is reached by requests, so that each look at it takes time."""
    return not isinstance(place, Path)


def workers(place: Location, asked: int) -> int:
    """Worker processes that may use a place: those asked for, but one where no other process sees it."""
    return 1 if not isinstance(place, Path) and place.protocol == "memory" else asked


def write_atomic(path: Location, data: bytes) -> None:
    """Write a file that appears whole or not at all; its folder is made where it is missing.

    Locally a temporary file in the same folder is synced and renamed over `path`. An object store gets one
    upload, other remote places a temporary name that is then moved, and what is there is held against what
    was written. Where a place can only copy, there is a moment in which the file is partly there.

    Raises:
        ArchiveError: The folder is read-only, the disk is full, the server cannot be reached, a remote place
            does not replace a file by a move, or any other failure of the system; whatever stood at `path` is
            unchanged then, but where a copy failed.
    """
    looking.forbid(path)
    return local.write_atomic(path, data) if isinstance(path, Path) else remote.write_atomic(path, data)


def write_hint(path: Location, data: bytes) -> None:
    """Write a small file that is for show only: it may be lost, and no failure is told."""
    if looking.active():
        return None
    return local.write_hint(path, data) if isinstance(path, Path) else remote.write_hint(path, data)


@contextlib.contextmanager
def reading(path: Location) -> Iterator[Source]:
    """Read parts of a file; a local one stays the file that was opened should another replace it.

    Raises:
        ArchiveError: The file is missing, or the system refuses to open or read it.
    """
    if isinstance(path, Path):
        with local.reading(path) as source:
            yield source
    else:
        with remote.reading(path) as source:
            yield source


def read(path: Location) -> bytes:
    """Content of a file.

    Raises:
        ArchiveError: The file is missing, or the system refuses to read it.
    """
    return local.read(path) if isinstance(path, Path) else remote.read(path)


def listing(folder: Location) -> dict[str, str]:
    """Files of a folder, from one look at it: name → text that changes when the file is replaced.

    A remote place that tells neither times nor tags nor versions gets another text at each look.
    Folders in it are left out; a folder that is not there holds nothing.

    Raises:
        ArchiveError: The system refuses, or `folder` is a local file.
    """
    return local.listing(folder) if isinstance(folder, Path) else remote.listing(folder)


def folders(folder: Location) -> list[str]:
    """Names of a folder's folders; none where the folder is missing.

    Raises:
        ArchiveError: The system refuses.
    """
    return local.folders(folder) if isinstance(folder, Path) else remote.folders(folder)


def exists(path: Location) -> bool:
    """Whether a file or folder is there.

    Raises:
        ArchiveError: The system does not say.
    """
    return local.exists(path) if isinstance(path, Path) else remote.exists(path)


def remove(path: Location) -> None:
    """Delete a file, if there is one.

    Raises:
        ArchiveError: The system refuses.
    """
    return local.remove(path) if isinstance(path, Path) else remote.remove(path)


def remove_empty(folder: Location) -> None:
    """Remove a local folder in which nothing is left; remote ones, where they exist, stay."""
    if isinstance(folder, Path):
        with contextlib.suppress(OSError):
            folder.rmdir()


def refuse_file(folder: Location) -> None:
    """Check that no file stands where a folder is needed; object stores have no folders.

    Raises:
        ArchiveError: A local file does.
    """
    if isinstance(folder, Path) and exists(folder) and not folder.is_dir():
        raise ArchiveError(f"{folder} is not a directory")


def require_writable(folder: Location) -> None:
    """Refuse a folder in which nothing can be written, by writing and removing an empty file.

    Raises:
        ArchiveError: The file system refuses.
    """
    probe = folder / ".writable"
    write_atomic(probe, b"")
    remove(probe)


@contextlib.contextmanager
def locked(folder: Location) -> Iterator[bool]:
    """Hold a folder's lock, waiting for whoever has it; the folder is made where it is missing.

    Yields whether the lock is held: a read-only folder without a lock's file, a file system without locks,
    or a remote place cannot give one.

    Raises:
        ArchiveError: The folder cannot be made, another user's lock may not be opened, or the lock fails
            otherwise.
    """
    looking.forbid(folder)
    if isinstance(folder, Path):
        with local.locked(folder / ".lock", wait=True) as hold:
            yield hold is local.Hold.MINE
    else:
        yield False


@contextlib.contextmanager
def claimed(path: Location, *, wait: bool) -> Iterator[bool]:
    """Claim a piece of work for this process, by a lock that ends with the process however it ends.

    Yields False when another process of this machine has it and nobody waits; True when it is claimed, and
    where nothing can be locked: work may be done twice there, the last writer wins with identical bytes.

    Args:
        path: The lock's file.
        wait: Whether to wait for whoever has it.

    Raises:
        ArchiveError: The folder cannot be made, another user's lock may not be opened, or the lock fails
            otherwise.
    """
    if isinstance(path, Path):
        with local.locked(path, wait) as hold:
            yield hold is not local.Hold.OTHERS
    else:
        yield True


def sweep_temporaries(folder: Location, older_than_s: float = 3600.0) -> int:
    """Remove temporaries that a killed process left: at once where the process was of this machine.

    Args:
        folder: Where to look, sub-folders included.
        older_than_s: Age in seconds from which a temporary of another machine counts as left behind.

    Returns:
        How many were removed; what cannot be looked at or removed stays, and no failure is told.
    """
    return (
        local.sweep_temporaries(folder, older_than_s)
        if isinstance(folder, Path)
        else remote.sweep_temporaries(folder, older_than_s)
    )


def require(document: Any, fields: Mapping[str, type], where: Location) -> None:
    """Check that a document has the fields that its readers rely on.

    Args:
        document: What was read.
        fields: Dotted name → type; a `float` may be a whole number.
        where: The file, for the message.

    Raises:
        ArchiveError: A field is missing or of another type; the message names it.
    """
    for field, kind in fields.items():
        value = document
        for part in field.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, (int, float) if kind is float else kind) or (kind is int and value is True):
            raise ArchiveError(f"{where}: field {field!r} is missing or not a {kind.__name__}")


def canonical_json(document: Any) -> str:
    """One text per document: sorted keys, no spaces, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_json(path: Location, document: Any) -> None:
    """Write a JSON document, atomically."""
    write_atomic(path, json_bytes(document))


def json_bytes(document: Any) -> bytes:
    """A JSON document for people: indented, keys in the order given, no NaN."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")  # a name that is not UTF-8 holds lone surrogates


def read_json(path: Location) -> Any:
    """Read a JSON document.

    Raises:
        ArchiveError: The file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(read(path))
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{path} is not JSON: {error}") from error


def read_arrays(path: Location, names: Collection[str] | None = None) -> "dict[str, np.ndarray]":
    """Arrays of an npz file of masklab's own; nothing is unpickled.

    Args:
        path: The file.
        names: Those that are wanted; None: all.

    Raises:
        ArchiveError: The file is missing, unreadable or damaged, or lacks one of them.
    """
    import numpy as np

    content = read(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in (arrays.files if names is None else names)}
    except KeyError as error:
        raise ArchiveError(f"{path} is incomplete: {error.args[0]}") from error
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise ArchiveError(f"{path} is damaged: {error}") from error
