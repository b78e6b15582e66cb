"""Sets of masks: every operation against plain counting, counts that match exactly, rows by hand."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab.analysis import estimates, jackknife
from masklab.landscape import flips, operands
from masklab.landscape.context import Context, Row
from masklab.landscape.evaluator import Evaluator
from masklab.landscape.questions import algebra
from masklab.landscape.tasks import Outcome, Task, own_key
from tests.conftest import TinyStudy
from tests.landscape import contexts

SHARING = ("biprop-d0.4", "random-d0.4")


@pytest.fixture(scope="module")
def stored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets of four and of three members, in three draws of base weights; two populations change theirs."""
    of: dict[str, dict[str, Any]] = {name: {"members": 4} for name in ("biprop+recycle", "magnitude")}
    of["random"] = {"members": 10}
    of["biprop"] = {"members": 10, "selection": "global", "name": SHARING[0]}  # kept counts of layers differ
    populations = [{"pruner": name, "density": 0.4, **more} for name, more in of.items()]
    out = tmp_path_factory.mktemp("algebra")
    return contexts.trained(images, out, populations, training={"epochs": 3}, seeds={"weights": 3})


Measured = tuple[Context, list[Task], dict[str, Outcome], list[Row]]


def measure(context: Context, evaluator: Evaluator) -> Measured:
    tasks = algebra.plan(context, None)
    outcomes = contexts.outcomes(context, evaluator, tasks)
    return context, tasks, outcomes, algebra.found(context, tasks, outcomes).rows["algebra"]


@pytest.fixture(scope="module")
def measured(stored: Path) -> Measured:
    return measure(*contexts.of(stored))


