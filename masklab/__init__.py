"""Mask landscape analysis: populations of masks over frozen random networks."""

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from masklab.archive import Archive, Member

__version__ = metadata.version("masklab")


def open(directory: str | Path) -> "Archive":
    """The stored members of a study.

    Args:
        directory: What `masklab train --out` wrote.

    Raises:
        ArchiveError: There is no readable study there.
    """
    from masklab.archive import Archive

    return Archive(Path(directory), rebuild=_rebuild)


def _rebuild(member: "Member") -> "nn.Module":
    from masklab.training import rebuild

    return rebuild.network(member)
