"""Files that appear whole or not at all."""

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masklab.errors import ArchiveError

_TEMPORARY = ".masklab-"
_LOCKLESS = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def write_atomic(path: Path, data: bytes) -> None:
    """Write to a temporary name in the same folder, flush, sync, then rename over `path`.

    Raises:
        ArchiveError: The folder is read-only, the disk is full, or any other failure of the system;
            whatever stood at `path` is unchanged then.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        raise ArchiveError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)


@dataclass(frozen=True)
class Source:
    """A file that is being read: its size in bytes, and a function from (offset, length) to bytes."""

    size: int
    read: Callable[[int, int], bytes]


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Source]:
    """Open a file to read parts of it; its size stays that of the opened file should another replace it.

    Raises:
        ArchiveError: The file is missing, or the system refuses to open or read it.
    """
    try:
        with path.open("rb", buffering=0) as file:
            handle = file.fileno()
            yield Source(os.fstat(handle).st_size, lambda offset, length: _read(handle, offset, length))
    except FileNotFoundError as error:
        raise ArchiveError(f"{path} does not exist") from error
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror or error}") from error


def _read(handle: int, offset: int, length: int) -> bytes:
    """Bytes of an open file, fewer where it ends; one call of the system reads at most 2 GiB."""
    parts, wanted = [], length
    while wanted:
        part = os.pread(handle, min(wanted, 2**30), offset + length - wanted)
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock, waiting for whoever has it; the folder is made where it is missing.

    Yields whether the lock is held: a read-only folder, or a file system without locks, cannot give one.

    Raises:
        ArchiveError: The folder cannot be made, or the lock fails otherwise.
    """
    import filelock

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(f"cannot make {folder}: {error.strerror or error}") from error
    lock = filelock.FileLock(folder / ".lock")
    held = True
    try:
        lock.acquire()
    except NotImplementedError:
        held = False
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise ArchiveError(f"cannot lock {folder}: {error.strerror or error}") from error
        held = False
    try:
        yield held
    finally:
        lock.release()


def sweep_temporaries(folder: Path, older_than_s: float = 3600.0) -> int:
    """Remove temporaries that a killed process left; recent ones may belong to a live process.

    Args:
        folder: Where to look, sub-folders included.
        older_than_s: Age in seconds from which a temporary counts as left behind.

    Returns:
        How many were removed.
    """
    import time

    removed = 0
    for stray in folder.rglob(f"{_TEMPORARY}*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - stray.stat().st_mtime > older_than_s:
                stray.unlink()
                removed += 1
    return removed


def require(document: Any, fields: Mapping[str, type], where: Path) -> None:
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


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document for people, atomically: indented, keys in the order given, no NaN."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    # a file name that is not UTF-8 holds lone surrogates: JSON has an escape for them, UTF-8 has not
    write_atomic(path, (text + "\n").encode(errors="backslashreplace"))


def read_json(path: Path) -> Any:
    """Read a JSON document.

    Raises:
        ArchiveError: The file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ArchiveError(f"{path} does not exist") from error
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{path} is not JSON: {error}") from error
