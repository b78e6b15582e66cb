"""Masks on other base weights: whose those are, what stays, and rows by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from masklab import stages, study, weights
from masklab.analysis import estimates
from masklab.landscape.context import Context, Row
from masklab.landscape.questions import transfer
from masklab.landscape.tasks import Outcome, Task, own_key
from tests.conftest import TinyStudy
from tests.landscape import contexts

NAMES = ("edge-popup", "biprop+recycle", "magnitude", "random")
Measured = tuple[Context, list[Task], dict[str, Outcome], list[Row]]


@pytest.fixture(scope="module")
def measured(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Four members in two draws; the refresh and the training change base weights."""
    raw: dict[str, Any] = {
        "study": {"name": "tiny"},
        "seeds": {"weights": 2},
        "data": {"name": "imagefolder", "path": str(images), "validation_fraction": 0.25},
        "network": {"name": "mlp", "width": 0.05},
        "training": {"epochs": 4, "batch_size": 16},
        "population": [{"pruner": name, "density": 0.4, "members": 4} for name in NAMES],
    }
    out = tmp_path_factory.mktemp("transfer")
    stages.train(study.build(raw), out, jobs=1, device="cpu", engine="vmap")
    context, evaluator = contexts.of(out)
    tasks = transfer.plan(context, None)
    outcomes = contexts.outcomes(context, evaluator, tasks)
    return context, tasks, outcomes, transfer.found(context, tasks, outcomes).rows["transfer"]


def targets(context: Context, member: str) -> list[str]:
    return list(transfer._targets(context, member))


