"""Matched null populations: random masks that keep exactly as many weights as the members do.

Their distances go through everything that the members' do, so whatever they show is what independent masks of
these kept counts show. A mask is drawn bit by bit with about the right density, and then bits that are
uniformly chosen among those in excess, or missing, are flipped until the count is right. That is exactly
uniform over the masks of that count: bits that are independent and equally likely are exchangeable, so that
given their number every subset is equally likely; and a uniform subset stays uniform when a uniformly chosen
one of its members is taken out, or one of the others put in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from masklab import bits, seeds
from masklab.analysis.distances import Distances

MOST = 19
"""Twins of a study at most: the least and the greatest of 19 span a 90 % range for one more."""

MEMORY = 2**30
"""Bytes that the masks of a layer take by default while they are counted."""

_WEIGHTS, _PAIRS = 2**32, MOST * 1500**2
"""Weights that all twins may draw together (ten seconds), and pairs that they may hold, layer by layer."""

_OF_ONE = 2**33
"""Weights of one twin above which none is drawn."""


def replicates(members: int, size: int) -> int:
    """Number of twins that a study can afford, 1 to `MOST`; 0 where drawing one would cost too much.

    Args:
        members: Number of members.
        size: Number of weights of each.

    Examples:
        >>> replicates(84, 2_000_000), replicates(84, 20_000_000), replicates(3000, 1_000_000)
        (19, 2, 1)
        >>> replicates(3000, 10_000_000)
        0
    """
    drawn, held = members * size, members * members
    if drawn > _OF_ONE:
        return 0
    return min(MOST, max(1, min(_WEIGHTS // max(1, drawn), _PAIRS // max(1, held))))


def draw(
    size: int,
    kept: Int64[np.ndarray, " members"],
    streams: Iterable[np.random.RandomState],
) -> UInt8[np.ndarray, "members bytes"]:
    """Independent, uniformly random masks of a layer with exactly the given kept counts, packed.

    Args:
        size: Weights of the layer.
        kept: Kept weights per member.
        streams: Source of randomness of each member.

    Examples:
        >>> streams = [np.random.RandomState(0), np.random.RandomState(1)]
        >>> bits.count(draw(12, np.array([3, 12]), streams)).tolist()
        [3, 12]
    """
    rows = np.empty((len(kept), bits.packed_size(size)), dtype=np.uint8)
    for row, count, random in zip(rows, kept, streams, strict=True):
        row[:] = bits.pack(_mask(size, int(count), random))
    return rows


def distances(
    found: Distances, seed: int, number: int, *, memory: int = MEMORY, threads: int = 1
) -> list[Distances]:
    """Intersection counts of twins of some members, counted as the members' are.

    Args:
        found: Intersection counts of the members.
        seed: Seed of the analysis; twin i is the same however many are drawn.
        number: Number of twins.
        memory: Bytes that the masks of a layer may take, beside the counts. Where they do not fit, bands of
            members are drawn again for each other band; the counts are the same.
        threads: Processor cores to count with.
    """
    made = []
    for replicate in range(number):
        counts = np.empty((len(found.layers), len(found.ids), len(found.ids)), dtype=np.int64)
        for place, (own, name) in enumerate(zip(counts, found.layers, strict=True)):
            layer = _Layer(int(found.sizes[place]), found.kept(name), seed, name, replicate)
            layer.intersections(own, memory, threads)
        made.append(Distances(list(found.ids), list(found.layers), found.sizes, counts))
    return made


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer of one twin; each member has a random stream of its own, so that any can be drawn again."""

    size: int
    kept: Int64[np.ndarray, " members"]
    seed: int
    name: str
    replicate: int

    def draw(self, band: slice) -> UInt8[np.ndarray, "band bytes"]:
        """Packed masks of some members."""
        path = f"analysis/twins/{self.name}"
        places = range(len(self.kept))[band]
        streams = (seeds.stream(self.seed, "split", at, path, self.replicate) for at in places)
        return draw(self.size, self.kept[band], streams)

    def intersections(self, out: Int64[np.ndarray, "members members"], memory: int, threads: int) -> None:
        """Counts of all pairs, a pair of bands after the other."""
        room, each = memory - 2 * self.size, bits.packed_size(self.size)  # a mask is drawn unpacked
        members = len(self.kept)
        step = members if room >= members * each else max(1, room // (2 * each))
        bands = [slice(start, min(start + step, members)) for start in range(0, members, max(1, step))]
        for at, band in enumerate(bands):
            rows = self.draw(band)
            out[band, band] = bits.intersections(rows, threads=threads)
            for other in bands[at + 1 :]:
                shared = bits.intersections(rows, self.draw(other), threads=threads)
                out[band, other], out[other, band] = shared, shared.T


def _mask(size: int, kept: int, random: np.random.RandomState) -> Bool[np.ndarray, " size"]:
    # a byte per bit is coarse, and cheap: any density is right, since the count is mended
    drawn = np.frombuffer(random.bytes(size), dtype=np.uint8)
    mask = drawn < np.uint16(round(256 * kept / size))
    missing = kept - int(np.count_nonzero(mask))
    wanted = missing > 0
    while missing:
        at = _wrong(mask, wanted, abs(missing), size - kept if wanted else kept, random)
        mask[at] = wanted
        missing -= len(at) if wanted else -len(at)
    return mask


def _wrong(
    mask: Bool[np.ndarray, " size"], wanted: bool, number: int, remaining: int, random: np.random.RandomState
) -> Int64[np.ndarray, " chosen"]:
    """Distinct places, uniformly chosen among those whose bit is not `wanted`; at most `number`.

    Args:
        mask: The bits.
        wanted: Value that more bits should have.
        number: How many bits should change.
        remaining: How many bits shall not be `wanted` once that is done.
        random: Source of randomness.
    """
    available = number + remaining
    if 8 * available < len(mask):  # too few to be hit by trying
        return np.flatnonzero(mask != wanted)[random.permutation(available)[:number]]
    tried = random.randint(0, len(mask), size=number * len(mask) // available + 8)
    hit = tried[mask[tried] != wanted]
    first = np.unique(hit, return_index=True)[1]
    return hit[np.sort(first)][:number]
