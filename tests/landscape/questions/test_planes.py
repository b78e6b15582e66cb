"""Planes go through the members at their corners, flip what they say, and are as fine as the limit allows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from masklab.landscape.context import Context, Found
from masklab.landscape.questions import planes
from masklab.landscape.tasks import Outcome, Task, own_key
from tests.conftest import TinyStudy
from tests.landscape import contexts

NAMES = ("edge-popup", "biprop+recycle", "random")
Measured = tuple[Context, list[Task], dict[str, Outcome], Found]


def measure(out: Path, limit: int | None = None, **settings: Any) -> Measured:
    context, evaluator = contexts.of(out, **settings)
    tasks = planes.plan(context, limit)
    outcomes = contexts.outcomes(context, evaluator, tasks)
    return context, tasks, outcomes, planes.found(context, tasks, outcomes)


@pytest.fixture(scope="module")
def stored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    populations = [{"pruner": name, "density": 0.4, "members": 5} for name in NAMES]
    out = tmp_path_factory.mktemp("planes")
    return contexts.trained(images, out, populations, training={"epochs": 3})


@pytest.fixture(scope="module")
def measured(stored: Path) -> Measured:
    return measure(stored)


def flat(mask: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([own.ravel() for own in mask.values()])


def test_corners_are_members(measured: Measured) -> None:
    context, _, outcomes, found = measured
    labels = context.images.labels["test"]
    for row, plane in zip(found.rows["planes"], planes._planes(context), strict=True):
        grid, loss = (found.arrays[f"{row['array']}/{what}"] for what in ("accuracy", "loss"))
        assert [at["id"] for at in row["at"]] == row["members"]
        assert len(row["at"]) == (3 if row["kind"] == "members" else 1)
        places = [(at["x"], at["y"]) for at in row["at"]]
        assert places == [(0, 0), (1, 0), (0, 1)][: len(places)]
        for at in row["at"]:
            x, y = row["x"].index(at["x"]), row["y"].index(at["y"])
            own = outcomes[own_key(at["id"])]
            right = (own.classes["test"][0] == labels).mean()
            assert at["accuracy"] == grid[y, x] == right
            assert loss[y, x] == pytest.approx(own.losses["test"][0].mean())
            state = plane.states([(x, y)])
            for name, values in context.ends.of(at["id"]).state.items():
                assert state[name].equal(values), name
        assert len({context.blocks[member] for member in row["members"]}) == 1
        assert row["block"] == ("within" if row["kind"] == "members" else None)


def test_points_are_what_the_networks_there_answer(measured: Measured, stored: Path) -> None:
    context, _, _, found = measured
    _, evaluator = contexts.of(stored)
    labels = context.images.labels["test"]
    for row in found.rows["planes"]:
        if row["kind"] == "flips":
            continue
        assert row["x"] == row["y"] and len(row["x"]) == 13
        assert (row["x"][0], row["x"][-1]) == (-0.25, 1.25) and {0.0, 1.0} <= set(row["x"])
        a, b, c = (context.ends.of(member).effective for member in row["members"])
        grid, loss = (found.arrays[f"{row['array']}/{what}"] for what in ("accuracy", "loss"))
        for x, y in [(0, 0), (3, 10), (7, 2), (12, 12), (6, 6)]:
            u, v = row["x"][x], row["y"][y]
            state = {f"{n}.weight": (a[n] + u * (b[n] - a[n]) + v * (c[n] - a[n]))[None] for n in a}
            own = evaluator.run([Task("one", 1, lambda _, state=state: state)])[0]
            assert loss[y, x] == pytest.approx(own.losses["test"][0].mean(), rel=1e-4)
            assert abs(grid[y, x] - (own.classes["test"][0] == labels).mean()) <= 1 / 32


def test_flips_go_in_two_disjoint_directions(measured: Measured) -> None:
    context, _, _, found = measured
    layers = [layer["name"] for layer in context.archive.study["network"]["layers"]]
    for row in found.rows["planes"]:
        if row["kind"] == "members":
            continue
        ids = context.members[row["population"]]
        masks = [flat(context.archive.member(member).mask()) for member in ids]
        pairs = [(masks[i] != masks[j]).sum() for i in range(5) for j in range(i)]
        assert row["flips"] == min(int(np.mean(pairs) + 0.5), 1045 // 2)
        assert row["distances"] == {"d": row["flips"] / 1045}
        assert row["x"] == row["y"] == [pytest.approx(at / 12) for at in range(13)]
        own = masks[ids.index(row["members"][0])]
        plane = next(p for p in planes._planes(context) if f"plane/{p.number}" == row["array"])
        changed = {}
        for x in (0, 1, 5, 12):
            for y in (0, 3, 12):
                state = plane.states([(x, y)])
                mask = np.concatenate([(state[f"{n}.weight"][0] != 0).numpy().ravel() for n in layers])
                changed[x, y] = mask != own
                promised = [int(at / 12 * row["flips"] + 0.5) for at in (x, y)]
                assert changed[x, y].sum() == sum(promised)
        for (x, y), change in changed.items():
            assert not (changed[x, 0] & changed[0, y]).any()
            np.testing.assert_array_equal(change, changed[x, 0] | changed[0, y])
            assert (changed[12, 0] | ~changed[x, 0]).all() and (changed[0, 12] | ~changed[0, y]).all()


def test_rows_sum_up_their_plane(measured: Measured) -> None:
    context, _, _, found = measured
    assert [(row["population"], row["kind"]) for row in found.rows["planes"]] == [
        (f"{name}-d0.4", kind) for name in NAMES for kind in ("members", "flips")
    ]
    for number, row in enumerate(found.rows["planes"]):
        grid, loss = (found.arrays[f"plane/{number}/{what}"] for what in ("accuracy", "loss"))
        assert row["array"] == f"plane/{number}" and grid.shape == loss.shape == (13, 13)
        assert (row["accuracy_min"], row["accuracy_max"]) == (grid.min(), grid.max())
        assert row["loss_max"] == loss.max()
        assert (row["chance"], row["images"], row["split"], row["statistics"]) == (0.5, 32, "test", "none")
        if row["kind"] == "members":
            a, b, c = (flat(context.archive.member(member).mask()) for member in row["members"])
            expected = {"ab": (a != b).mean(), "ac": (a != c).mean(), "bc": (b != c).mean()}
            assert row["distances"] == pytest.approx(expected) and row["flips"] is None
    assert len(found.arrays) == 2 * len(found.rows["planes"])


def test_states_built_apart_are_those_built_together(measured: Measured) -> None:
    _, tasks, _, _ = measured
    for task in tasks:
        whole = task.build(range(task.networks))
        some = [0, 7, task.networks - 1]
        for name, values in task.build(some).items():
            assert values.equal(whole[name][some])


def test_finer_grids_come_after_all_planes(measured: Measured, stored: Path) -> None:
    context, everything, _, fine = measured

    def cost(tasks: list[Task]) -> int:
        return sum(map(context.cost, tasks))

    assert sum(task.networks for task in everything) == 3 * (169 - 3) + 3 * (169 - 1)
    before, least = set(), planes.plan(context, 0)
    assert [task.key.split("/")[1] for task in least] == ["members", "flips"]
    for limit in range(0, cost(everything) + 4000, 4000):
        tasks = planes.plan(context, limit)
        keys = {task.key for task in tasks}
        assert before <= keys and (cost(tasks) <= limit or tasks == least or keys == {t.key for t in least})
        before = keys
    assert len(before) == len(everything) == 12
    _, _, _, found = measure(stored, cost(everything[:7]))
    sizes = [len(row["x"]) for row in found.rows["planes"]]
    assert sizes == [13, 7, 7, 7, 7, 7]
    for row in found.rows["planes"]:
        coarse, step = found.arrays[f"{row['array']}/accuracy"], 12 // (len(row["x"]) - 1)
        np.testing.assert_array_equal(coarse, fine.arrays[f"{row['array']}/accuracy"][::step, ::step])
        assert {0.0, 1.0} <= set(row["x"])


def test_few_members_span_no_plane(tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path) -> None:
    train(tiny({"pruner": "random", "members": 1}, {"pruner": "edge-popup", "density": 1.0}), tmp_path)
    _, tasks, _, found = measure(tmp_path)
    (row,) = found.rows["planes"]
    assert (row["population"], row["kind"], row["flips"]) == ("edge-popup-d1.0", "flips", 1)
    assert len(tasks) == 2
    empty, _ = contexts.of(tmp_path)
    empty.members["edge-popup-d1.0"].clear()
    assert planes.plan(empty, 0) == planes.plan(empty, None) == []
    assert planes.found(empty, [], {}).rows == {"planes": []}


def test_members_of_several_draws_span_a_plane_where_none_has_three(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    populations = [{"pruner": "random", "members": 4}, {"pruner": "magnitude", "members": 5}]
    train(tiny(*populations, seeds={"weights": 2}), tmp_path)
    context, _, _, found = measure(tmp_path)
    blocks = {}
    for row in found.rows["planes"]:
        assert len(row["members"]) == (3 if row["kind"] == "members" else 1)
        draws = {context.archive.members.loc[member, "block"] for member in row["members"]}
        blocks[row["population"], row["kind"]] = (row["block"], len(draws))
    assert blocks == {  # two of each draw in the one; three of the first in the other
        ("random-d0.5", "members"): ("across", 2),
        ("random-d0.5", "flips"): (None, 1),
        ("magnitude-d0.5", "members"): ("within", 1),
        ("magnitude-d0.5", "flips"): (None, 1),
    }


def test_running_variances_never_become_negative(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    network = {"name": "tests.networks.samples:plain", "width": 1.0, "batchnorm": "learned"}
    of = tiny({"pruner": "edge-popup", "members": 3}, seeds={"weights": 1}, network=network)
    train(of, tmp_path, engine="loop")
    context, _, _, found = measure(tmp_path, 0, batchnorm_statistics="keep")
    assert found.rows["planes"][0]["statistics"] == "keep"
    plane = planes._planes(context)[0]
    ends = [context.ends.of(member).around for member in plane.members]
    (name,) = [name for name in ends[0] if name.endswith("running_var")]
    ends[0][name].zero_()  # as far from the others as can be
    state = plane.states([(0, 0), (6, 6), (12, 12)])
    assert state[name].min() == 0 and all(np.isfinite(own).all() for own in found.arrays.values())
    shares = ((1.5, -0.25, -0.25), (0.0, 0.5, 0.5), (-1.5, 1.25, 1.25))
    for at, share in enumerate(shares):
        for own, values in ends[0].items():
            expected = sum(s * end[own] for s, end in zip(share, ends, strict=True))
            if own == name:
                expected = torch.as_tensor(expected).clamp(min=0)
            if values.is_floating_point():
                torch.testing.assert_close(state[own][at], torch.as_tensor(expected))
