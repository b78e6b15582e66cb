"""Mask landscape analysis: populations of masks over frozen random networks."""

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import upath
    from torch import nn

    from masklab.archive import Archive, Member

__version__ = metadata.version("masklab")


def open(directory: "str | Path | upath.UPath") -> "Archive":
    """The stored members of a study.

    Args:
        directory: What `masklab train --out` wrote: a path, or a URL such as `s3://bucket/runs/first`.

    Raises:
        ArchiveError: There is no readable study there.
        ConfigError: The URL cannot be used, or needs a package that is not installed.
    """
    from masklab.archive import Archive, files

    return Archive(files.location(directory), rebuild=_rebuild)


def _rebuild(member: "Member") -> "nn.Module":
    from masklab.training import rebuild

    return rebuild.network(member)
