"""Everything that is measured of an archive, section by section."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Shaped

from masklab import archive as archives
from masklab.analysis import (
    between,
    counts,
    diversity,
    embeddings,
    function,
    movement,
    nulls,
    overlap,
    structure,
    tiles,
)
from masklab.analysis import design as designs
from masklab.analysis import distances as distance_measures
from masklab.analysis.between import paired
from masklab.analysis.counts import tallies
from masklab.analysis.nulls import magnitude, twins
from masklab.archive import files
from masklab.errors import ConfigError

Row = dict[str, Any]
Advance = Callable[[int, int], None]

_FLOATS_PER_PAIR = 16
"""Matrices of members × members that are in memory at once, besides the counts of each layer."""


@dataclass(frozen=True, eq=False)
class Material:
    """What all sections measure.

    Attributes:
        archive: Where the members are stored.
        design: The compared members.
        tallies: How many members keep each weight, and what derives from it.
        distances: Intersection counts of all pairs; None where they do not fit the memory.
        twins: The same of matched random masks, one for each replicate.
        without_pairs: Why there are no distances; empty where there are.
    """

    archive: archives.Archive
    design: designs.Design
    tallies: tallies.Tallies
    distances: distance_measures.Distances | None
    twins: list[distance_measures.Distances]
    without_pairs: str = ""

    @cached_property
    def magnitude(self) -> magnitude.Magnitude | None:
        """Expected overlap when only the size of the base weights matters; None without pairs."""
        if self.distances is None or not self.distances.ids:
            return None
        return magnitude.expected(self.archive, self.distances.ids, self.distances.layers)


@dataclass
class Found:
    """What was measured.

    Attributes:
        rows: Key of `results.json` → its rows.
        arrays: Vectors for `structure.npz`, by name.
    """

    rows: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Shaped[np.ndarray, "..."]] = field(default_factory=dict)

    def add(self, section: Mapping[str, Any]) -> None:
        """Take the rows of a section; lists under one key follow each other."""
        for key, rows in section.items():
            self.rows[key] = [*self.rows.get(key, []), *rows] if isinstance(rows, list) else rows


def gather(
    archive: archives.Archive,
    *,
    memory: int = tiles.MEMORY,
    threads: int = 1,
    folder: files.Location | None = None,
    advance: Advance | None = None,
) -> Material:
    """Read the masks and count.

    Args:
        archive: Where the members are stored.
        memory: Bytes to use. Where all pairs do not fit, only what is linear in the members is measured.
        threads: Processor cores to use.
        folder: Where long counts are kept until the analysis is written; by default they are not.
        advance: Told how many tiles of pairs are counted, and of how many.

    Raises:
        ArchiveError: No members are stored, or one is damaged.
        ConfigError: The memory does not hold two masks of a layer, or a layer has the name of the whole mask.
    """
    ids, sizes = _measurable(archive, memory)
    design = designs.of(archive, ids)
    counted = tallies.tally(archive, design, memory // 2)
    if not fits(len(ids), len(sizes), memory):
        why = (
            f"distances of all pairs of {len(ids):,} members and {len(sizes)} layers need about "
            f"{needed(len(ids), len(sizes)) / 1e6:,.0f} MB and --memory is {memory / 1e6:,.0f} MB: only "
            "what takes time linear in the members is measured"
        )
        return Material(archive, design, counted, None, [], why)
    distances = distance_measures.measure(
        archive,
        ids,
        memory=memory - _counts_of(len(ids), len(sizes)),
        threads=threads,
        folder=folder,
        advance=advance,
    )
    number = twins.replicates(len(ids), sum(sizes)) if ids else 0
    spare = memory - needed(len(ids), len(sizes))
    number = min(number, 1 + spare // max(1, _counts_of(len(ids), len(sizes))))
    matched = twins.distances(
        distances,
        archive.seed,
        number,
        memory=max(spare, memory // 4),
        threads=threads,
    )
    return Material(archive, design, counted, distances, matched)


def tiled(archive: archives.Archive, memory: int, folder: files.Location) -> tiles.Tiles | None:
    """The tiles of pairs that `gather` counts; None where the pairs do not fit the memory.

    Args:
        archive: Where the members are stored.
        memory: Bytes to use.
        folder: Where tiles are kept.

    Raises:
        ArchiveError: No members are stored, or one is damaged.
        ConfigError: See `gather`.
    """
    ids, sizes = _measurable(archive, memory)
    if not ids or not fits(len(ids), len(sizes), memory):
        return None
    return tiles.Tiles(archive, ids, memory=memory - _counts_of(len(ids), len(sizes)), folder=folder)


def _measurable(archive: archives.Archive, memory: int) -> tuple[list[str], list[int]]:
    """Ids of the compared members, and weights per layer."""
    ids = distance_measures.members_of(archive)
    layers = archive.study["network"]["layers"]
    sizes = [layer["size"] for layer in layers]
    tiles.require(sizes, memory)
    if overlap.WHOLE in (layer["name"] for layer in layers):
        raise ConfigError(f"a layer is called {overlap.WHOLE!r}, as the whole mask is in results; rename it")
    return ids, sizes


def fits(members: int, layers: int, memory: int) -> bool:
    """Whether the distances of all pairs can be analysed in so many bytes.

    Examples:
        >>> fits(2500, 9, 2 * 10**9), fits(10_000, 9, 2 * 10**9)
        (True, False)
    """
    return needed(members, layers) <= memory


def _counts_of(members: int, layers: int) -> int:
    """Bytes of the counts of all pairs."""
    return 8 * layers * members**2


def needed(members: int, layers: int) -> int:
    """Bytes that the distances of all pairs take."""
    return 8 * members**2 * (2 * layers + _FLOATS_PER_PAIR)  # the counts of members, and of one twin


def _counts(material: Material) -> Row:
    return counts.rows(material.tallies)


def _movement(material: Material) -> Row:
    return movement.measure(material.archive)


def _overlap(material: Material) -> Row:
    if material.distances is None:
        return {"overlap": []}
    found = overlap.rows(material.design, material.distances, material.magnitude, material.twins)
    return {"overlap": found, "nulls": nulls.rows(material.twins, material.magnitude)}


def _between(material: Material) -> Row:
    design, seed = material.design, material.archive.seed
    known = zip(material.archive.ids, material.archive.rows, strict=True)
    accuracies = {own: row["accuracy"] for own, row in known}
    if material.distances is None:
        return {"tests": paired.rows(design, accuracies, seed), "clusters": []}
    return between.rows(design, material.distances, accuracies, material.twins, seed)


def _function(material: Material) -> Row:
    if material.distances is None:
        return {}
    return function.rows(material.archive, material.design, material.distances, material.archive.seed)


def _diversity(material: Material) -> Row:
    if material.distances is None:
        return {}
    kept_by = {
        name: histogram.sum(axis=0)
        for name, histogram in zip(material.design.names, material.tallies.whole.histograms, strict=True)
    }
    return diversity.rows(material.design, material.distances, material.twins, material.archive.seed, kept_by)


SECTIONS: dict[str, Callable[[Material], Row]] = {
    "counts": _counts,
    "overlap": _overlap,
    "between": _between,
    "function": _function,
    "diversity": _diversity,
    "movement": _movement,
}
"""What is measured: name → function from the material to rows by key of `results.json`."""

STEPS = len(SECTIONS) + 1
"""How often `measure` says how far it is."""


def measure(material: Material, done: Callable[[], None] | None = None) -> Found:
    """All sections.

    Args:
        material: What `gather` gave.
        done: Told after each of `STEPS` steps.

    Raises:
        ArchiveError: A member is damaged.
    """
    found = Found()
    tell = done or (lambda: None)
    for section in SECTIONS.values():
        found.add(section(material))
        tell()
    rows, arrays = structure.measure(material.archive, material.design, material.distances)
    found.add({"structure": rows})
    found.arrays |= arrays
    tell()
    return found


def to_embed(
    material: Material, methods: Sequence[str] = embeddings.METHODS
) -> list[tuple[str, list[str], np.ndarray, list[np.ndarray], int]]:
    """Arguments of `embeddings.embed`, method by method; none without pairs.

    Args:
        material: What is measured.
        methods: Which embeddings.
    """
    if material.distances is None or not material.distances.ids:
        return []
    ids, hamming = material.distances.ids, material.distances.hamming()
    used = {method: embeddings.twins_used(method, len(ids)) for method in methods}
    twins = [twin.hamming() for twin in material.twins[: max(used.values(), default=0)]]
    return [(method, ids, hamming, twins[: used[method]], material.archive.seed) for method in methods]