def flat(mask: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([own.ravel() for own in mask.values()])


def kept(context: Context, task: Task) -> dict[operands.Network, dict[str, np.ndarray]]:
    """Operation, number and density kind → what a network of a task keeps, by layer."""
    (operands,) = [o for o in every(context) if o.key == task.key]
    state = task.build(range(task.networks))
    layers = list(context.archive.member(task.members[0]).mask())
    return {
        network: {name: (state[f"{name}.weight"][at] != 0).numpy() for name in layers}
        for at, network in enumerate(operands.networks)
    }


def every(context: Context) -> list[operands.Operands]:
    sets = [own for name in context.members for own in algebra._sets(context, name)]
    return [*sets, *(pair for own in sets for pair in algebra._pairs(own, algebra.MOST_PAIRS))]


def test_operations_are_those_of_sets(measured: Measured) -> None:
    context, tasks, _, _ = measured
    coins = []
    for task in tasks:
        masks = np.stack([flat(context.archive.member(own).mask()) for own in task.members])
        found = {network: flat(mask) for network, mask in kept(context, task).items()}
        number, votes = len(masks), masks.sum(axis=0)
        if "/pair/" in task.key:
            np.testing.assert_array_equal(found["symmetric-difference", 2, "own"], masks[0] ^ masks[1])
            assert len(found) == 2
            continue
        np.testing.assert_array_equal(found["union", number, "own"], masks.any(axis=0))
        np.testing.assert_array_equal(found["intersection", number, "own"], masks.all(axis=0))
        majority, tied = found["majority", number, "own"], 2 * votes == number
        np.testing.assert_array_equal(majority[~tied], 2 * votes[~tied] > number)
        assert tied.any() == (number % 2 == 0)
        coins += majority[tied].tolist()
    assert abs(np.mean(coins) - 0.5) < 4 * 0.5 / len(coins) ** 0.5


def test_matched_masks_keep_as_many_as_members_and_what_the_operation_says(measured: Measured) -> None:
    context, tasks, _, _ = measured
    assert len({context.archive.member(own).layers[0].kept for own in context.members[SHARING[0]]}) > 1
    for task in tasks:
        layers = [context.archive.member(own).mask() for own in task.members]
        for (operation, masks, kind), found in kept(context, task).items():
            if kind == "own":
                continue
            for name, mask in found.items():
                stack = np.stack([own[name] for own in layers[:masks]])
                assert mask.sum() == int(np.mean([own[name].sum() for own in layers]) + 0.5)
                votes = stack.sum(axis=0)
                if operation in ("majority", "consensus"):
                    assert votes[mask].min() >= votes[~mask].max()
                    continue
                value = {
                    "union": votes > 0,
                    "intersection": votes == masks,
                    "symmetric-difference": votes == 1,
                    "random": np.zeros_like(mask),
                }[operation]
                assert (mask & value).sum() == min(mask.sum(), value.sum()), "it is filled up, or cut down"


def test_what_is_random_is_random_on_its_own(measured: Measured) -> None:
    """What a matched union drops and what a random mask leaves out have nothing to do with each other."""
    context, tasks, _, _ = measured
    shared = expected = variance = 0.0
    for task in tasks:
        if "/set/" in task.key:
            found = kept(context, task)
            number = len(task.members)
            union, random = (found[name, number, "matched"] for name in ("union", "random"))
            for name, mask in union.items():
                n, a, b = mask.size, mask.sum(), random[name].sum()
                shared += (mask & random[name]).sum()
                expected += a * b / n
                variance += a * b * (n - a) * (n - b) / (n * n * (n - 1))
    assert abs(shared - expected) < 4 * variance**0.5


def test_networks_built_apart_are_those_built_together(measured: Measured) -> None:
    _, tasks, _, _ = measured
    assert {len(task.members) for task in tasks} == {2, 3, 4}
    for task in tasks[::5]:
        whole = task.build(range(task.networks))
        for at in range(task.networks):
            for name, values in task.build([at]).items():
                assert values.equal(whole[name][at : at + 1])


def test_the_gates_rule_is_applied_to_the_result(measured: Measured) -> None:
    context, tasks, _, _ = measured
    task = next(task for task in tasks if task.members[0].startswith("biprop") and "/set/" in task.key)
    base, state = context.archive.member(task.members[0]).weights(), task.build(range(task.networks))
    for at, mask in enumerate(kept(context, task).values()):
        for name, own in mask.items():
            gain = np.abs(base[name])[own].mean() if own.any() else 0.0
            expected = np.where(own, gain * np.sign(base[name]), 0)
            np.testing.assert_allclose(state[f"{name}.weight"][at].numpy(), expected, rtol=1e-5)


def test_rows_are_means_over_sets(measured: Measured) -> None:
    context, _, outcomes, rows = measured
    labels = context.images.labels["test"]

    def accuracy(key: str, at: int = 0) -> float:
        return float((outcomes[key].classes["test"][at] == labels).mean())

    assert {row["population"] for row in rows} == set(SHARING)
    cells = {(r["population"], r["operation"], r["masks"], r["density_kind"]): r for r in rows}
    assert len(cells) == len(rows)
    for population in SHARING:
        own = [o for o in every(context) if not o.pair and o.members[0].startswith(f"{population}/")]
        assert sorted(len(o.members) for o in own) == [3, 3, 4]
        means = [np.mean([accuracy(own_key(member)) for member in o.members]) for o in own]
        values = [accuracy(o.key, 0) for o in own]  # the first network of a set is the union
        row = cells[population, "union", 10 / 3, "own"]
        gains = np.subtract(values, means)
        assert row["sets"] == 3 and row["accuracy"]["value"] == pytest.approx(np.mean(values))
        assert row["gain"]["value"] == pytest.approx(gains.mean(), abs=1e-12)
        half = estimates.t_quantile(2) * gains.std(ddof=1) / 3**0.5
        assert row["gain"]["low"] == pytest.approx(max(-1, gains.mean() - half))
        union = [
            np.any([flat(context.archive.member(m).mask()) for m in o.members], axis=0).mean() for o in own
        ]
        assert row["density"] == pytest.approx(np.mean(union))
        members = cells[population, "members", 10 / 3, "own"]
        assert members["accuracy"]["value"] == pytest.approx(np.mean(means))
        assert members["gain"]["value"] == 0 and members["density"] == pytest.approx(418 / 1045)
        first = cells[population, "consensus", 1, "matched"]
        chosen = [accuracy(own_key(o.members[0])) for o in own]
        assert first["accuracy"]["value"] == pytest.approx(np.mean(chosen))
        last = cells[population, "consensus", 4, "matched"]
        assert (last["sets"], last["accuracy"]["low"]) == (1, None)
        assert "at least 3 draws of base weights; there are 1" in last["accuracy"]["why"]
        four = next(o for o in own if len(o.members) == 4)
        at = four.networks.index(("majority", 4, "matched"))
        assert last["accuracy"]["value"] == pytest.approx(accuracy(four.key, at))
        assert cells[population, "consensus", 3, "matched"]["sets"] == 3
    assert {row["chance"] for row in rows} == {0.5} and {row["images"] for row in rows} == {32}


def test_rows_of_pairs_have_an_interval_over_masks(measured: Measured) -> None:
    context, tasks, outcomes, rows = measured
    population = SHARING[0]
    pairs = [t for t in tasks if t.key.startswith(f"algebra/pair/{population}/")]
    assert len(pairs) == 3 + 3 + 6
    row = next(r for r in rows if r["operation"] == "symmetric-difference" and r["population"] == population)
    labels = context.images.labels["test"]
    table, chosen = np.zeros((1, 10, 10)), np.zeros((10, 10), dtype=bool)
    for task in pairs:
        a, b = (int(member[-4:]) for member in task.members)
        chosen[a, b] = True
        table[0, a, b] = (outcomes[task.key].classes["test"][0] == labels).mean()
    units = np.arange(10)
    means = jackknife.mean_over_pairs(table, chosen, units, units)
    assert (row["sets"], row["masks"], row["accuracy"]["n"]) == (12, 2, 10)
    for field, value in (("value", means.value), ("low", means.low), ("high", means.high)):
        assert row["accuracy"][field] == pytest.approx(np.clip(value[0], 0, 1))


def test_plans_keep_their_limit_and_are_nested(measured: Measured) -> None:
    context, everything, _, _ = measured

    def cost(tasks: list[Task]) -> int:
        return sum(map(context.cost, tasks))

    least = algebra.plan(context, 0)
    assert [task.key.split("/")[1:3] for task in least] == [
        [kind, name] for name in reversed(SHARING) for kind in ("set", "pair")
    ]
    before: set[str] = set()
    for limit in range(0, cost(everything) + 300, 300):
        tasks = algebra.plan(context, limit)
        keys = {task.key for task in tasks}
        assert before <= keys and (cost(tasks) <= limit or len(tasks) == len(least))
        before = keys
    assert len(before) == len(everything)


def test_without_two_members_on_equal_weights_there_is_nothing(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    train(tiny({"pruner": "edge-popup", "members": 2}, {"pruner": "biprop+iterand", "members": 6}), tmp_path)
    context, _ = contexts.of(tmp_path)
    assert algebra.plan(context, 0) == algebra.plan(context, None) == []
    assert algebra.found(context, [], {}).rows == {"algebra": []}


def test_equal_masks_of_one_draw_give_rows_without_an_interval(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    of = tiny({"pruner": "edge-popup", "density": 1.0}, seeds={"weights": 1})
    train(of, tmp_path)
    _, _, _, rows = measure(*contexts.of(tmp_path))
    found = {(row["operation"], row["density_kind"]): row for row in rows}
    assert found["symmetric-difference", "own"]["density"] == 0
    assert {row["density"] for key, row in found.items() if key[0] != "symmetric-difference"} == {1}
    assert all(row["gain"]["low"] is None and row["gain"]["why"] for row in rows)
    members = found["members", "own"]["accuracy"]["value"]
    same = itertools.product(("union", "intersection", "majority"), ("own", "matched"))
    for operation, kind in [*same, ("random", "matched")]:
        assert found[operation, kind]["accuracy"]["value"] == pytest.approx(members)


def test_what_surrounds_masks_is_the_mean_of_the_operands(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    network = {"name": "tests.networks.samples:plain", "width": 1.0, "batchnorm": "learned"}
    of = tiny({"pruner": "edge-popup", "members": 3}, seeds={"weights": 1}, network=network)
    train(of, tmp_path, engine="loop")
    context, evaluator = contexts.of(tmp_path, batchnorm_statistics="keep")
    _, tasks, _, rows = measure(context, evaluator)
    assert {row["statistics"] for row in rows} == {"keep"}
    task = tasks[0]
    (operands,) = [o for o in every(context) if o.key == task.key]
    state = task.build(range(task.networks))
    around = [context.ends.of(member).around for member in operands.members]
    assert any(name.endswith("running_var") for name in around[0])
    for name, first in around[0].items():
        for at, (_, masks, _) in enumerate(operands.networks):
            if first.is_floating_point():
                mean = np.mean([own[name].numpy() for own in around[:masks]], axis=0)
                np.testing.assert_allclose(state[name][at].numpy(), mean, rtol=1e-5, atol=1e-6)
            else:
                assert state[name][at].equal(first)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=4), st.integers(0, 5))
def test_the_largest_keys_are_kept(layers: list[tuple[int, int]], seed: int) -> None:
    sizes, kept = [size for size, _ in layers], [min(own) for own in layers]
    keys = np.random.RandomState(seed).random_sample(sum(sizes))
    found, start = flips.largest(keys, sizes, kept), 0
    for size, number in zip(sizes, kept, strict=True):
        order = sorted(range(start, start + size), key=lambda at: -keys[at])
        assert np.flatnonzero(found[start : start + size]).tolist() == sorted(
            at - start for at in order[:number]
        )
        start += size
