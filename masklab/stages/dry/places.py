"""What is known of a place before anything is written there."""

import errno
import os
import shutil
from pathlib import Path

from masklab.archive import files
from masklab.errors import ArchiveError


def require_possible(out: files.Location) -> None:
    """Refuse a directory that could not be made.

    Args:
        out: A directory, there or not.

    Raises:
        ArchiveError: A file stands where a folder is needed.
    """
    if isinstance(out, Path) and not _nearest(out).is_dir():
        raise ArchiveError(f"cannot make {out}: {os.strerror(errno.ENOTDIR)}")


def free(place: files.Location) -> int | None:
    """Bytes that are free where a place is or would be; None where nobody says."""
    return shutil.disk_usage(_nearest(place)).free if isinstance(place, Path) else None


def writable(place: files.Location) -> bool:
    """Whether this process may write where a place is or would be, as far as the system tells."""
    return not isinstance(place, Path) or os.access(_nearest(place), os.W_OK)


def size(place: files.Location) -> int:
    """Bytes of a file.

    Raises:
        ArchiveError: It is missing or cannot be read.
    """
    with files.reading(place) as source:
        return source.size


def _nearest(place: Path) -> Path:
    """The place, or the nearest folder above it that is there."""
    place = place.absolute()
    return next(own for own in (place, *place.parents) if files.exists(own))
