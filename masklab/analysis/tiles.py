"""Intersection counts of all pairs of stored masks, out of core: tiles of members, layer by layer.

Masks are read in bands of members that fit the memory; a tile is the counts of two bands in one layer. Tiles
that took long are kept in a folder until the analysis is written, so that what is interrupted goes on.
"""

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8, UInt32

from masklab import archive as archives
from masklab import bits
from masklab.archive import files, study_file
from masklab.errors import ArchiveError, ConfigError

FOLDER = "tiles"
"""Where tiles are kept, in the `analysis` folder of a study."""

MEMORY = 2 * 10**9
"""Bytes that an analysis takes by default."""

_LEAST_MEMORY = 2**26

_LONG = 5e13
"""Pairs × bits of the largest tile: about half a minute of counting."""

_KEPT = 1e12
"""Pairs × bits of the smallest tile that is kept."""

_LEFT_BEHIND_S = 86_400.0
"""Age from which what another analysis kept is nobody's."""

Packed = UInt8[np.ndarray, "members bytes"]
Counts = Integer[np.ndarray, "layers members members"]


@dataclass(frozen=True)
class Tile:
    """Two bands of members in one layer.

    Attributes:
        layer: Place of the layer.
        rows: First band.
        columns: Second band, not before the first.
    """

    layer: int
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Members of the first band, and of the second."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


