"""Data sets: images as uint8 arrays in memory. The folder is the registry.

A source file offers `load(name, path, download) -> Data`, and optionally

* `NAMES`: the data sets that it reads; without it, one data set, the file's name with `-` for `_`;
* `DOWNLOADS = True`: it can fetch its files; a source without it is never asked to.

`path` arrives expanded, or as None. Sources import heavy libraries inside their functions.
"""

import hashlib
import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from masklab.data.dataset import Data, stratified
from masklab.errors import ConfigError, DataError, unknown

__all__ = ["Data", "content_digest", "load", "names", "stratified"]

_HELPERS = ("augmentations", "dataset", "image_cache", "locations", "npz")


@cache
def _sources() -> Mapping[str, ModuleType]:
    found = {}
    for entry in pkgutil.iter_modules(__path__):
        if entry.name not in _HELPERS:
            module = importlib.import_module(f"{__name__}.{entry.name}")
            for name in getattr(module, "NAMES", (entry.name.replace("_", "-"),)):
                found[name] = module
    return dict(sorted(found.items()))


def _downloads(source: ModuleType) -> bool:
    return getattr(source, "DOWNLOADS", False)


def names() -> list[str]:
    """Every data set name."""
    return list(_sources())


def load(name: str, path: str | None = None, download: bool = False) -> Data:
    """A data set, whole, in memory.

    Args:
        name: A data set's name.
        path: Where it lies, for sources that read files.
        download: Fetch files that are missing, for sources that can; otherwise nothing uses the network.

    Raises:
        ConfigError: No such data set, a path where none belongs or none where one does, or a download
            of what cannot be downloaded.
        DataError: Files are missing, unreadable or not a data set, or the download failed.
    """
    if name not in _sources():
        raise ConfigError(unknown("data set", name, _sources()))
    source = _sources()[name]
    if download and not _downloads(source):
        can = [known for known, module in _sources().items() if _downloads(module)]
        raise ConfigError(
            f"data set {name!r} cannot be downloaded (data.download = true); those that can: {', '.join(can)}"
        )
    return source.load(name, _expanded(path), download)


def _expanded(path: str | None) -> Path | None:
    if path is None:
        return None
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(f"data.path = {path!r} has no home folder to start from ({error})") from error


def content_digest(data: Data) -> str:
    """SHA-256 over shapes, images, labels and class names: equal for equal content, wherever it lies."""
    hasher = hashlib.sha256()
    for array in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        hasher.update(repr(array.shape).encode())
        hasher.update(array.tobytes())
    hasher.update("\0".join(data.classes).encode())
    return hasher.hexdigest()
