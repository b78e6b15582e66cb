"""Files that only the first of several processes writes, also where nothing can be locked."""

import errno
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masklab.archive import files, local, looking, remote
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    from upath import UPath


def write_json(path: files.Location, document: Any) -> bool:
    """Write a JSON document unless a file is there; whether it was written.

    Of several processes that try at once, one succeeds: on local disks, and on object stores that know
    conditional writes (S3 does). Elsewhere a file that is there is seen, but two may both see none.

    Raises:
        ArchiveError: It cannot be written.
    """
    looking.forbid(path)
    data = files.json_bytes(document)
    return _local(path, data) if isinstance(path, Path) else _remote(path, data)


def _local(path: Path, data: bytes) -> bool:
    whole = path.parent / f"{local.TEMPORARY}{secrets.token_hex(8)}.tmp"
    local.write_atomic(whole, data)
    try:
        os.link(whole, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise ArchiveError(f"cannot write {path}: {error.strerror or error}") from error
        if path.exists():
            return False
        local.write_atomic(path, data)  # the place knows no second names for a file
    finally:
        local.remove(whole)
    return True


def _remote(path: "UPath", data: bytes) -> bool:
    if files.exists(path):
        return False
    if path.protocol not in remote.OBJECT_STORES:
        remote.write_atomic(path, data)
        return True
    try:
        path.fs.pipe_file(path.path, data, mode="create")
    except FileExistsError:
        return False
    except Exception:  # every backend has exceptions of its own, also for not knowing conditions
        if files.exists(path):
            return False
        remote.write_atomic(path, data)
    return True