def effective(context: Context, member: str, base: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gates' formulas, written out: W ⊙ M, or mean |W| over kept ones · sign(W) ⊙ M."""
    found = {}
    for name, mask in context.archive.member(member).mask().items():
        weight = base[name].reshape(mask.shape)
        if member.startswith("biprop"):
            weight = np.abs(weight)[mask].mean() * np.sign(weight)
        found[name] = np.where(mask, weight, 0)
    return found


def is_state(state: dict[str, torch.Tensor], at: int, expected: dict[str, np.ndarray]) -> bool:
    return all(
        np.allclose(state[f"{name}.weight"][at].numpy(), own, rtol=1e-5) for name, own in expected.items()
    )


def test_masks_are_put_on_the_weights_of_a_member(measured: Measured) -> None:
    context, tasks, _, _ = measured
    for task in tasks:
        (member,) = task.members
        population, own = member[:-5], context.archive.member(member).weights()
        refreshed = population.startswith(("biprop", "magnitude"))
        wanted = ["same-draw", "other-draw", "fresh", "random"][not refreshed :]
        assert targets(context, member) == wanted and task.networks == len(wanted)
        state = task.build(range(task.networks))
        for at, target in enumerate(wanted[: refreshed + 1]):
            same = [
                giver
                for giver in context.members[population]
                if is_state(state, at, effective(context, member, context.archive.member(giver).weights()))
            ]
            assert member not in same
            blocks = {context.blocks[giver] == context.blocks[member] for giver in same}
            assert blocks == {target == "same-draw"}
            if target == "same-draw":
                base = context.archive.member(same[0]).weights()
                assert any(not np.array_equal(base[name], own[name]) for name in own)


def test_fresh_weights_are_nobodys(measured: Measured) -> None:
    context, tasks, _, _ = measured
    levels = set()
    for task in tasks:
        (member,) = task.members
        stored = context.archive.member(member)
        recipe = stored.recipe
        assert recipe is not None
        level = 2 + int(member[-4:])  # there are draws 0 and 1
        levels.add(level)
        base = {
            layer.name: weights.initial_weights(
                recipe.seed, level, layer.name, layer.shape, recipe.init, recipe.factor
            )
            for layer in stored.layers
        }
        at = targets(context, member).index("fresh")
        assert is_state(task.build([at]), 0, effective(context, member, base))
    assert levels == {2, 3, 4, 5}


def test_random_masks_keep_as_many_on_the_members_weights(measured: Measured) -> None:
    context, tasks, _, _ = measured
    for task in tasks:
        (member,) = task.members
        stored = context.archive.member(member)
        state = task.build([task.networks - 1])
        masks = {layer.name: (state[f"{layer.name}.weight"][0] != 0).numpy() for layer in stored.layers}
        assert [mask.sum() for mask in masks.values()] == [layer.kept for layer in stored.layers]
        base, own = stored.weights(), stored.mask()
        for name, mask in masks.items():
            kept = state[f"{name}.weight"][0].numpy()[mask]
            gained = np.abs(base[name])[mask].mean() * np.sign(base[name][mask])
            expected = gained if member.startswith("biprop") else base[name][mask]
            np.testing.assert_allclose(kept, expected, rtol=1e-5)
        assert any((mask != own[name]).any() for name, mask in masks.items())


def test_on_its_own_weights_a_mask_is_the_member(measured: Measured) -> None:
    context, _, _, _ = measured
    for member in context.blocks:
        end = context.ends.of(member)
        again = end.with_base(end.base).state
        for name, values in end.state.items():
            torch.testing.assert_close(again[name], values, rtol=1e-6, atol=0)


def test_networks_built_apart_are_those_built_together(measured: Measured) -> None:
    _, tasks, _, _ = measured
    for task in tasks:
        whole = task.build(range(task.networks))
        for name, values in task.build([1, task.networks - 1]).items():
            assert values.equal(whole[name][[1, task.networks - 1]])


def test_rows_are_means_over_members(measured: Measured) -> None:
    context, _, outcomes, rows = measured
    labels = context.images.labels["test"]

    def accuracy(key: str, at: int = 0) -> float:
        return float((outcomes[key].classes["test"][at] == labels).mean())

    names = {r["population"] for r in rows}
    assert names == {f"{name}-d0.4" for name in NAMES}
    assert len(rows) == 4 * 5 - 2  # no refresh or training changes the weights of two populations
    for row in rows:
        ids, target = context.members[row["population"]], row["weights"]
        own = [accuracy(own_key(member)) for member in ids]
        if target == "own":
            values = own
        else:
            at = targets(context, ids[0]).index(target)
            values = [accuracy(f"transfer/{member}", at) for member in ids]
        changes = np.subtract(values, own)
        assert row["members"] == 4 and row["accuracy"]["value"] == pytest.approx(np.mean(values))
        assert row["change"]["value"] == pytest.approx(changes.mean(), abs=1e-12)
        if len(set(changes)) > 1:
            expected = estimates.mean_over_members(changes.tolist(), 1, limits=(-1.0, 1.0))
            assert row["change"]["low"] == pytest.approx(expected["low"])
        assert (row["chance"], row["images"], row["split"], row["statistics"]) == (0.5, 32, "test", "none")


def test_plans_keep_their_limit_and_are_nested(measured: Measured) -> None:
    context, everything, _, _ = measured

    def cost(tasks: list[Task]) -> int:
        return sum(map(context.cost, tasks))

    least, before = transfer.plan(context, 0), set()
    assert len(least) == 2 * len(NAMES) and len(everything) == 4 * len(NAMES)
    for limit in range(0, cost(everything) + 100, 100):
        tasks = transfer.plan(context, limit)
        keys = {task.key for task in tasks}
        assert before <= keys and (cost(tasks) <= limit or len(tasks) == len(least))
        before = keys
    assert len(before) == len(everything)


def test_one_member_has_no_others_weights(tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path) -> None:
    train(tiny({"pruner": "biprop+recycle", "members": 1}), tmp_path)
    context, evaluator = contexts.of(tmp_path)
    tasks = transfer.plan(context, None)
    rows = transfer.found(context, tasks, contexts.outcomes(context, evaluator, tasks)).rows["transfer"]
    assert [row["weights"] for row in rows] == ["own", "fresh", "random"]
    assert all("there is 1" in row["accuracy"]["why"] for row in rows)


def test_what_surrounds_a_mask_stays_its_own(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    network = {"name": "tests.networks.samples:plain", "width": 1.0, "batchnorm": "learned"}
    train(tiny({"pruner": "edge-popup", "members": 2}, network=network), tmp_path, engine="loop")
    context, _ = contexts.of(tmp_path)
    for task in transfer.plan(context, None):
        state, around = task.build(range(task.networks)), context.ends.of(task.members[0]).around
        assert task.networks == 3 and any(name.endswith("running_var") for name in around)
        for name, values in around.items():
            assert all(own.equal(values) for own in state[name])
