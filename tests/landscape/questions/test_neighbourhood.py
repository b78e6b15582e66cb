"""Flips are as many as said, nested, and of their kind; rows say what the flipped masks answered."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab.analysis import estimates
from masklab.landscape import flips
from masklab.landscape.context import Context, Row
from masklab.landscape.questions import neighbourhood
from masklab.landscape.tasks import Outcome, Task, own_key
from tests.conftest import TinyStudy
from tests.landscape import contexts

NAMES = ("edge-popup", "biprop+recycle", "random")


@pytest.fixture(scope="module")
def stored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    populations = [{"pruner": name, "density": 0.4, "members": 3} for name in NAMES]
    out = tmp_path_factory.mktemp("neighbourhood")
    return contexts.trained(images, out, populations, training={"epochs": 3})


Measured = tuple[Context, list[Task], dict[str, Outcome], list[Row]]


@pytest.fixture(scope="module")
def measured(stored: Path) -> Measured:
    """Everything that there is to evaluate, and its rows."""
    context, evaluator = contexts.of(stored)
    tasks = neighbourhood.plan(context, None)
    outcomes = contexts.outcomes(context, evaluator, tasks)
    return context, tasks, outcomes, neighbourhood.found(context, tasks, outcomes).rows["neighbourhood"]


Masks = dict[str, np.ndarray]


def masks_of(context: Context, task: Task) -> list[Masks]:
    """What each network of a task keeps: everywhere else its effective weights are zero."""
    state = task.build(range(task.networks))
    layers = [layer["name"] for layer in context.archive.study["network"]["layers"]]
    return [
        {name: (state[f"{name}.weight"][at] != 0).numpy() for name in layers} for at in range(task.networks)
    ]


def differing(a: Masks, b: Masks) -> Masks:
    return {name: a[name] != b[name] for name in a}


def count(masks: Masks) -> int:
    return sum(int(own.sum()) for own in masks.values())


def tasks_of(context: Context, kind: str) -> list[Task]:
    found = [task for task in neighbourhood.plan(context, None) if task.key.split("/")[1] == kind]
    assert found
    return found


@pytest.mark.parametrize("kind", ["random", "swap", "margin", "layer"])
def test_flips_are_as_many_as_said(measured: Measured, kind: str) -> None:
    context, _, _, rows = measured
    for task in tasks_of(context, kind):
        member = task.members[0]
        own = context.archive.member(member).mask()
        changes = [differing(own, mask) for mask in masks_of(context, task)]
        said = [
            (row["layer"], row["flips"])
            for row in rows
            if (row["population"], row["kind"]) == (member[:-5], kind)
        ]
        assert [count(change) for change in changes] == [flipped for _, flipped in said]
        if kind == "layer":
            assert [name for name, _ in said] == list(own)
            for change, (name, number) in zip(changes, said, strict=True):
                assert change[name].sum() == number == 2 * max(1, round(0.05 * own[name].size))
            continue
        size = count({name: np.ones_like(bits) for name, bits in own.items()})
        wanted = [max(1, int(share * size + 0.5)) for share in neighbourhood.SHARES]
        assert {layer for layer, _ in said} == {"whole"}
        if kind == "swap":
            assert [flipped for _, flipped in said] == sorted({max(2, k - k % 2) for k in wanted})
        else:
            assert [flipped for _, flipped in said] == wanted
        for fewer, more in itertools.pairwise(changes):
            assert all((more[name] | ~fewer[name]).all() for name in own), "not nested"


@pytest.mark.parametrize("kind", ["swap", "layer"])
def test_swaps_keep_every_layers_density(stored: Path, kind: str) -> None:
    context, _ = contexts.of(stored)
    for task in tasks_of(context, kind):
        own = context.archive.member(task.members[0]).mask()
        for mask in masks_of(context, task):
            assert {n: bits.sum() for n, bits in mask.items()} == {n: bits.sum() for n, bits in own.items()}


def test_margins_flip_what_nearly_was_otherwise(stored: Path) -> None:
    context, _ = contexts.of(stored)
    for task in tasks_of(context, "margin"):
        member = context.archive.member(task.members[0])
        own, scores = member.mask(), member.scores()
        distances = {}
        for name, bits in own.items():
            key = np.abs(scores[name]).astype(float)
            assert key[bits].min() >= key[~bits].max()
            distances[name] = np.abs(key - (key[bits].min() + key[~bits].max()) / 2) / np.std(key)
        for mask in masks_of(context, task):
            change = differing(own, mask)
            inside = [distances[name][change[name]] for name in own]
            outside = [distances[name][~change[name]] for name in own]
            assert np.concatenate(inside).max() <= np.concatenate(outside).min()
    assert {task.members[0][:-5] for task in tasks_of(context, "margin")} == {f"{n}-d0.4" for n in NAMES[:2]}


def test_signed_ranks_have_margins_of_their_own(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    train(tiny({"pruner": "edge-popup", "members": 1, "rank": "signed"}), tmp_path)
    context, _ = contexts.of(tmp_path)
    member = context.archive.member("edge-popup-d0.5/0000")
    own, scores = member.mask(), member.scores()
    (task,) = tasks_of(context, "margin")
    change = differing(own, masks_of(context, task)[2])
    assert count(change) == 5
    for name, bits in own.items():
        nearest = np.abs(scores[name] - (scores[name][bits].min() + scores[name][~bits].max()) / 2)
        assert (nearest[change[name]] <= np.partition(nearest.ravel(), 5)[5]).all()


def test_the_gates_rule_is_applied_to_the_flipped_mask(stored: Path) -> None:
    context, _ = contexts.of(stored)
    task = next(t for t in tasks_of(context, "random") if t.members[0].startswith("biprop"))
    base, state = context.archive.member(task.members[0]).weights(), task.build(range(task.networks))
    for at, mask in enumerate(masks_of(context, task)):
        for name, kept in mask.items():
            gain = np.abs(base[name])[kept].mean()
            expected = np.where(kept, gain * np.sign(base[name]), 0)
            np.testing.assert_allclose(state[f"{name}.weight"][at].numpy(), expected, rtol=1e-5)


def test_networks_built_apart_are_those_built_together(stored: Path) -> None:
    context, _ = contexts.of(stored)
    for task in neighbourhood.plan(context, 0):
        whole = task.build(range(task.networks))
        for some in ([task.networks - 1], [0, 2]):
            for name, values in task.build(some).items():
                assert values.equal(whole[name][some])


def test_rows_say_what_the_networks_answered(measured: Measured) -> None:
    context, tasks, outcomes, rows = measured
    labels = context.images.labels["test"]

    def accuracy(key: str, at: int) -> float:
        return float((outcomes[key].classes["test"][at] == labels).mean())

    masks = [masks_of(context, task) for task in tasks]
    places: dict[tuple[str, str], int] = {}
    for row in rows:
        of = (row["population"], row["kind"])
        at = places[of] = places.get(of, -1) + 1
        ids = context.members[row["population"]]
        assert row["members"] == len(ids) == 3
        after = [accuracy(f"neighbourhood/{row['kind']}/{own}", at) for own in ids]
        drops = [accuracy(own_key(own), 0) - value for own, value in zip(ids, after, strict=True)]
        assert row["accuracy"]["value"] == pytest.approx(np.mean(after))
        assert row["drop"]["value"] == pytest.approx(np.mean(drops), abs=1e-12)
        assert row["drop_per_flip"]["value"] == pytest.approx(np.mean(drops) / row["flips"], abs=1e-12)
        if len(set(drops)) > 1:
            expected = estimates.mean_over_members(drops, 1, limits=(-1.0, 1.0))
            assert row["drop"]["high"] == pytest.approx(expected["high"])
        kept = [
            count(mask[at])
            for task, mask in zip(tasks, masks, strict=True)
            if task.key.split("/")[1] == row["kind"] and task.members[0] in ids
        ]
        assert row["density"] == pytest.approx(np.mean(kept) / 1045)
        size = {"fc1": 960, "fc2": 75, "fc3": 10, "whole": 1045}[row["layer"]]
        assert row["share"] == pytest.approx(row["flips"] / size)
        assert (row["chance"], row["images"], row["split"], row["statistics"]) == (0.5, 32, "test", "none")
    for name in NAMES:
        layers = [r for r in rows if r["kind"] == "layer" and r["population"] == f"{name}-d0.4"]
        assert sorted(row["rank"] for row in layers) == [1, 2, 3]
        drops = [row["drop"]["value"] for row in sorted(layers, key=lambda row: row["rank"])]
        assert drops == sorted(drops, reverse=True)
    assert all(row["rank"] is None for row in rows if row["kind"] != "layer")


def test_plans_keep_their_limit_and_are_nested(stored: Path) -> None:
    context, _ = contexts.of(stored)

    def cost(tasks: list[Task]) -> int:
        return sum(map(context.cost, tasks))

    least, everything = neighbourhood.plan(context, 0), neighbourhood.plan(context, None)
    assert len({task.members[0] for task in least}) == 2 * len(NAMES)
    assert len({task.members[0] for task in everything}) == 3 * len(NAMES)
    blocks = [context.blocks[task.members[0]] for task in least if task.key.split("/")[1] == "swap"]
    assert sorted(blocks) == [0, 0, 0, 1, 1, 1]
    before: set[str] = set()
    for limit in range(0, cost(everything) + 2000, 2000):
        tasks = neighbourhood.plan(context, limit)
        keys = {task.key for task in tasks}
        assert before <= keys and (cost(tasks) <= limit or len(tasks) == len(least))
        before = keys
    assert len(before) == len(everything)
    assert neighbourhood.plan(context, cost(everything) - 1) != everything


def test_what_cannot_be_flipped_is_left_out(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    of = tiny(
        {"pruner": "edge-popup", "members": 1, "density": 1.0},
        {"pruner": "random", "members": 1, "density": 0.1},
        study={"keep_scores": "none"},
    )
    train(of, tmp_path)
    context, evaluator = contexts.of(tmp_path)
    tasks = neighbourhood.plan(context, None)
    rows = neighbourhood.found(context, tasks, contexts.outcomes(context, evaluator, tasks)).rows
    kinds = {(row["population"], row["kind"]) for row in rows["neighbourhood"]}
    assert kinds == {
        ("edge-popup-d1.0", "random"),
        *(("random-d0.1", k) for k in ("random", "swap", "layer")),
    }
    swapped = [row["flips"] for row in rows["neighbourhood"] if row["kind"] == "swap"]
    assert swapped == [2, 4, 10, 20, 52, 104, 208], "105 kept bits do not allow half of 1,045 flips"
    assert all("there is 1" in row["drop"]["why"] for row in rows["neighbourhood"])


SHAPES = st.lists(st.lists(st.booleans(), min_size=1, max_size=12), min_size=1, max_size=4)


@given(SHAPES, st.integers(0, 5))
def test_swaps_come_to_layers_in_proportion(layers: list[list[bool]], seed: int) -> None:
    mask = {str(at): np.array(bits) for at, bits in enumerate(layers)}
    order = flips.swaps(mask, np.random.RandomState(seed))
    possible = [min(sum(bits), len(bits) - sum(bits)) for bits in layers]
    assert len(set(order.tolist())) == len(order) == 2 * sum(possible)
    row, layer = flips.flat(mask), np.repeat(np.arange(len(layers)), [len(bits) for bits in layers])
    for number in range(sum(possible) + 1):
        flipped = order[: 2 * number]
        assert row[flipped[::2]].all() and not row[flipped[1::2]].any()
        taken = []
        for at in range(len(possible)):
            part = layer[flipped] == at
            assert row[flipped][part].sum() * 2 == part.sum()
            taken.append(part.sum() / 2)
        # no layer's last swap comes after another's next one: each has half a swap more or less than its part
        both = [own for own in zip(taken, possible, strict=True) if own[1]]
        last = max(((own - 0.5) / most for own, most in both if own), default=0)
        assert last <= min(((own + 0.5) / most for own, most in both if own < most), default=1) + 1e-12
    after = flips.kept_after(row, order, range(0, len(order) + 1, 2))
    assert after == [int(row.sum())] * (sum(possible) + 1)


@given(SHAPES, st.integers(0, 5))
def test_kept_bits_are_counted_after_any_flips(layers: list[list[bool]], seed: int) -> None:
    row = flips.flat({str(at): np.array(bits) for at, bits in enumerate(layers)})
    order = np.random.RandomState(seed).permutation(len(row))
    for number in range(len(row) + 1):
        after = row.copy()
        after[order[:number]] ^= True
        assert flips.kept_after(row, order, [number]) == [after.sum()]


def test_margins_of_layers_of_one_kind_begin_at_the_edge() -> None:
    keys = {"a": np.array([3.0, 1.0, 2.0]), "b": np.array([0.5, 0.5, 0.5])}
    all_kept = {name: np.ones(3, dtype=bool) for name in keys}
    assert flips.by_margin(all_kept, keys).tolist() == [1, 3, 4, 5, 2, 0]
    none_kept = {name: np.zeros(3, dtype=bool) for name in keys}
    assert flips.by_margin(none_kept, keys).tolist() == [0, 3, 4, 5, 2, 1]


def test_a_threshold_of_the_whole_network_is_one_for_all_layers() -> None:
    """Far apart in scale: of each layer by itself its own middle would come first."""
    keys = {"a": np.array([0.1, 0.2, 0.3]), "b": np.array([10.0, 5.0, 1.0, 8.0])}
    mask = {name: key > 4 for name, key in keys.items()}
    order = flips.by_margin(mask, keys, whole=True)
    whole = np.concatenate(list(keys.values()))
    assert order.tolist() == sorted(range(7), key=lambda at: abs(whole[at] - (5 + 1) / 2))
    assert flips.by_margin(mask, keys).tolist() != order.tolist()


def test_margins_follow_the_selection_of_the_recipe(images: Path, tmp_path: Path) -> None:
    populations = [
        {"pruner": "edge-popup", "members": 1, "selection": name, "name": name}
        for name in ("layer", "global")
    ]
    context, _ = contexts.of(contexts.trained(images, tmp_path / "study", populations))
    for kind in ("layer", "global"):
        (member,) = context.members[kind]
        mask = context.archive.member(member).mask()
        scores = {name: np.abs(own.numpy()) for name, own in context.ends.scores(member).items()}
        (task,) = (task for task in neighbourhood.plan(context, 0) if task.key.endswith(f"margin/{member}"))
        state = task.build([2])
        moved = {name: (state[f"{name}.weight"][0] != 0).numpy() != own for name, own in mask.items()}
        kept = np.concatenate([scores[name][own] for name, own in mask.items()])
        pruned = np.concatenate([scores[name][~own] for name, own in mask.items()])
        middle = (kept.min() + pruned.max()) / 2
        distances = {name: np.abs(own - middle) for name, own in scores.items()}
        inside = max(distances[name][own].max(initial=0) for name, own in moved.items())
        outside = min(distances[name][~own].min() for name, own in moved.items())
        assert sum(int(own.sum()) for own in moved.values()) == 5
        assert (inside <= outside) == (kind == "global")
