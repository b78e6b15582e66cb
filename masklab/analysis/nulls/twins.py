"""Matched null populations: random masks that keep exactly as many weights as the members do.

Their distances go through everything that the members' do, so whatever they show is what independent masks of
these kept counts show. A mask is drawn bit by bit with about the right density, and then bits that are
uniformly chosen among those in excess, or missing, are flipped until the count is right. That is exactly
uniform over the masks of that count: bits that are independent and equally likely are exchangeable, so that
given their number every subset is equally likely; and a uniform subset stays uniform when a uniformly chosen
one of its members is taken out, or one of the others put in.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from masklab import bits, seeds
from masklab.analysis.distances import Distances

MOST = 19
"""Twins of a study at most: the least and the greatest of 19 span a 90 % range for one more."""

_WEIGHTS, _PAIRS = 2**30, 2**24
"""Weights that all twins may draw together (seconds), and pairs that they may hold, layer by layer."""


def replicates(members: int, size: int) -> int:
    """Number of twins that a study can afford, 1 to `MOST`.

    Args:
        members: Number of members.
        size: Number of weights of each.

    Examples:
        >>> replicates(84, 100_000), replicates(84, 2_261_184), replicates(3000, 1_000_000)
        (19, 5, 1)
    """
    drawn, held = members * size, members * members
    return min(MOST, max(1, min(_WEIGHTS // max(1, drawn), _PAIRS // max(1, held))))


def draw(
    sizes: Sequence[int] | Int64[np.ndarray, " layers"],
    kept: Int64[np.ndarray, "layers members"],
    random: np.random.RandomState,
) -> list[UInt8[np.ndarray, "members _"]]:
    """Independent, uniformly random masks with exactly the given kept counts, packed, layer by layer.

    Args:
        sizes: Weights per layer.
        kept: Kept weights per layer and member.
        random: Source of randomness.

    Examples:
        >>> rows = draw([12], np.array([[3, 12]]), np.random.RandomState(0))
        >>> bits.count(rows[0]).tolist()
        [3, 12]
    """
    return [_layer(int(size), counts, random) for size, counts in zip(sizes, kept, strict=True)]


def distances(found: Distances, seed: int, number: int) -> list[Distances]:
    """Intersection counts of twins of some members, counted as the members' are.

    Args:
        found: Intersection counts of the members.
        seed: Seed of the analysis; twin i is the same however many are drawn.
        number: Number of twins.
    """
    made = []
    for replicate in range(number):
        random = seeds.stream(seed, "split", layer="analysis/twins", event=replicate)
        counts = np.empty((len(found.layers), len(found.ids), len(found.ids)), dtype=np.int64)
        for own, name, size in zip(counts, found.layers, found.sizes, strict=True):
            own[:] = bits.intersections(_layer(int(size), found.kept(name), random))
        made.append(Distances(list(found.ids), list(found.layers), found.sizes, counts))
    return made


def _layer(
    size: int, kept: Int64[np.ndarray, " members"], random: np.random.RandomState
) -> UInt8[np.ndarray, "members bytes"]:
    rows = np.empty((len(kept), bits.packed_size(size)), dtype=np.uint8)
    for row, count in zip(rows, kept, strict=True):
        row[:] = bits.pack(_mask(size, int(count), random))
    return rows


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
