"""How much fits in a limit."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab.landscape import sampling
from masklab.landscape.context import Context
from masklab.landscape.tasks import Task
from tests.landscape import contexts


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(0, 40), st.integers(0, 8))
def test_affordable_items_are_the_longest_beginning_that_fits(
    costs: list[int], limit: int, least: int
) -> None:
    least = min(least, len(costs))
    number = sampling.affordable(costs, limit, least)
    assert number == least or sum(costs[:number]) <= limit
    assert number == len(costs) or sum(costs[: number + 1]) > limit or number + 1 <= least
    assert number <= sampling.affordable(costs, limit + 1, least)
    assert sampling.affordable(costs, None, 0) == len(costs)


@given(st.lists(st.lists(st.integers(), max_size=5), max_size=5))
def test_every_group_has_its_turn(groups: list[list[int]]) -> None:
    named = [[(at, place) for place in range(len(own))] for at, own in enumerate(groups)]
    found = sampling.in_turn(named)
    assert found == sorted((item for own in named for item in own), key=lambda item: item[::-1])


@pytest.fixture(scope="module")
def context(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Two populations, of eight members and of one; a network costs one evaluation."""
    populations = [{"pruner": "random", "members": 8}, {"pruner": "random", "members": 1, "density": 0.3}]
    out = contexts.trained(images, tmp_path_factory.mktemp("sampling") / "study", populations)
    return dataclasses.replace(contexts.of(out)[0], cost=lambda task: task.networks)


def task(key: str, networks: int) -> Task:
    return Task(key, networks, lambda _: {})


STEPS = st.lists(st.lists(st.integers(1, 4), max_size=3), max_size=6)


@given(costs=STEPS, limit=st.one_of(st.none(), st.integers(0, 30)), least=st.integers(0, 3))
def test_steps_are_asked_for_as_far_as_they_fit(
    costs: list[list[int]], limit: int | None, least: int, context: Context
) -> None:
    asked: list[int] = []

    def steps() -> Iterator[list[Task]]:
        for at, own in enumerate(costs):
            asked.append(at)
            yield [task(f"{at}/{place}", cost) for place, cost in enumerate(own)]

    keys = [task.key for task in sampling.beginning(context, steps(), limit, least)]
    number = sampling.affordable([sum(own) for own in costs], limit, least)
    assert keys == [f"{at}/{place}" for at, own in enumerate(costs[:number]) for place in range(len(own))]
    assert len(asked) == min(len(costs), number + 1)  # one further step shows that it is too much


def test_largest_plan_that_fits_or_the_first(context: Context) -> None:
    plans = [[task("a", 2)], [task("b", 1), task("a", 2)], [task("b", 1), task("a", 2), task("c", 4)]]
    for limit, at in ((0, 0), (2, 0), (3, 1), (6, 1), (7, 2), (None, 2)):
        assert sampling.largest(context, plans, limit) is plans[at]


def test_members_are_added_in_turn_over_populations_and_draws(context: Context) -> None:
    def plan(limit: int | None) -> list[str]:
        found = sampling.grown(context, lambda members: [task(own, 1) for own in members], limit)
        return [task.key for task in found]

    few, all_of = context.members["random-d0.5"], context.members["random-d0.3"]
    assert len(few) == 8
    assert [len(plan(limit)) for limit in (0, 4, 6, 7, None)] == [3, 4, 6, 7, 7]
    assert set(all_of) <= set(plan(0))
    for limit in (3, 5, 7):
        chosen = [own for own in plan(limit) if own in few]
        assert chosen == sorted(chosen) and set(chosen) <= set(plan(limit + 2))
        draws = [context.blocks[own] for own in chosen]
        assert abs(draws.count(0) - draws.count(1)) <= len(chosen) % 2
