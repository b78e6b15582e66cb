"""Files at URLs, through fsspec.

Nothing is answered from listings that fsspec remembers: another process may have written since.
"""

import contextlib
import errno
import functools
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from masklab.archive import local, places
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    from upath import UPath

OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "tos", "tosfs", "memory"}
)
"""Protocols that write a file whole or not at all, know no folders, and cannot rename."""

_TELLING = (
    *("ETag", "etag", "md5Hash", "content_md5", "checksum", "generation", "version", "VersionId"),
    *("mtime", "modify", "modified", "modificationTime", "updated", "LastModified", "last_modified"),
    "created",
)
"""What backends say of a file that changes whenever it is replaced: a tag, a version or a time."""

_READ_BACK = 2**16
"""Length in bytes up to which a moved file is read again as a whole."""


@contextlib.contextmanager
def _system(verb: str, place: "UPath") -> Iterator[Any]:
    """The file system of a place; what goes wrong there is one line, a missing file but another matter."""
    try:
        system = place.fs
        system.invalidate_cache()
        yield system
    except Exception as error:  # every backend has exceptions of its own, without a common class
        if _is_missing(error):
            raise FileNotFoundError(errno.ENOENT, _line(error)) from error
        raise ArchiveError(f"cannot {verb} {place}: {_line(error)}") from error


def _is_missing(error: Exception) -> bool:
    """Whether a failure tells of a missing file; SMB has a class of its own, fsspec often no number."""
    return isinstance(error, FileNotFoundError) or getattr(error, "errno", None) == errno.ENOENT


def _line(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return places.without_secrets(" ".join(str(text).split()))


def write_atomic(place: "UPath", data: bytes) -> None:
    """One upload where that is atomic; elsewhere a temporary name that is then moved."""
    try:
        with _system("write", place) as system:
            if place.protocol in OBJECT_STORES:
                system.pipe_file(place.path, data)
            else:
                _write_and_move(system, place, data)
    except FileNotFoundError as error:
        raise ArchiveError(f"cannot write {place}: {_line(error)}") from error


def _write_and_move(system: Any, place: "UPath", data: bytes) -> None:
    temporary = (place.parent / f"{local.TEMPORARY}{secrets.token_hex(8)}.tmp").path
    system.makedirs(place.parent.path, exist_ok=True)
    try:
        system.pipe_file(temporary, data)
        _move(system, temporary, place.path)
        _check_moved(system, place.path, data)
    except BaseException:
        with contextlib.suppress(Exception):  # the failure that is under way is the one to tell
            system.rm_file(temporary)
        raise


def _move(system: Any, temporary: str, path: str) -> None:
    """Rename over whatever is there.

    Raises:
        OSError: The place does not replace a file so, whether it says so (SMB) or not (WebHDFS).
    """
    try:
        system.mv(temporary, path)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise FileExistsError(errno.EEXIST, _NOT_REPLACED) from error
        raise
    system.invalidate_cache()
    if _found(system, temporary) is not None:
        raise FileExistsError(errno.EEXIST, _NOT_REPLACED)


_NOT_REPLACED = "it is there already, and a move does not replace a file at this place"


def _check_moved(system: Any, path: str, data: bytes) -> None:
    """Hold what is there now against what was written: many a move is a copy, and answers get lost.

    Raises:
        OSError: It is something else.
    """
    found = _found(system, path)
    size = None if found is None else found["size"]
    if size != len(data):
        there = "nothing is" if size is None else f"{size} bytes are"
        raise OSError(errno.EIO, f"{there} there after the move, not the {len(data)} bytes written")
    if len(data) <= _READ_BACK and bytes(system.cat_file(path)) != data:
        raise OSError(errno.EIO, "another content is there after the move than was written")


def _found(system: Any, path: str) -> Mapping[str, Any] | None:
    """What a system says of a file or folder; None where there is none."""
    try:
        return system.info(path)
    except Exception as error:
        if _is_missing(error):
            return None
        raise


def write_hint(place: "UPath", data: bytes) -> None:
    """Write without caring whether it works."""
    with contextlib.suppress(ArchiveError):
        write_atomic(place, data)


@contextlib.contextmanager
def reading(place: "UPath") -> Iterator[local.Source]:
    """Parts of a file, one request each, never more than is asked for; another one for its size."""
    size = functools.cache(lambda: _size(place))
    yield local.Source(size, lambda offset, length: _part(place, offset, length))


def _size(place: "UPath") -> int:
    with _reading(place) as system:
        return int(system.info(place.path)["size"])


def _part(place: "UPath", offset: int, length: int) -> bytes:
    if length <= 0:
        return b""
    with _reading(place) as system:
        return bytes(system.cat_file(place.path, start=offset, end=offset + length))


def read(place: "UPath") -> bytes:
    """A whole file."""
    with _reading(place) as system:
        return bytes(system.cat_file(place.path))


@contextlib.contextmanager
def _reading(place: "UPath") -> Iterator[Any]:
    try:
        with _system("read", place) as system:
            yield system
    except FileNotFoundError as error:
        raise ArchiveError(f"{place} does not exist") from error


def listing(folder: "UPath") -> dict[str, str]:
    """Names and signatures of a folder's files, from one listing."""
    own = folder.path.rstrip("/")
    try:
        with _system("list", folder) as system:
            entries = system.ls(folder.path, detail=True)
    except FileNotFoundError:
        return {}
    names = [str(entry["name"]).rstrip("/") for entry in entries]
    return {
        name.rpartition("/")[2]: _signature(entry)
        for name, entry in zip(names, entries, strict=True)
        if entry.get("type") != "directory" and name != own  # stores keep a folder as an empty file
    }


def folders(folder: "UPath") -> list[str]:
    """Names of a folder's folders, from one listing."""
    try:
        with _system("list", folder) as system:
            entries = system.ls(folder.path, detail=True)
    except FileNotFoundError:
        return []
    names = (str(entry["name"]).rstrip("/") for entry in entries if entry.get("type") == "directory")
    return sorted(name.rpartition("/")[2] for name in names if name != folder.path.rstrip("/"))


def _signature(entry: Mapping[str, Any]) -> str:
    """Text that changes when the file is replaced; where nothing tells that, another one at each look."""
    telling = [f"{entry[key]}" for key in _TELLING if entry.get(key) is not None]
    known = [f"{entry[key]}" for key in ("size", "ino") if entry.get(key) is not None]
    return "-".join([*known, *(telling or [secrets.token_hex(8)])])


def exists(place: "UPath") -> bool:
    """Whether anything is there; fsspec's own `exists` says no to every failure."""
    with _system("look for", place) as system:
        return _found(system, place.path) is not None


def remove(place: "UPath") -> None:
    """Delete a file, if there is one."""
    with contextlib.suppress(FileNotFoundError), _system("remove", place) as system:
        system.rm_file(place.path)


def sweep_temporaries(folder: "UPath", older_than_s: float) -> int:
    """Remove old temporaries, sub-folders included, as far as the place lets; how many there were."""
    if folder.protocol in OBJECT_STORES:
        return 0
    removed = 0
    with contextlib.suppress(FileNotFoundError, ArchiveError), _system("tidy", folder) as system:
        for path in system.find(folder.path):
            name = path.rpartition("/")[2]
            if not name.startswith(local.TEMPORARY) or not name.endswith(".tmp"):
                continue
            with contextlib.suppress(Exception):  # FTP tells no times, and others may remove it first
                if time.time() - system.modified(path).timestamp() > older_than_s:
                    system.rm_file(path)
                    removed += 1
    return removed
