"""A tile of pairs as a task of a worker, which reads masks from the study's directory and writes there."""

from masklab import archive as archives
from masklab.analysis import sections, tiles
from masklab.archive import directory, files
from masklab.errors import MasklabError

_held: dict[tuple[str, int, str], tiles.Tiles] = {}
"""The tiles that this process counted last: neighbours need masks that are in memory then."""


def keep(out: files.Location, memory: int, key: str, place: int) -> bool:
    """Count a tile and keep it; whether that was left to do.

    Args:
        out: The study's directory.
        memory: Bytes to use: half of them for masks.
        key: Of the tiles, as the process that asks knows them.
        place: Place of the tile among them.

    Raises:
        ArchiveError: A member is missing or damaged, or the tile cannot be written.
        MasklabError: The directory holds other members here.
    """
    own = (str(out), memory, key)
    if own not in _held:
        found = sections.tiled(archives.Archive(out), memory, out / directory.ANALYSIS / tiles.FOLDER)
        if found is None or found.key != key:
            raise MasklabError(f"a worker sees other members in {out} than the process that asks it")
        _held.clear()
        _held[own] = found
    return _held[own].keep(place, 1)
