"""Intersection counts of all pairs of stored masks, out of core: tiles of members, layer by layer.

Masks are read in bands of members that fit the memory; a tile is the counts of two bands in one layer. Tiles
that took long are kept in a folder until the analysis is written, so that what is interrupted goes on.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    layers = archive.study["network"]["layers"]
    sizes = [layer["size"] for layer in layers]
    tiles = plan(len(ids), sizes, memory)
    total = np.empty((len(layers), len(ids), len(ids)), dtype=np.int64) if out is None else out
    kept = None if folder is None else _Kept(folder, _key(archive, ids, sizes))
    bands = _Bands(archive, ids, [layer["name"] for layer in layers], memory)
    for done, tile in enumerate(tiles, start=1):
        cells = total[tile.layer, tile.rows, tile.columns]
        known = kept.read(tile, cells.shape) if kept is not None else None
        if known is not None:
            cells[:] = known
        else:
            left = bands.read(tile.layer, tile.rows)
            right = None if tile.rows == tile.columns else bands.read(tile.layer, tile.columns)
            bits.intersections(left, right, threads=threads, out=cells)
            if kept is not None and cells.size * sizes[tile.layer] >= _KEPT:
                kept.write(tile, cells)
        if tile.rows != tile.columns:
            total[tile.layer, tile.columns, tile.rows] = cells.T
        if advance is not None:
            advance(done, len(tiles))
    return total


def clear(folder: files.Location) -> None:
    """Remove the tiles of an analysis that is written."""
    for name in files.listing(folder):
        if name.endswith(".npz"):
            files.remove(folder / name)
    files.remove_empty(folder)


def _key(archive: archives.Archive, ids: Sequence[str], sizes: Sequence[int]) -> str:
    """What tiles are of: other masks, or another order of them, have another key."""
    summaries = archive.summaries
    return study_file.digest([[[own, summaries[own]["digest"]] for own in ids], list(sizes)])[:16]


class _Bands:
    """Packed masks of one layer: of all members if they fit, otherwise of the last two bands asked for."""

    def __init__(
        self, archive: archives.Archive, ids: Sequence[str], layers: Sequence[str], memory: int
    ) -> None:
        self._archive, self._ids, self._layers, self._memory = archive, list(ids), layers, memory
        self._held: dict[tuple[int, int, int], Packed] = {}

    def read(self, layer: int, band: slice) -> Packed:
        size = self._archive.study["network"]["layers"][layer]["size"]
        whole = slice(0, len(self._ids))
        if bits.packed_size(size) * len(self._ids) * 2 <= self._memory:
            return self._load(layer, whole, 1)[band]
        return self._load(layer, band, 2)

    def _load(self, layer: int, band: slice, most: int) -> Packed:
        key = (layer, band.start, band.stop)
        if key not in self._held:
            self._held = {old: rows for old, rows in self._held.items() if old[0] == layer}
            while len(self._held) >= most:
                self._held.pop(list(self._held)[-1])  # the first band stays while the second ones go by
            self._held[key] = self._archive.packed(self._layers[layer], self._ids[band])
        return self._held[key]


class _Kept:
    """Tiles in a folder, one file each."""

    def __init__(self, folder: files.Location, key: str) -> None:
        self._folder, self._key = folder, key
        self._there = set(files.listing(folder)) if files.exists(folder) else set()

    def _name(self, tile: Tile) -> str:
        return f"{self._key}-{tile.layer:04d}-{tile.rows.start}-{tile.columns.start}.npz"

    def read(self, tile: Tile, shape: tuple[int, ...]) -> UInt32[np.ndarray, "rows columns"] | None:
        """The counts of a tile; None where they are not there, or damaged."""
        if self._name(tile) not in self._there:
            return None
        try:
            counts = files.read_arrays(self._folder / self._name(tile), ("counts",))["counts"]
        except ArchiveError:  # counted again
            return None
        return counts if counts.shape == shape and counts.dtype == np.uint32 else None

    def write(self, tile: Tile, counts: Integer[np.ndarray, "rows columns"]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, counts=counts.astype(np.uint32))
        files.write_atomic(self._folder / self._name(tile), buffer.getvalue())
