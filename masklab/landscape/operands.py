"""Sets of masks over the same base weights, and the networks that operations make of them."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool

from masklab.landscape import flips, measures
from masklab.landscape.context import Context
from masklab.landscape.ends import End, State
from masklab.landscape.tasks import Task

_ALL_STEPS = 16
"""Masks up to which there is a consensus of every number; beyond, in steps of a factor of about √2."""

Network = tuple[str, int, str]
"""Operation, number of masks, density kind."""


@dataclass(frozen=True, eq=False)
class Operands:
    """Members of one set, in the random order in which a consensus takes them.

    Attributes:
        context: The study.
        key: Of their task.
        members: Their ids.
    """

    context: Context
    key: str
    members: list[str]

    @property
    def pair(self) -> bool:
        """Whether they are a pair, of which nothing but the symmetric difference is taken."""
        return self.key.startswith("algebra/pair/")

    @property
    def networks(self) -> list[Network]:
        """What is evaluated; a consensus of one is a member, that of all is the majority."""
        number = len(self.members)
        kinds = ("own", "matched")
        if self.pair:
            return [("symmetric-difference", number, kind) for kind in kinds]
        both = itertools.product(("union", "intersection", "majority"), kinds)
        return [
            *((operation, number, kind) for operation, kind in both),
            ("random", number, "matched"),
            *(("consensus", masks, "matched") for masks in steps(number) if 1 < masks < number),
        ]

    @property
    def task(self) -> Task:
        """The task that evaluates them."""
        build = functools.partial(_states, self)
        return Task(self.key, len(self.networks), build, (measures.SPLIT,), tuple(self.members))

    @cached_property
    def sizes(self) -> list[int]:
        """Weights per layer."""
        return list(self.context.ends.card(self.members[0]).sizes.values())

    @cached_property
    def matched(self) -> list[int]:
        """Kept weights per layer at matched density."""
        layers = [list(self.context.ends.card(member).kept.values()) for member in self.members]
        return [int(mean + 0.5) for mean in np.mean(layers, axis=0)]

    def masks(self, networks: Sequence[Network]) -> Bool[np.ndarray, "networks weights"]:
        """Masks of some of the networks, flat; what is random in them does not depend on which."""
        votes = self._votes({masks for _, masks, _ in networks})
        random = self.context.random(self.key)
        # ties of all operations are broken alike, but for the random mask, which must not resemble the others
        ties, other = random.random_sample(sum(self.sizes)), random.random_sample(sum(self.sizes))
        rows = []
        for operation, masks, kind in networks:
            value = _VALUES[operation](votes[masks], masks)
            if kind == "matched":
                broken = other if operation == "random" else ties
                rows.append(flips.largest(value + broken, self.sizes, self.matched))
            else:
                rows.append(value + ties >= (masks + 1) / 2 if operation == "majority" else value)
        return np.stack(rows)

    def _votes(self, wanted: set[int]) -> dict[int, np.ndarray]:
        """Number of masks → how many of the first so many keep each weight."""
        found, votes = {}, np.zeros(sum(self.sizes), dtype=np.int32)
        for number, member in enumerate(self.members[: max(wanted)], 1):
            votes += flips.flat(self.context.archive.member(member).mask())
            if number in wanted:
                found[number] = votes.copy()
        return found


_VALUES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "union": lambda votes, masks: votes > 0,
    "intersection": lambda votes, masks: votes == masks,
    "symmetric-difference": lambda votes, masks: votes == 1,
    "majority": lambda votes, masks: votes,
    "consensus": lambda votes, masks: votes,
    "random": lambda votes, masks: np.zeros(len(votes)),
}
"""Operation → what decides about a weight, from the number of masks that keep it."""


def steps(number: int) -> list[int]:
    """Numbers of masks of which there is a consensus, out of so many.

    Examples:
        >>> steps(4), steps(40)[14:]
        ([1, 2, 3, 4], [15, 16, 23, 32, 40])
    """
    small = range(1, min(number, _ALL_STEPS) + 1)
    large = (int(_ALL_STEPS * 2 ** (step / 2) + 0.5) for step in range(1, 64))
    return sorted({*small, *itertools.takewhile(lambda masks: masks < number, large), number})


def _states(operands: Operands, positions: Sequence[int]) -> State:
    networks = [operands.networks[at] for at in positions]
    ends = operands.context.ends
    end = ends.of(operands.members[0])
    rows = operands.context.tensor(operands.masks(networks))
    state = end.with_masks(flips.layered(rows, end.mask))
    if not end.around:
        return state
    around: dict[int, State] = {}
    for masks in {masks for _, masks, _ in networks}:
        around[masks] = _mean([ends.of(member) for member in operands.members[:masks]])
    return state | {
        name: torch.stack([around[masks][name] for _, masks, _ in networks]) for name in end.around
    }


def _mean(ends: Sequence[End]) -> State:
    """Mean of what surrounds masks; what is no real number is the first one's."""
    return {
        name: torch.stack([end.around[name] for end in ends]).mean(0) if first.is_floating_point() else first
        for name, first in ends[0].around.items()
    }
