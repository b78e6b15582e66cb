"""Groups of members whose masks are equal in every weight."""

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

from masklab import archive as archives
from masklab.analysis.distances import Distances

_AT_ONCE = 256


def groups(distances: Distances) -> list[list[str]]:
    """Ids of equal masks, from the distances of all pairs; only groups of two and more.

    Args:
        distances: Intersection counts.
    """
    counts = distances.hamming_count()
    first = np.argmax(counts == 0, axis=1) if len(counts) else np.zeros(0, dtype=np.int64)
    return _grouped(distances.ids, first.tolist())


def hashed(archive: archives.Archive, ids: Sequence[str]) -> list[list[str]]:
    """The same in time linear in the members: masks of equal SHA-256.

    Args:
        archive: Where they are stored.
        ids: Which members.

    Raises:
        ArchiveError: A member is damaged.
    """
    found = [hashlib.sha256() for _ in ids]
    for layer in (row["name"] for row in archive.study["network"]["layers"]):
        for start in range(0, len(ids), _AT_ONCE):
            rows = archive.packed(layer, ids[start : start + _AT_ONCE])
            for digest, row in zip(found[start : start + _AT_ONCE], rows, strict=True):
                digest.update(row.tobytes())
    return _grouped(ids, [digest.digest() for digest in found])


def _grouped(ids: Sequence[str], keys: Sequence[Hashable]) -> list[list[str]]:
    made: dict[Hashable, list[str]] = {}
    for own, key in zip(ids, keys, strict=True):
        made.setdefault(key, []).append(own)
    return [group for group in made.values() if len(group) > 1]
