"""How much is evaluated within a limit: members and items in turn, and the largest plan that fits."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from masklab.landscape.context import Context
from masklab.landscape.tasks import Task

Item = TypeVar("Item")

MOST_MEMBERS = 6
"""Members of a population that are tried at most."""

LEAST_MEMBERS = 2
"""Members of a population that are tried at least, if it has as many: one has no interval."""


def in_turn(groups: Sequence[Sequence[Item]]) -> list[Item]:
    """First items of all groups, then second ones, and so on.

    Examples:
        >>> in_turn(["ab", "c", "def"])
        ['a', 'c', 'd', 'b', 'e', 'f']
    """
    rounds = itertools.zip_longest(*groups, fillvalue=None)
    return [item for one in rounds for item in one if item is not None]


def affordable(costs: Iterable[int], limit: int | None, least: int) -> int:
    """How many items, from the first on, fit in a limit; at least `least`.

    Args:
        costs: What each item costs; asked for no further than the limit reaches.
        limit: What they may cost together; None: there is no limit.
        least: How many are taken whatever they cost.

    Examples:
        >>> affordable([3, 1, 2], 5, least=0), affordable([3, 1, 2], 0, least=1)
        (2, 1)
    """
    number = 0
    for total in itertools.accumulate(costs):
        if limit is not None and total > limit and number >= least:
            break
        number += 1
    return number


def beginning(
    context: Context, steps: Iterable[list[Task]], evaluations: int | None, least: int
) -> list[Task]:
    """Tasks of the first steps, as many as fit in a limit; of at least `least` steps.

    Args:
        context: The study.
        steps: Tasks that are added together; asked for no further than the limit reaches.
        evaluations: The limit; None for none.
        least: Steps that are taken whatever they cost.
    """
    asked: list[list[Task]] = []

    def costs() -> Iterator[int]:
        for tasks in steps:
            asked.append(tasks)
            yield sum(map(context.cost, tasks))

    number = affordable(costs(), evaluations, least)
    return [task for tasks in asked[:number] for task in tasks]


def largest(context: Context, plans: Sequence[list[Task]], evaluations: int | None) -> list[Task]:
    """The largest of several plans that costs at most so many evaluations; the first, whatever it costs.

    Args:
        context: The study.
        plans: From small to large, at least one; each has the tasks of those before it.
        evaluations: The limit; None for none.
    """
    costs = [sum(map(context.cost, tasks)) for tasks in plans]
    added = [after - before for before, after in itertools.pairwise([0, *costs])]
    return plans[affordable(added, evaluations, least=1) - 1]


def grown(
    context: Context, tasks: Callable[[Sequence[str]], list[Task]], evaluations: int | None
) -> list[Task]:
    """Tasks of as many members as a limit allows; members are added in turn, to every population alike.

    Args:
        context: The study.
        tasks: What is evaluated of some members.
        evaluations: The limit; None for none.
    """
    most = max(map(len, context.members.values()), default=0)
    numbers = range(min(LEAST_MEMBERS, most), min(MOST_MEMBERS, most) + 1)
    return largest(context, [tasks(_members(context, number)) for number in numbers], evaluations)


def _members(context: Context, most: int) -> list[str]:
    """At most so many members of each population, spread over draws of base weights; more contain fewer.

    Populations with equal members have equal ones chosen, so that they can be compared.
    """
    found = []
    for ids in context.members.values():
        turns: dict[int, list[str]] = {}
        for at in context.random("members").permutation(len(ids)):
            turns.setdefault(context.blocks[ids[at]], []).append(ids[at])
        chosen = set(in_turn(list(turns.values()))[:most])
        found += [own for own in ids if own in chosen]
    return found
