"""Who the compared members are: the population, the seeds and the base weights of each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int64

from masklab import archive as archives


@dataclass(frozen=True, eq=False)
class Design:
    """The members of an analysis, in the order of every matrix that it makes.

    Members of equal `unit` have equal seeds: they are paired across populations. Members of equal `block`
    share a draw of base weights.

    Attributes:
        ids: Member ids.
        names: Names of the populations that have members here, in the study's order.
        population: Place of each member's population in `names`.
        unit: Number of the seeds of each member; one of its own where its seeds are not known.
        block: Draw of base weights of each member.
        unpaired: Names of populations whose members' seeds are not known.
    """

    ids: list[str]
    names: list[str]
    population: Int64[np.ndarray, " members"]
    unit: Int64[np.ndarray, " members"]
    block: Int64[np.ndarray, " members"]
    unpaired: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.ids)

    def members(self, name: str) -> Int64[np.ndarray, " own"]:
        """Places of a population's members, ascending; none if it has none."""
        if name not in self.names:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.population == self.names.index(name))

    @cached_property
    def draws(self) -> int:
        """Number of draws of base weights."""
        return len(np.unique(self.block))

    def only(self, places: Sequence[int] | Int64[np.ndarray, " chosen"]) -> "Design":
        """The design of some of the members, in the given order."""
        chosen = np.asarray(places, dtype=np.int64)
        kept = [name for at, name in enumerate(self.names) if (self.population[chosen] == at).any()]
        place = np.array([kept.index(self.names[at]) for at in self.population[chosen]], dtype=np.int64)
        ids = [self.ids[at] for at in chosen]
        return Design(ids, kept, place, self.unit[chosen], self.block[chosen], self.unpaired & set(kept))


def of(archive: archives.Archive, ids: Sequence[str] | None = None) -> Design:
    """The design of stored members.

    Args:
        archive: Where they are stored.
        ids: Which members; by default all stored ones that are compared.
    """
    unpaired = {row["name"] for row in archive.study["populations"] if row.get("imported")}
    names = [row["name"] for row in archive.study["populations"]]
    return make(archive.compared if ids is None else ids, archive.blocks, names, unpaired)


def make(
    ids: Sequence[str],
    blocks: Mapping[str, int],
    names: Sequence[str] | None = None,
    unpaired: Collection[str] = (),
) -> Design:
    """The design of members given by their ids.

    Args:
        ids: Member ids, `<population>/<index>`.
        blocks: Member id → draw of base weights.
        names: Populations in the study's order; by default in the order of `ids`.
        unpaired: Populations whose members share no seeds with those of equal index elsewhere.

    Examples:
        >>> found = make(["a/0000", "a/0001", "b/0000"], {"a/0000": 0, "a/0001": 1, "b/0000": 0})
        >>> found.names, found.population.tolist(), found.unit.tolist(), found.draws
        (['a', 'b'], [0, 0, 1], [0, 1, 0], 2)
    """
    parts = [member.rpartition("/") for member in ids]
    present = dict.fromkeys(name for name, _, _ in parts)
    order = [name for name in (present if names is None else names) if name in present]
    free = 1 + max((int(index) for name, _, index in parts if name not in unpaired), default=-1)
    units = [free + at if name in unpaired else int(index) for at, (name, _, index) in enumerate(parts)]
    return Design(
        list(ids),
        order,
        np.array([order.index(name) for name, _, _ in parts], dtype=np.int64),
        np.array(units, dtype=np.int64),
        np.array([blocks[member] for member in ids], dtype=np.int64),
        frozenset(unpaired) & set(order),
    )
