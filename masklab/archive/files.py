"""Files that appear whole or not at all."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from masklab.errors import ArchiveError

_TEMPORARY = ".masklab-"


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


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, waiting for whoever has it; the folder is made where it is missing.

    Where no lock can be made (a read-only folder) nothing is locked: writing fails there anyway.

    Raises:
        ArchiveError: The folder cannot be made.
    """
    import filelock

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(f"cannot make {folder}: {error.strerror or error}") from error
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
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
