"""Files on this machine, or on whatever is mounted into its file system."""

import contextlib
import enum
import errno
import hashlib
import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from masklab import stopping
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    import filelock

TEMPORARY = ".masklab-"
"""How the name of a file that is being written begins; it ends in `.tmp`."""

_TRIES = 100
"""How often a lock is tried whose folder another process removes."""

_LOCK_S = 0.05

_LOCKLESS = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class Source:
    """A file that is being read.

    Attributes:
        measure: Function to its size in bytes.
        read: Function from (offset, length) to bytes, fewer where the file ends.
    """

    measure: Callable[[], int]
    read: Callable[[int, int], bytes]

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self.measure()


@contextlib.contextmanager
def refusals(verb: str, path: Path) -> Iterator[None]:
    """Tell a refusal of the system as one line; a missing file is another matter."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ArchiveError(f"cannot {verb} {path}: {error.strerror or error}") from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write to a temporary name in the same folder, flush, sync, then rename over `path`."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{TEMPORARY}{_machine()}-{os.getpid()}-"
        handle, temporary = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ArchiveError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)


@cache
def _machine() -> str:
    """Eight characters that are equal for processes that see each other's numbers."""
    told = [socket.gethostname()]
    for read in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text(),
        lambda: str(Path("/proc/self/ns/pid").readlink()),
    ):
        with contextlib.suppress(OSError):
            told.append(read())
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]


def _sync_folder(folder: Path) -> None:
    """Make a new name last through a loss of power, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def write_hint(path: Path, data: bytes) -> None:
    """Write without caring whether it works."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Source]:
    """Open a file; its size stays that of the opened file should another replace it."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            yield Source(
                lambda: os.fstat(handle).st_size, lambda offset, length: _read(handle, offset, length)
            )
        finally:
            os.close(handle)
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


def read(path: Path) -> bytes:
    """A whole file."""
    try:
        with refusals("read", path):
            return path.read_bytes()
    except FileNotFoundError as error:
        raise ArchiveError(f"{path} does not exist") from error


def listing(folder: Path) -> dict[str, str]:
    """Names and signatures of a folder's files; a pipe or a device, which may block, is none."""
    found = {}
    try:
        with refusals("list", folder), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # removed since, or a link to nothing
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        found[entry.name] = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"
    except FileNotFoundError:
        return {}
    return found


def folders(folder: Path) -> list[str]:
    """Names of a folder's folders."""
    try:
        with refusals("list", folder), os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except FileNotFoundError:
        return []


def exists(path: Path) -> bool:
    """Whether anything is there."""
    with refusals("look for", path):
        return path.exists()


def remove(path: Path) -> None:
    """Delete a file, if there is one."""
    with refusals("remove", path):
        path.unlink(missing_ok=True)


class Hold(enum.Enum):
    """What became of asking for a lock."""

    MINE = "mine"
    OTHERS = "others"
    IMPOSSIBLE = "impossible"


@contextlib.contextmanager
def locked(path: Path, wait: bool) -> Iterator[Hold]:
    """Hold a lock, which is a file whose folder is made where it is missing.

    Raises:
        ArchiveError: The folder cannot be made, or the lock's file is there but may not be opened: its owner
            may be at work, so that going on without it is not safe.
    """
    import filelock

    lock = filelock.FileLock(path, mode=0o666 & ~_umask())
    try:
        yield _acquire(lock, path, wait)
    finally:
        lock.release()


def _acquire(lock: "filelock.BaseFileLock", path: Path, wait: bool) -> Hold:
    import filelock

    for _ in range(_TRIES):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArchiveError(f"cannot make {path.parent}: {error.strerror or error}") from error
        try:
            _take(lock, wait)
            return Hold.MINE
        except filelock.Timeout:
            return Hold.OTHERS
        except NotImplementedError:
            return Hold.IMPOSSIBLE
        except FileNotFoundError:  # another process has just removed the empty folder
            continue
        except OSError as error:
            if error.errno == errno.EACCES and os.access(path, os.F_OK):
                raise ArchiveError(
                    f"cannot lock {path}: another user made it, and it may not be written; let its owner "
                    "make it writable for the group (chmod g+w), or remove it when nobody uses it"
                ) from error
            if error.errno not in _LOCKLESS:
                raise ArchiveError(f"cannot lock {path}: {error.strerror or error}") from error
            return Hold.IMPOSSIBLE
    raise ArchiveError(f"cannot lock {path}: its folder goes away again and again")


def _take(lock: "filelock.BaseFileLock", wait: bool) -> None:
    """Acquire a lock; whoever waits for it can be asked to stop."""
    import filelock

    while True:
        try:
            lock.acquire(blocking=False)
            return
        except filelock.Timeout:
            if not wait:
                raise
        stopping.raise_if_asked()
        time.sleep(_LOCK_S)


def sweep_temporaries(folder: Path, older_than_s: float) -> int:
    """Remove temporaries that are old or whose writer is gone, sub-folders included; how many there were."""
    removed = 0
    for inside, _, names in os.walk(folder):  # passes over folders that go away, which `Path.rglob` does not
        for name in names:
            if not (name.startswith(TEMPORARY) and name.endswith(".tmp")):
                continue
            stray = Path(inside, name)
            with contextlib.suppress(OSError):
                if _is_orphan(name) or time.time() - stray.stat().st_mtime > older_than_s:
                    stray.unlink()
                    removed += 1
    return removed


def _is_orphan(name: str) -> bool:
    """Whether a temporary was written by a process of this machine that has ended."""
    machine, _, rest = name.removeprefix(TEMPORARY).partition("-")
    number = rest.partition("-")[0]
    if machine != _machine() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's process; no number of a process
        return False
    return False
