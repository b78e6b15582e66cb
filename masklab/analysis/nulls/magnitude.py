"""Overlap that the magnitudes of the base weights explain: bits permuted within deciles of |w|.

Pruners may prefer large weights. Then masks overlap beyond chance though nothing but magnitude is common to
them. Here each mask is thought permuted, independently of the others, among the weights of its layer whose
magnitude falls into the same bin; what two such masks share on average is exact:
E = Σ_j P_i(j) P_k(j), with P_i(j) the fraction that member i keeps of its bin of weight j. Where two members
have the same base weights that is Σ k₁k₂/N over the bins.
"""

import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from masklab import archive as archives
from masklab import bits
from masklab.archive import blocks

BINS = 10
"""Bins of magnitude per layer."""

LEAST = 20
"""Weights per bin at least; a layer of fewer than `BINS` · `LEAST` weights has fewer bins."""

MEMBERS = 24
"""Members per population at most: the first by index."""

WEIGHTS = 2**28
"""Weights that all sampled members may draw together, events included; of large ones fewer are sampled."""

_COLUMNS = 2**15
"""Weights of a layer that are multiplied at a time."""


@dataclass(frozen=True, eq=False)
class Magnitude:
    """Expected intersections of the sampled members.

    Attributes:
        ids: The sampled members.
        layers: Layer names in the network's forward order.
        expected: Expected weights kept by both, layer by layer.
    """

    ids: list[str]
    layers: list[str]
    expected: Float64[np.ndarray, "layers sampled sampled"]

    def expectation(self, layer: str | None = None) -> Float64[np.ndarray, "sampled sampled"]:
        """Expected weights kept by both, in one layer or (None) in the whole mask."""
        if layer is None:
            return self.expected.sum(axis=0)
        return self.expected[self.layers.index(layer)]

    def places(self, ids: Sequence[str]) -> tuple[Int64[np.ndarray, " found"], Int64[np.ndarray, " found"]]:
        """Which of some members were sampled: their places in `ids`, and here."""
        here = {member: place for place, member in enumerate(self.ids)}
        found = [(place, here[member]) for place, member in enumerate(ids) if member in here]
        both = np.array(found, dtype=np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1]


def expected(archive: archives.Archive, ids: Sequence[str], layers: Sequence[str]) -> Magnitude:
    """Expected intersections of stored members, given the magnitudes of their base weights.

    Members whose base weights are not known (imported masks) are left out. Base weights that several members
    share are drawn once.

    Args:
        archive: Where the members are stored.
        ids: Members to choose from, populations one after the other, by index.
        layers: Layer names in the network's forward order.

    Raises:
        ArchiveError: A member is damaged.
    """
    chosen = _sample(archive, ids)
    found = np.zeros((len(layers), len(chosen), len(chosen)))
    if not chosen:
        return Magnitude(chosen, list(layers), found)
    sources = {member: _source(archive, member) for member in chosen}
    first = {source: member for member, source in reversed(sources.items())}
    binned = {source: _bins_of_layers(archive, member) for source, member in first.items()}
    for counts, layer in zip(found, layers, strict=True):
        of_members = [binned[sources[member]][layer] for member in chosen]
        counts[:] = _expected(of_members, archive.packed(layer, chosen))
    return Magnitude(chosen, list(layers), found)


def bins(magnitudes: np.ndarray) -> UInt8[np.ndarray, " size"]:
    """Bin of each weight: `BINS` bins by rank, equal in size up to one; equal magnitudes share a bin.

    Args:
        magnitudes: |w| of a layer, flat.

    Examples:
        >>> np.bincount(bins(np.arange(200.0))).tolist()
        [20, 20, 20, 20, 20, 20, 20, 20, 20, 20]
        >>> set(bins(np.ones(200)).tolist())
        {0}
    """
    size = len(magnitudes)
    number = min(BINS, max(1, size // LEAST))
    places = np.array([size * at // number for at in range(1, number)], dtype=np.int64)
    cuts = np.unique(np.partition(magnitudes, places)[places]) if len(places) else magnitudes[:0]
    found = np.searchsorted(cuts, magnitudes, side="right")
    return np.unique(found, return_inverse=True)[1].astype(np.uint8)


def _sample(archive: archives.Archive, ids: Sequence[str]) -> list[str]:
    """The first members of each population whose base weights are known."""
    populations: dict[str, list[str]] = {}
    for member in ids:
        populations.setdefault(member.rpartition("/")[0], []).append(member)
    chosen = []
    for members in populations.values():
        share = WEIGHTS // (len(populations) * _drawn(archive.member(members[0])))
        chosen += members[: min(MEMBERS, max(2, share))]
    return [member for member in chosen if _known(archive.member(member))]


def _drawn(member: archives.Member) -> int:
    """Weights that are drawn to get a member's base weights: every refresh event draws whole layers."""
    times = 1 + len(member.facts.get("events", []))
    return sum(layer.size * (times if layer.origin == "event" else 1) for layer in member.layers)


def _known(member: archives.Member) -> bool:
    return member.has_weights and blocks.known(member)


def _source(archive: archives.Archive, member_id: str) -> Hashable:
    """Equal for members whose base weights are the same untouched draw."""
    member = archive.member(member_id)
    if member.recipe is not None and all(layer.origin is None for layer in member.layers):
        return dataclasses.replace(member.recipe, refresh_level=0)  # no refresh, so its level plays no part
    return member_id


def _bins_of_layers(archive: archives.Archive, member_id: str) -> dict[str, UInt8[np.ndarray, "_"]]:
    return {name: bins(np.abs(values).ravel()) for name, values in archive.weights(member_id).items()}


def _expected(
    binned: Sequence[UInt8[np.ndarray, " size"]], packed: UInt8[np.ndarray, "members bytes"]
) -> Float64[np.ndarray, "members members"]:
    """Σ_j P_i(j) P_k(j) of all pairs, a block of weights at a time.

    Args:
        binned: Bin of each weight, member by member.
        packed: Their masks.
    """
    size = len(binned[0])
    rates = [_rates(own, bits.unpack(row, size)) for own, row in zip(binned, packed, strict=True)]
    total = np.zeros((len(binned), len(binned)))
    for start, end in _spans(size):
        kept = np.stack([rate[own[start:end]] for rate, own in zip(rates, binned, strict=True)])
        total += kept @ kept.T
    return total


def _spans(size: int) -> Iterator[tuple[int, int]]:
    return pairwise([*range(0, size, _COLUMNS), size])


def _rates(
    binned: UInt8[np.ndarray, " size"], mask: Bool[np.ndarray, " size"]
) -> Float64[np.ndarray, " bins"]:
    """Fraction kept of each bin."""
    sizes = np.bincount(binned)
    return np.bincount(binned[mask], minlength=len(sizes)) / sizes
