"""Data sets: images as uint8 arrays in memory. The folder is the registry.

A source file offers `load(path) -> Data`; its name with `-` for `_` is the data set's name.
"""

import hashlib
import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from masklab.data.dataset import Data, stratified
from masklab.errors import ConfigError, unknown

__all__ = ["Data", "content_digest", "load", "names", "stratified"]

_HELPERS = ("dataset",)


@cache
def _sources() -> Mapping[str, ModuleType]:
    return {
        entry.name.replace("_", "-"): importlib.import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
        if entry.name not in _HELPERS
    }


def names() -> list[str]:
    """Every data set name."""
    return list(_sources())


def load(name: str, path: str | None = None) -> Data:
    """A data set, whole, in memory.

    Args:
        name: A data set's name.
        path: Where it lies, for sources that read files.

    Raises:
        ConfigError: No such data set, or a path where none belongs or none where one does.
        DataError: Files are missing, unreadable or not a data set.
    """
    if name not in _sources():
        raise ConfigError(unknown("data set", name, _sources()))
    return _sources()[name].load(Path(path).expanduser() if path is not None else None)


def content_digest(data: Data) -> str:
    """SHA-256 over shapes, images, labels and class names: equal for equal content, wherever it lies."""
    hasher = hashlib.sha256()
    for array in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        hasher.update(repr(array.shape).encode())
        hasher.update(array.tobytes())
    hasher.update("\0".join(data.classes).encode())
    return hasher.hexdigest()
