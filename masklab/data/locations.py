"""Where data sets and decoded images are kept, by the environment; looking at paths that may be anything."""

import os
from collections.abc import Callable
from pathlib import Path

from masklab.errors import DataError


def data_folder() -> Path:
    """Folder of downloaded data sets: `$MASKLAB_DATA`, or `data` in the user's cache for masklab.

    Raises:
        DataError: No variable says where, and this user has no home folder.
    """
    return _from_variable("MASKLAB_DATA") or _user_cache() / "data"


def cache_folder() -> Path:
    """Folder of what can be computed again: `$MASKLAB_CACHE`, or the user's cache for masklab.

    Raises:
        DataError: No variable says where, and this user has no home folder.
    """
    return _from_variable("MASKLAB_CACHE") or _user_cache()


def is_folder(path: Path) -> bool:
    """Whether there is a folder.

    Raises:
        DataError: The system will not say (no permission, a name that is too long).
    """
    return _looked(path, path.is_dir)


def is_file(path: Path) -> bool:
    """Whether there is a file.

    Raises:
        DataError: The system will not say (no permission, a name that is too long).
    """
    return _looked(path, path.is_file)


def _looked(path: Path, look: Callable[[], bool]) -> bool:
    try:
        return look()
    except OSError as error:
        raise DataError(f"cannot look at {path}: {error.strerror or error}") from error


def _user_cache() -> Path:
    """`$XDG_CACHE_HOME/masklab`, or `~/.cache/masklab`; the standard says to ignore relative names.

    Source: XDG Base Directory Specification 0.8.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else _home("~/.cache", "the home folder")) / "masklab"


def _from_variable(name: str) -> Path | None:
    value = os.environ.get(name, "")
    return _home(value, name) if value else None


def _home(path: str, what: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"{what}: {path!r} cannot be found ({error}); set MASKLAB_DATA and MASKLAB_CACHE to folders"
        ) from error