def plan(members: int, sizes: Sequence[int], memory: int = MEMORY) -> list[Tile]:
    """The tiles of all pairs of members, in the order that reads masks least often.

    Args:
        members: Number of members.
        sizes: Weights per layer.
        memory: Bytes for the packed masks of two bands.

    Raises:
        ConfigError: The memory does not hold two masks of a layer.

    Examples:
        >>> [(tile.rows.stop, tile.columns.stop) for tile in plan(3, [80], 2**26)]
        [(3, 3)]
    """
    _require(memory, 4 * bits.packed_size(max(sizes, default=0)))
    tiles = []
    for layer, size in enumerate(sizes):
        width = bits.packed_size(size)
        fitting = memory // (2 * width)  # half of the memory; the other half is for the counts
        band = members if fitting >= members else fitting // 2
        band = max(1, min(band, math.isqrt(int(_LONG // size))))
        starts = range(0, members, band)
        bands = [slice(at, min(at + band, members)) for at in starts]
        tiles += [Tile(layer, bands[i], bands[j]) for i in range(len(bands)) for j in range(i, len(bands))]
    return tiles


def require(sizes: Sequence[int], memory: int) -> None:
    """Refuse a memory in which no analysis fits.

    Args:
        sizes: Weights per layer.
        memory: Bytes.

    Raises:
        ConfigError: It is too little.
    """
    _require(memory, max(16 * bits.packed_size(max(sizes, default=0)), _LEAST_MEMORY))


def _require(memory: int, least: int) -> None:
    if memory < least:
        raise ConfigError(f"memory of {memory:,} bytes is too little; it takes at least {least:,}")


class Tiles:
    """All tiles of some members: counted here, or kept by whoever counted them.

    Args:
        archive: Where the members are stored.
        ids: Which members.
        memory: Bytes for packed masks.
        folder: Where tiles are kept and looked for; None: they are not.

    Attributes:
        plan: The tiles, in the order in which masks are read least often.
        sizes: Weights per layer.
        key: What the tiles are of: other masks, or another order of them, have another key.

    Raises:
        ConfigError: The memory does not hold two masks of a layer.
    """

    def __init__(
        self,
        archive: archives.Archive,
        ids: Sequence[str],
        *,
        memory: int = MEMORY,
        folder: files.Location | None = None,
    ) -> None:
        layers = archive.study["network"]["layers"]
        self.sizes: list[int] = [layer["size"] for layer in layers]
        self.plan = plan(len(ids), self.sizes, memory)
        self.key = key(archive, ids)
        self._kept = None if folder is None else _Kept(folder, self.key)
        self._bands = _Bands(archive, ids, [layer["name"] for layer in layers], memory)

    def known(self, tile: Tile) -> UInt32[np.ndarray, "rows columns"] | None:
        """The counts of a tile that was kept when this was made; None where none were, or damaged ones."""
        return None if self._kept is None else self._kept.read(tile)

    def missing(self) -> list[int]:
        """Places in the plan of tiles that are not kept, or damaged."""
        return [place for place, tile in enumerate(self.plan) if self.known(tile) is None]

    def count(self, tile: Tile, out: Integer[np.ndarray, "rows columns"], threads: int) -> None:
        """Count a tile, and keep it if that took long.

        Raises:
            ArchiveError: A member is missing or damaged, or the tile cannot be written.
        """
        left = self._bands.read(tile.layer, tile.rows)
        right = None if tile.rows == tile.columns else self._bands.read(tile.layer, tile.columns)
        bits.intersections(left, right, threads=threads, out=out)
        if self._kept is not None and out.size * self.sizes[tile.layer] >= _KEPT:
            self._kept.write(tile, out)

    def keep(self, place: int, threads: int) -> bool:
        """Count a tile and keep it, whatever its size; whether that was left to do.

        Raises:
            ArchiveError: A member is missing or damaged, or the tile cannot be written.
        """
        tile = self.plan[place]
        if self._kept is None or self._kept.read(tile, look=True) is not None:
            return False
        counts = np.empty(tile.shape, dtype=np.uint32)
        self.count(tile, counts, threads)
        if counts.size * self.sizes[tile.layer] < _KEPT:
            self._kept.write(tile, counts)
        return True


def count(
    archive: archives.Archive,
    ids: Sequence[str],
    *,
    memory: int = MEMORY,
    threads: int = 1,
    out: Counts | None = None,
    folder: files.Location | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> Counts:
    """Exact intersection counts of all pairs of members, for every layer of the study.

    Args:
        archive: Where the members are stored.
        ids: Which members.
        memory: Bytes for packed masks; the counts themselves come on top.
        threads: Processor cores to use.
        out: Where the counts go, of any integer type that holds them; by default a new array of int64.
        folder: Where long tiles are kept and looked for; by default they are not.
        advance: Told the number of tiles that are done, and of all.

    Raises:
        ArchiveError: A member is missing or damaged, or a tile cannot be written.
        ConfigError: The memory does not hold two masks of a layer.
    """
    tiles = Tiles(archive, ids, memory=memory, folder=folder)
    total = np.empty((len(tiles.sizes), len(ids), len(ids)), dtype=np.int64) if out is None else out
    for done, tile in enumerate(tiles.plan, start=1):
        cells = total[tile.layer, tile.rows, tile.columns]
        known = tiles.known(tile)
        if known is None:
            tiles.count(tile, cells, threads)
        else:
            cells[:] = known
        if tile.rows != tile.columns:
            total[tile.layer, tile.columns, tile.rows] = cells.T
        if advance is not None:
            advance(done, len(tiles.plan))
    return total


def clear(folder: files.Location, key: str) -> None:
    """Remove the tiles of an analysis that is written, and what others left behind.

    Args:
        folder: Where they are.
        key: Of the analysis; tiles of other masks stay while somebody may be counting them.
    """
    for name in files.listing(folder):
        if name.startswith(f"{key}-") or (name.endswith(".npz") and left_behind(folder / name)):
            files.remove(folder / name)
    files.remove_empty(folder)


def left_behind(place: files.Location) -> bool:
    """Whether a file is so old that nobody goes on with it; of remote ones nobody knows."""
    return isinstance(place, Path) and time.time() - place.stat().st_mtime > _LEFT_BEHIND_S


def key(archive: archives.Archive, ids: Sequence[str]) -> str:
    """What tiles of members are of (see `Tiles`).

    Args:
        archive: Where the members are stored.
        ids: Which members.
    """
    summaries = archive.summaries
    sizes = [layer["size"] for layer in archive.study["network"]["layers"]]
    for own in ids:
        if own not in summaries:
            archive.member(own)  # says what is wrong with it
    return study_file.digest([[[own, summaries[own]["digest"]] for own in ids], sizes])[:16]


class _Bands:
    """Packed masks of one layer: as many bands as half of the memory holds, two at least."""

    def __init__(
        self, archive: archives.Archive, ids: Sequence[str], layers: Sequence[str], memory: int
    ) -> None:
        self._archive, self._ids, self._layers, self._memory = archive, list(ids), layers, memory
        self._layer = -1
        self._held: dict[int, Packed] = {}

    def read(self, layer: int, band: slice) -> Packed:
        if layer != self._layer:
            self._layer, self._held = layer, {}
        if band.start not in self._held:
            width = bits.packed_size(self._archive.study["network"]["layers"][layer]["size"])
            room = self._memory // (2 * width) - (band.stop - band.start)
            while len(self._held) > 1 and sum(map(len, self._held.values())) > room:
                self._held.pop(list(self._held)[-1])  # the first band stays while the second ones go by
            self._held[band.start] = self._archive.packed(self._layers[layer], self._ids[band])
        return self._held[band.start]


class _Kept:
    """Tiles in a folder, one file each."""

    def __init__(self, folder: files.Location, key: str) -> None:
        self._folder, self._key = folder, key
        self._there = set(files.listing(folder)) if files.exists(folder) else set()

    def _name(self, tile: Tile) -> str:
        return f"{self._key}-{tile.layer:04d}-{tile.rows.start}-{tile.columns.start}.npz"

    def read(self, tile: Tile, *, look: bool = False) -> UInt32[np.ndarray, "rows columns"] | None:
        """The counts of a tile; None where they are not there, or damaged.

        Args:
            tile: Which.
            look: Whether it may have been written since this was made.
        """
        if not look and self._name(tile) not in self._there:
            return None
        try:
            counts = files.read_arrays(self._folder / self._name(tile), ("counts",))["counts"]
        except ArchiveError:  # counted again
            return None
        return counts if counts.shape == tile.shape and counts.dtype == np.uint32 else None

    def write(self, tile: Tile, counts: Integer[np.ndarray, "rows columns"]) -> None:
        """Keep the counts of a tile."""
        buffer = io.BytesIO()
        np.savez(buffer, counts=counts.astype(np.uint32, copy=False))
        files.write_atomic(self._folder / self._name(tile), buffer.getvalue())
