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

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from masklab.analysis import estimates
from masklab.landscape import measures, operands, sampling
from masklab.landscape.context import Context, Found, Row
from masklab.landscape.tasks import Outcome, Task

SHARE = 0.12
KEYS = ("algebra",)

MOST_PAIRS = 6
"""Pairs of a set whose symmetric difference is taken at most."""

_PAIRED = 12
"""Members of a set that are paired at most."""


def plan(context: Context, evaluations: int | None) -> list[Task]:
    """One set of each population and a pair of it; then its other sets; then further pairs."""
    sets = {name: _sets(context, name) for name in context.members}
    most = max(map(len, sets.values()), default=0)
    sizes = [(number, 1) for number in range(min(1, most), most + 1)]
    sizes += [(most, pairs) for pairs in range(2, MOST_PAIRS + 1)]
    plans = [
        [
            own.task
            for several in sets.values()
            for of_set in several[:number]
            for own in (of_set, *_pairs(of_set, pairs))
        ]
        for number, pairs in sizes
    ]
    return sampling.largest(context, plans, evaluations)


def found(context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
    """Rows by population, operation, number of masks and density kind."""
    planned = {task.key for task in tasks}
    rows: list[Row] = []
    for population in context.members:
        sets = [own for own in _sets(context, population) if own.key in planned]
        pairs = [pair for own in sets for pair in _pairs(own, MOST_PAIRS) if pair.key in planned]
        rows += _rows(context, population, sets, outcomes) + _rows(context, population, pairs, outcomes)
    return Found(rows={"algebra": rows})


def _sets(context: Context, population: str) -> list[operands.Operands]:
    """Sets of a population that have at least two members, in random order."""
    draws: dict[int, list[str]] = {}
    for member in context.members[population]:
        own = draws.setdefault(context.blocks[member], [])
        if context.ends.shares((own or [member])[0], member):
            own.append(member)
    several = [own for own in draws.values() if len(own) > 1]
    order = context.random("algebra", "sets", population).permutation(len(several))
    return [_operands(context, several[at]) for at in order]


def _operands(context: Context, members: list[str]) -> operands.Operands:
    key = f"algebra/set/{members[0]}"
    order = context.random(key, "order").permutation(len(members))
    return operands.Operands(context, key, [members[at] for at in order])


def _pairs(of: operands.Operands, number: int) -> Iterator[operands.Operands]:
    """A random sample of the pairs of a set."""
    every = list(itertools.combinations(sorted(of.members[:_PAIRED]), 2))
    for a, b in of.context.choose(every, number, of.key):
        yield operands.Operands(of.context, f"algebra/pair/{a}/{b}", [a, b])


@dataclass(frozen=True, eq=False)
class _Value:
    """One set's or pair's part of a row."""

    of: operands.Operands
    masks: int
    density: float
    accuracy: float
    gain: float


def _rows(
    context: Context, population: str, sets: Sequence[operands.Operands], outcomes: Mapping[str, Outcome]
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
    own: operands.Operands, outcomes: Mapping[str, Outcome]
) -> Iterator[tuple[tuple[str, int | None, str], _Value]]:
    """Operation, number of masks of a consensus, and density kind → value."""
    accuracies = dict(zip(own.networks, outcomes[own.key].accuracy(measures.SPLIT).tolist(), strict=True))
    members = [measures.own_accuracy(outcomes, member) for member in own.members]
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
        kept = [own.context.ends.card(member).density for member in own.members]
        yield ("members", None, "own"), value(number, float(np.mean(kept)), mean)
        yield ("consensus", 1, "matched"), value(1, kept[0], members[0])
        majority = accuracies["majority", number, "matched"]
        yield ("consensus", number, "matched"), value(number, matched, majority)


def _row(context: Context, of: tuple[str, str, str], values: Sequence[_Value]) -> Row:
    """One row.

    Args:
        context: The study.
        of: Population, operation and density kind.
        values: Of each set, or of each pair.
    """
    return {
        "population": of[0],
        "operation": of[1],
        "density_kind": of[2],
        "masks": float(np.mean([own.masks for own in values])),
        "density": float(np.mean([own.density for own in values])),
        "sets": len(values),
        **measures.header(context),
        "accuracy": _over(values, [own.accuracy for own in values], estimates.SHARE),
        "gain": _over(values, [own.gain for own in values], (-1.0, 1.0)),
        "chance": measures.chance(context),
    }


def _over(of: Sequence[_Value], values: Sequence[float], limits: tuple[float, float]) -> Row:
    """Mean over pairs, or over sets: each is a draw of base weights."""
    if not of[0].of.pair:
        return measures.over_draws(values, limits)
    pairs = [(own.of.members[0], own.of.members[1]) for own in of]
    return measures.over_masks(pairs, np.array(values), limits)
