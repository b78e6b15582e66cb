"""What sets of masks over the same base weights do when they are united, intersected and put to the vote.

A set are the members of a population that share one draw of base weights, unchanged by a refresh or training.
Of a set: `union`, `intersection`, `majority` (kept by more than half; where exactly half keep a weight, a
coin decides), and of pairs `symmetric-difference` (kept by one of the two); each as it comes (density kind
`own`) and with as many kept weights per layer as its operands have on average, rounded (`matched`): weights
in excess are dropped at random, missing ones added at random from what is left; `majority` then keeps those
with most votes, ties at random. `consensus` is that vote among the first j masks of the set in random order,
at matched density; the first alone is a member. Beside them `random`, a random mask of the matched counts,
and `members` themselves. What surrounds the masked layers is the mean over the operands.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool

from masklab.analysis import estimates
from masklab.landscape import flips
from masklab.landscape.context import Context, Found, Row
from masklab.landscape.ends import End, State
from masklab.landscape.tasks import Outcome, Task

SHARE = 0.12
KEYS = ("algebra",)

MOST_PAIRS = 6
"""Pairs of a set whose symmetric difference is taken at most."""

_PAIRED = 12
"""Members of a set that are paired at most."""

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
        return Task(self.key, len(self.networks), build, (flips.SPLIT,), tuple(self.members))

    @cached_property
    def sizes(self) -> list[int]:
        """Weights per layer."""
        return [layer.size for layer in self.context.archive.member(self.members[0]).layers]

    @cached_property
    def matched(self) -> list[int]:
        """Kept weights per layer at matched density."""
        layers = [[own.kept for own in self.context.archive.member(m).layers] for m in self.members]
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


def plan(context: Context, evaluations: int | None) -> list[Task]:
    """One set of each population and a pair of it; then its other sets; then further pairs."""
    sets = {name: _sets(context, name) for name in context.members}
    most = max(map(len, sets.values()), default=0)
    sizes = [(number, 1) for number in range(min(1, most), most + 1)]
    sizes += [(most, pairs) for pairs in range(2, MOST_PAIRS + 1)]
    plans = [
        [
            operands.task
            for own in sets.values()
            for of_set in own[:number]
            for operands in (of_set, *_pairs(of_set, pairs))
        ]
        for number, pairs in sizes
    ]
    return flips.affordable(context, plans, evaluations)


def found(context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
    """Rows by population, operation, number of masks and density kind."""
    planned = {task.key for task in tasks}
    rows: list[Row] = []
    for population in context.members:
        sets = [own for own in _sets(context, population) if own.key in planned]
        pairs = [pair for own in sets for pair in _pairs(own, MOST_PAIRS) if pair.key in planned]
        rows += _rows(context, population, sets, outcomes) + _rows(context, population, pairs, outcomes)
    return Found(rows={"algebra": rows})


def _sets(context: Context, population: str) -> list[Operands]:
    """Sets of a population that have at least two members, in random order."""
    draws: dict[int, list[str]] = {}
    for member in context.members[population]:
        own = draws.setdefault(context.blocks[member], [])
        if context.ends.shares((own or [member])[0], member):
            own.append(member)
    several = [own for own in draws.values() if len(own) > 1]
    order = context.random("algebra", "sets", population).permutation(len(several))
    return [_operands(context, several[at]) for at in order]


def _operands(context: Context, members: list[str]) -> Operands:
    key = f"algebra/set/{members[0]}"
    order = context.random(key, "order").permutation(len(members))
    return Operands(context, key, [members[at] for at in order])


def _pairs(of: Operands, number: int) -> Iterator[Operands]:
    """A random sample of the pairs of a set."""
    every = list(itertools.combinations(sorted(of.members[:_PAIRED]), 2))
    for a, b in of.context.choose(every, number, of.key):
        yield Operands(of.context, f"algebra/pair/{a}/{b}", [a, b])


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


@dataclass(frozen=True, eq=False)
class _Value:
    """One set's or pair's part of a row."""

    of: Operands
    masks: int
    density: float
    accuracy: float
    gain: float


def _rows(
    context: Context, population: str, sets: Sequence[Operands], outcomes: Mapping[str, Outcome]
) -> list[Row]:
    """Rows of the sets, or of the pairs, of a population."""
    cells: dict[tuple[str, int | None, str], list[_Value]] = {}
    for own in sets:
        for cell, value in _values(own, outcomes):
            cells.setdefault(cell, []).append(value)
    return [
        _row(context, (population, operation, kind), values)
        for (operation, _, kind), values in sorted(cells.items(), key=lambda cell: cell[0][1] or 0)
    ]


def _values(
    own: Operands, outcomes: Mapping[str, Outcome]
) -> Iterator[tuple[tuple[str, int | None, str], _Value]]:
    """Operation, number of masks of a consensus, and density kind → value."""
    accuracies = dict(zip(own.networks, outcomes[own.key].accuracy(flips.SPLIT).tolist(), strict=True))
    members = [flips.own_accuracy(outcomes, member) for member in own.members]
    mean, number = float(np.mean(members)), len(members)
    matched = sum(own.matched) / sum(own.sizes)
    plain = [network for network in own.networks if network[2] == "own"]
    densities = dict(zip(plain, own.masks(plain).mean(axis=1).tolist(), strict=True))

    def value(masks: int, density: float, accuracy: float) -> _Value:
        return _Value(own, masks, density, accuracy, accuracy - mean)

    for (operation, masks, kind), accuracy in accuracies.items():
        at = masks if operation == "consensus" else None
        density = densities.get((operation, masks, kind), matched)
        yield (operation, at, kind), value(masks, density, accuracy)
    if not own.pair:
        kept = np.mean([_density(own.context, member) for member in own.members])
        yield ("members", None, "own"), value(number, float(kept), mean)
        first = _density(own.context, own.members[0])
        yield ("consensus", 1, "matched"), value(1, first, members[0])
        majority = accuracies["majority", number, "matched"]
        yield ("consensus", number, "matched"), value(number, matched, majority)


def _density(context: Context, member: str) -> float:
    layers = context.archive.member(member).layers
    return sum(layer.kept for layer in layers) / sum(layer.size for layer in layers)


def _row(context: Context, of: tuple[str, str, str], values: Sequence[_Value]) -> Row:
    """One row.

    Args:
        context: The study.
        of: Population, operation and density kind.
        values: Of each set, or of each pair.
    """
    pairs = [(own.of.members[0], own.of.members[1]) for own in values] if values[0].of.pair else None
    accuracies, gains = [own.accuracy for own in values], [own.gain for own in values]
    return {
        "population": of[0],
        "operation": of[1],
        "density_kind": of[2],
        "masks": float(np.mean([own.masks for own in values])),
        "density": float(np.mean([own.density for own in values])),
        "sets": len(values),
        **flips.header(context),
        "accuracy": flips.over_sets(accuracies, pairs, estimates.SHARE),
        "gain": flips.over_sets(gains, pairs, (-1.0, 1.0)),
        "chance": flips.chance(context),
    }
