"""Distances between masks, every one derived from exact intersection counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from masklab import archive as archives
from masklab.analysis import chance, matrix, tiles
from masklab.archive import files
from masklab.errors import ArchiveError, ConfigError, unknown

Square = Float64[np.ndarray, "members members"]

MATRICES = ("hamming", "sqrt_hamming", "jaccard")
"""What `Distances.matrix` can make."""


@dataclass(frozen=True, eq=False)
class Distances:
    """Intersection counts of all pairs of members, layer by layer.

    Wherever a method takes `layer`, None means the whole mask: counts summed over the layers.

    Attributes:
        ids: Member ids, one per row and column.
        layers: Layer names in the network's forward order.
        sizes: Weights per layer.
        intersections: Weights kept by both; the diagonal holds each member's own kept count.
    """

    ids: list[str]
    layers: list[str]
    sizes: Int64[np.ndarray, " layers"]
    intersections: Int64[np.ndarray, "layers members members"]

    def strata(
        self, layer: str | None = None
    ) -> tuple[Int64[np.ndarray, " strata"], Int64[np.ndarray, "strata members members"]]:
        """Sizes and intersections of one layer, or of all, without summing.

        Raises:
            ConfigError: There is no such layer.
        """
        if layer is None:
            return self.sizes, self.intersections
        if layer not in self.layers:
            raise ConfigError(unknown("layer", layer, self.layers))
        at = self.layers.index(layer)
        return self.sizes[at : at + 1], self.intersections[at : at + 1]

    def size(self, layer: str | None = None) -> int:
        """Number of weights."""
        return int(self.strata(layer)[0].sum())

    def intersection_count(self, layer: str | None = None) -> Int64[np.ndarray, "members members"]:
        """Weights that both keep."""
        return self.strata(layer)[1].sum(axis=0)

    def kept(self, layer: str | None = None) -> Int64[np.ndarray, " members"]:
        """Weights that each member keeps."""
        return self.intersection_count(layer).diagonal()

    def hamming_count(self, layer: str | None = None) -> Int64[np.ndarray, "members members"]:
        """Weights that exactly one of the two keeps."""
        shared = self.intersection_count(layer)
        return np.add.outer(shared.diagonal(), shared.diagonal()) - 2 * shared

    def hamming(self, layer: str | None = None) -> Square:
        """Hamming distance: share of all weights that exactly one of the two keeps, in [0, 1]."""
        return self.hamming_count(layer) / self.size(layer)

    def jaccard_similarity(self, layer: str | None = None) -> Square:
        """Weights that both keep ÷ weights that one keeps at least, in [0, 1]; NaN where there are none."""
        shared = self.intersection_count(layer)
        union = np.add.outer(shared.diagonal(), shared.diagonal()) - shared
        return chance.ratio(shared, union)

    def jaccard(self, layer: str | None = None) -> Square:
        """Jaccard distance: 1 − `jaccard_similarity`, in [0, 1]."""
        shared = self.intersection_count(layer)
        union = np.add.outer(shared.diagonal(), shared.diagonal()) - shared
        return chance.ratio(union - shared, union)

    def matrix(self, measure: str = "hamming", layer: str | None = None) -> matrix.DistanceMatrix:
        """One distance of all pairs with its ids.

        Args:
            measure: `"hamming"`, `"sqrt_hamming"` (Euclidean) or `"jaccard"`.
            layer: A layer; None: the whole mask.

        Raises:
            ConfigError: There is no such distance or layer.
            DataError: It is undefined for a pair: two masks that keep nothing have no Jaccard distance.
        """
        if measure not in MATRICES:
            raise ConfigError(unknown("distance", measure, MATRICES))
        values = self.jaccard(layer) if measure == "jaccard" else self.hamming(layer)
        return matrix.DistanceMatrix(self.ids, np.sqrt(values) if measure == "sqrt_hamming" else values)


def measure(
    archive: archives.Archive,
    ids: Sequence[str] | None = None,
    *,
    memory: int = tiles.MEMORY,
    threads: int = 1,
    folder: files.Location | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> Distances:
    """Count the intersections of stored masks, out of core.

    Args:
        archive: Where they are stored.
        ids: Which members, or the name of a population; by default all stored ones that are compared
            (`archive.compared`).
        memory: Bytes for packed masks.
        threads: Processor cores to use.
        folder: Where long tiles are kept until the analysis is written; by default they are not.
        advance: Told how many tiles are done, and of how many.

    Returns:
        The counts; of no members and no layers where members failed, or are stored but none is compared.

    Raises:
        ArchiveError: No members are stored, a file is damaged, or members differ in their layers.
        ConfigError: The memory does not hold two masks of a layer.
    """
    chosen = members_of(archive, ids)
    if not chosen:  # there is nothing to compare, but accuracies or failures to show
        return Distances([], [], np.zeros(0, np.int64), np.zeros((0, 0, 0), np.int64))
    layers = archive.study["network"]["layers"]
    counts = tiles.count(archive, chosen, memory=memory, threads=threads, folder=folder, advance=advance)
    sizes = np.array([layer["size"] for layer in layers], dtype=np.int64)
    return Distances(chosen, [layer["name"] for layer in layers], sizes, counts)


def members_of(archive: archives.Archive, ids: Sequence[str] | None = None) -> list[str]:
    """The members that are compared; the name of a population stands for all that are stored of it.

    Raises:
        ArchiveError: None is stored and none failed.
    """
    if isinstance(ids, str):
        ids = [own for own in archive.ids if own.rpartition("/")[0] == ids] or [ids]
    chosen = list(archive.compared if ids is None else ids)
    if not chosen and not archive.ids and not archive.failures:
        raise ArchiveError(f"no members are stored in {archive.directory}")
    return chosen
