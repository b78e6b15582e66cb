"""The formats of a folder: each of its files is one, and is known by its `NAME`."""

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Any


def formats(package: str, path: Iterable[str]) -> dict[str, Any]:
    """Every file of a package, by the name of its format.

    Args:
        package: The package's `__name__`.
        path: Its `__path__`.
    """
    modules = (importlib.import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(path))
    return {module.NAME: module for module in modules}
