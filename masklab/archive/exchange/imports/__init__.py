"""Formats that are read: one file each, and the folder is the registry.

A file offers `NAME`, `claims(foreign)` (whether a file's content is of this format) and
`read(foreign, asked)` (its masks); the first line of its docstring says what it reads. A format with
`FALLBACK = True` is taken only where no other claims a file.
"""

from collections.abc import Mapping
from functools import cache
from typing import Protocol, runtime_checkable

from masklab.archive.exchange import registry
from masklab.archive.exchange.source import Asked, Found, Source
from masklab.errors import ArchiveError, ConfigError, unknown


@runtime_checkable
class Format(Protocol):
    """What a file in this folder offers."""

    NAME: str

    def claims(self, foreign: Source) -> bool:
        """Whether a file's content is of this format."""
        ...

    def read(self, foreign: Source, asked: Asked) -> Found:
        """The file's masks, or an error of one line."""
        ...


@cache
def formats() -> Mapping[str, Format]:
    """Every format by its name."""
    return registry.formats(__name__, __path__)


def check(name: str | None) -> None:
    """Raise a ConfigError for a format that does not exist."""
    if name is not None and name not in formats():
        raise ConfigError(f"--format: {unknown('format', name, formats())}")


def choose(foreign: Source, name: str | None) -> Format:
    """The format that is named, or else the one that a file's content is of.

    Raises:
        ConfigError: There is no such format.
        ArchiveError: The file's content is of none, or of several.
    """
    check(name)
    if name is not None:
        return formats()[name]
    claiming = [found for found in formats().values() if found.claims(foreign)]
    special = [found for found in claiming if not getattr(found, "FALLBACK", False)]
    if len(special) > 1:
        names = " or ".join(found.NAME for found in special)
        raise ArchiveError(f"{foreign.place} could be {names}; say which with --format")
    if not claiming:
        raise ArchiveError(f"{foreign.place}: no arrays, so no masks in it")
    return (special or claiming)[0]
