"""Sums over the columns of packed masks: the part of the tallies that touches every bit.

c_j is the number of members of a group that keep weight j.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from masklab import bits
from masklab.errors import ConfigError

Read = Callable[[Int64[np.ndarray, " chosen"]], UInt8[np.ndarray, "chosen bytes"]]
"""Packed masks of one layer, given the places of members."""

_BLOCK_BYTES = 1024
_BLOCK_ROWS = 255  # the largest sum that a byte holds
_BLOCK_COLUMNS = 2**15


@dataclass(frozen=True, eq=False)
class Division:
    """Members divided into groups, and the groups into sets that are compared with each other.

    Attributes:
        of: Group of each member; -1 for none.
        population: Population of each group.
        place: Set of each group: its draw of base weights, or 0 where draws are not told apart. A set has at
            most one group of each population.
        populations: Number of populations.
        sets: Number of sets.
    """

    of: Int64[np.ndarray, " members"]
    population: Int64[np.ndarray, " groups"]
    place: Int64[np.ndarray, " groups"]
    populations: int
    sets: int

    @property
    def sizes(self) -> Int64[np.ndarray, " groups"]:
        """Members per group."""
        return np.bincount(self.of[self.of >= 0], minlength=len(self.population)).astype(np.int64)

    @property
    def indicator(self) -> Float64[np.ndarray, "members groups"]:
        """1 where a member is in a group."""
        return (self.of[:, None] == np.arange(len(self.population))).astype(np.float64)


class Sums:
    """What is known of one layer and one division; it grows from one range of columns to the next.

    Attributes:
        histograms: Per group, the number of weights kept by 0, 1, … all of its members.
        products: Σ_j c_j c'_j of every two populations' groups in a set.
        shared: Per member Σ_j z_j c_j over the weights that it keeps, c of its own group.
        alone: Per member, weights that it keeps and no other member of its group.
        missing: Per member, weights that all the others of its group keep and it does not.
    """

    def __init__(self, division: Division) -> None:
        self.division = division
        members, populations = len(division.of), division.populations
        self.histograms = [np.zeros(n + 1, dtype=np.int64) for n in division.sizes]
        self.products = np.zeros((division.sets, populations, populations), dtype=np.int64)
        self.shared, self.alone, self.missing = np.zeros((3, members), dtype=np.int64)

    def add_counts(self, counts: np.ndarray) -> None:
        """Histograms and products of some columns.

        Args:
            counts: c_j, unsigned, `[groups, columns]`.
        """
        groups = [np.flatnonzero(self.division.place == at) for at in range(self.division.sets)]
        for start in range(0, counts.shape[1], _BLOCK_COLUMNS):
            block = counts[:, start : start + _BLOCK_COLUMNS]
            for at, own in enumerate(block):
                self.histograms[at] += np.bincount(own, minlength=len(self.histograms[at]))
            for products, chosen in zip(self.products, groups, strict=True):
                table = block[chosen].astype(np.float64)  # exact: sums of squares are far below 2⁵³
                population = self.division.population[chosen]
                products[np.ix_(population, population)] += (table @ table.T).astype(np.int64)

    def add_member_sums(
        self,
        counts: np.ndarray,
        places: Int64[np.ndarray, " chosen"],
        packed: UInt8[np.ndarray, "chosen bytes"],
    ) -> None:
        """Sums of some members over some columns.

        The sum over kept weights of c_j is taken bit by bit of c_j: Σ_b 2^b · |mask ∩ {j: bit b of c_j}|.

        Args:
            counts: c_j of these columns, `[groups, columns]`.
            places: The members.
            packed: Their masks in these columns.
        """
        groups = self.division.of[places]
        for group in np.unique(groups[groups >= 0]):
            size, rows = int(self.division.sizes[group]), groups == group
            depth = size.bit_length()
            found = bits.intersections(packed[rows], _planes(counts[group], size)).astype(np.int64)
            self.shared[places[rows]] += found[:, :depth] @ (1 << np.arange(depth))
            self.alone[places[rows]] += found[:, depth]
            self.missing[places[rows]] += np.count_nonzero(counts[group] == size - 1) - found[:, depth + 1]


def layer_sums(read: Read, size: int, divisions: list[Division], memory: int) -> list[Sums]:
    """All sums of one layer.

    Args:
        read: Gives packed masks. It is asked once for each member if they fit into a quarter of the memory
            together, otherwise twice for each range of columns.
        size: Weights of the layer.
        divisions: Divisions of the members.
        memory: Bytes to use.

    Raises:
        ConfigError: The memory does not hold one mask.
    """
    width, members = bits.packed_size(size), len(divisions[0].of)
    dtype = np.min_scalar_type(max(division.sizes.max(initial=0) for division in divisions))
    column_bytes = dtype.itemsize * sum(len(division.population) for division in divisions)
    least = max(4 * width, 64 * column_bytes)
    if memory < least:
        raise ConfigError(
            f"memory = {memory} bytes does not hold a mask of {size:,} weights; at least {least} are needed"
        )
    found = [Sums(division) for division in divisions]
    masks = _Masks(read, members, memory // 4 // width)
    step = memory // (64 * column_bytes)  # an eighth: planes and their making take about twice as much
    for start in range(0, width, step):
        stop = min(start + step, width)
        counts = [
            np.zeros((len(division.population), 8 * (stop - start)), dtype=dtype) for division in divisions
        ]
        for places, packed in masks:
            _add_columns(counts, divisions, places, packed[:, start:stop])
        counts = [table[:, : size - 8 * start] for table in counts]  # without the padding of the last byte
        for sums, table in zip(found, counts, strict=True):
            sums.add_counts(table)
        for places, packed in masks:
            for sums, table in zip(found, counts, strict=True):
                sums.add_member_sums(table, places, packed[:, start:stop])
    return found


class _Masks:
    """Packed masks of one layer, in chunks of members; kept if one chunk holds them all."""

    def __init__(self, read: Read, members: int, step: int) -> None:
        self._read = read
        self._chunks = [np.arange(at, min(at + step, members)) for at in range(0, members, step)]
        self._kept = [(places, read(places)) for places in self._chunks] if len(self._chunks) == 1 else []

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from self._kept or ((places, self._read(places)) for places in self._chunks)


def _add_columns(
    counts: list[np.ndarray],
    divisions: list[Division],
    places: Int64[np.ndarray, " chosen"],
    packed: UInt8[np.ndarray, "chosen bytes"],
) -> None:
    """Add members' bits to c_j; members that are in the same group everywhere are summed together."""
    labels = np.stack([division.of[places] for division in divisions])
    parts, part_of = np.unique(labels, axis=1, return_inverse=True)
    for at, groups in enumerate(parts.T):
        rows = np.flatnonzero(part_of.ravel() == at)
        for start in range(0, packed.shape[1], _BLOCK_BYTES):
            columns = slice(8 * start, 8 * (start + _BLOCK_BYTES))
            for first in range(0, len(rows), _BLOCK_ROWS):
                block = packed[rows[first : first + _BLOCK_ROWS], start : start + _BLOCK_BYTES]
                sums = np.unpackbits(block, axis=1, bitorder="little").sum(axis=0, dtype=np.uint8)
                for table, group in zip(counts, groups, strict=True):
                    if group >= 0:
                        table[group, columns] += sums


def _planes(counts: np.ndarray, size: int) -> UInt8[np.ndarray, "planes bytes"]:
    """Packed: the bits of c_j from the lowest, then where c_j = 1, then where c_j = size − 1."""
    bit_planes = [bits.pack(counts & (1 << at) != 0) for at in range(size.bit_length())]
    return np.stack([*bit_planes, bits.pack(counts == 1), bits.pack(counts == size - 1)])
