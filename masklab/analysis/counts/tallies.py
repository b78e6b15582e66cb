"""Exact integers from which the whole linear-time path derives: no pair of masks is visited.

Source: with c_j the number of members that keep weight j, Σ_j c_j² is the sum of all pairwise intersections
and Σ_j z_ij c_j the part of it that member i has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from masklab import archive as archives
from masklab import bits
from masklab.analysis import design as designs
from masklab.analysis.counts import columns

MEMORY = 2**30
"""Bytes that counting takes by default."""

_FEWEST = 2

Places = Int64[np.ndarray, " chosen"]
Packed = UInt8[np.ndarray, "chosen bytes"]


@dataclass(frozen=True, eq=False)
class Groups:
    """Tallies of groups of members; c_j counts members of one group.

    Attributes:
        division: Who belongs to which group.
        kept: Σ over a group's members of the weights that they keep.
        histograms: Per group: weights kept by exactly 0, 1, … all members, `[layers, members + 1]`.
        products: Σ_j c_j c'_j of every two populations' groups of one set; 0 where a population has no group.
        shared: Per member: Σ_j c_j over the weights that it keeps.
        alone: Per member: weights that no other member of its group keeps.
        missing: Per member: weights that it lacks and all others of its group keep.
    """

    division: columns.Division
    kept: Int64[np.ndarray, "layers groups"]
    histograms: list[Int64[np.ndarray, "layers _"]]
    products: Int64[np.ndarray, "layers sets populations populations"]
    shared: Int64[np.ndarray, "layers members"]
    alone: Int64[np.ndarray, "layers members"]
    missing: Int64[np.ndarray, "layers members"]

    @property
    def squares(self) -> Int64[np.ndarray, "layers groups"]:
        """Σ_j c_j² of each group."""
        own = self.division.population
        return self.products[:, self.division.place, own, own]


@dataclass(frozen=True, eq=False)
class Tallies:
    """Counts of all masks, layer by layer.

    Attributes:
        design: The members.
        layers: Layer names in the network's forward order.
        sizes: Weights per layer.
        kept: Weights that each member keeps.
        whole: A population is a group.
        within: The members of a population that share a draw of base weights are a group. Draws of which no
            population has two members are left out. The same object as `whole` where there is one draw.
    """

    design: designs.Design
    layers: list[str]
    sizes: Int64[np.ndarray, " layers"]
    kept: Int64[np.ndarray, "layers members"]
    whole: Groups
    within: Groups


def tally(archive: archives.Archive, design: designs.Design, memory: int = MEMORY) -> Tallies:
    """Count stored masks, one layer at a time.

    Args:
        archive: Where they are stored.
        design: The members to count.
        memory: Bytes to use, besides some 100 MB of work space. Members are read once where a quarter of it
            holds a layer of all of them, twice otherwise; more often where their counts do not fit either.

    Raises:
        ArchiveError: A member is missing or damaged.
        ConfigError: The memory does not hold one mask.
    """
    sizes = {layer["name"]: int(layer["size"]) for layer in archive.study["network"]["layers"]}

    def read(layer: str, places: Places) -> Packed:
        return archive.packed(layer, [design.ids[at] for at in places])

    return _tally(read, sizes, design, memory)


def from_masks(
    masks: Mapping[str, Bool[np.ndarray, "members _"]], design: designs.Design, memory: int = MEMORY
) -> Tallies:
    """Count masks in memory.

    Args:
        masks: Layer → one flat mask per member, in the order of the design.
        design: The members.
        memory: Bytes to use.

    Raises:
        ConfigError: The memory does not hold one mask.

    Examples:
        >>> members = designs.make(["a/0000", "a/0001"], {"a/0000": 0, "a/0001": 0})
        >>> found = from_masks({"fc": np.array([[True, True, False], [True, False, False]])}, members)
        >>> found.whole.histograms[0].tolist(), found.whole.squares.tolist(), found.whole.shared.tolist()
        ([[1, 1, 1]], [[5]], [[3, 2]])
    """
    packed = {layer: bits.pack(table) for layer, table in masks.items()}
    sizes = {layer: table.shape[1] for layer, table in masks.items()}
    return _tally(lambda layer, places: packed[layer][places], sizes, design, memory)


def by_population(design: designs.Design) -> columns.Division:
    """Every population is a group, whatever its members' base weights."""
    populations = len(design.names)
    return columns.Division(
        design.population,
        np.arange(populations, dtype=np.int64),
        np.zeros(populations, dtype=np.int64),
        populations,
        min(populations, 1),
    )


def by_draw(design: designs.Design) -> columns.Division:
    """The members of a population that share a draw of base weights are a group.

    Draws of which no population has two members are left out: nothing can be said of their spread.
    """
    if not len(design):
        return by_population(design)
    cells = np.stack([design.block, design.population])
    found, cell_of, counts = np.unique(cells, axis=1, return_inverse=True, return_counts=True)
    kept = np.isin(found[0], found[0, counts >= _FEWEST])
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    draws, place = np.unique(found[0, kept], return_inverse=True)
    return columns.Division(
        number[cell_of.ravel()], found[1, kept], place.astype(np.int64), len(design.names), len(draws)
    )


def _tally(
    read: Callable[[str, Places], Packed], sizes: dict[str, int], design: designs.Design, memory: int
) -> Tallies:
    if not len(design):
        sizes = {}
    divisions = [by_population(design)]
    if design.draws > 1:
        divisions.append(by_draw(design))
    kept = np.zeros((len(sizes), len(design)), dtype=np.int64)
    sums: list[list[columns.Sums]] = []
    for counts, (layer, size) in zip(kept, sizes.items(), strict=True):

        def read_layer(
            places: Places, layer: str = layer, counts: Int64[np.ndarray, " members"] = counts
        ) -> Packed:
            packed = read(layer, places)
            counts[places] = bits.count(packed)
            return packed

        sums.append(columns.layer_sums(read_layer, size, divisions, memory))
    groups = [_groups(division, kept, [found[at] for found in sums]) for at, division in enumerate(divisions)]
    return Tallies(
        design, list(sizes), np.array(list(sizes.values()), dtype=np.int64), kept, groups[0], groups[-1]
    )


def _groups(
    division: columns.Division, kept: Int64[np.ndarray, "layers members"], found: list[columns.Sums]
) -> Groups:
    members, populations = len(division.of), division.populations
    return Groups(
        division,
        (kept.astype(np.float64) @ division.indicator).astype(np.int64),  # exact below 2⁵³
        [
            np.array([sums.histograms[at] for sums in found], dtype=np.int64).reshape(len(found), n + 1)
            for at, n in enumerate(division.sizes)
        ],
        np.array([sums.products for sums in found], dtype=np.int64).reshape(
            len(found), division.sets, populations, populations
        ),
        *(
            np.array([getattr(sums, name) for sums in found], dtype=np.int64).reshape(len(found), members)
            for name in ("shared", "alone", "missing")
        ),
    )
