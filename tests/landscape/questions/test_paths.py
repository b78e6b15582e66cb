"""Barriers between members: which pairs are walked, and what rows say, against loops over images."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from masklab.errors import ConfigError
from masklab.landscape import paths as walking
from masklab.landscape.context import Context, Row
from masklab.landscape.images import SPLITS
from masklab.landscape.questions import paths
from masklab.landscape.tasks import Outcome, Task, own_key
from tests.landscape import contexts
from tests.landscape.questions.planting import excess, measured, planted

POINTS = 5


def softmax(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """One linear layer."""
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(input_shape)), classes, bias=False))


@pytest.fixture(scope="module")
def stored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("paths") / "study"
    return contexts.trained(
        images, out, [{"pruner": name} for name in ("edge-popup", "biprop+recycle", "random")]
    )


@pytest.fixture(scope="module")
def context(stored: Path) -> Context:
    return contexts.of(stored, interpolation_points=POINTS, interpolation_pairs=4)[0]


def walked(tasks: list[Task]) -> dict[tuple[str, str, str], set[tuple[str, str]]]:
    """(path, population, population) → pairs, from keys."""
    found: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    for task in tasks:
        _, name, _, first, at, second, other = task.key.split("/")
        found.setdefault((name, first, second), set()).add((f"{first}/{at}", f"{second}/{other}"))
    return found


def test_every_limit_has_the_tasks_of_smaller_ones(context: Context) -> None:
    everything = paths.plan(context, None)
    whole = sum(map(context.cost, everything))
    keys = [task.key for task in everything]
    assert len(set(keys)) == len(keys)
    least = paths.plan(context, 0)
    assert {key for key in walked(least) if key[0] != "linear"} == {
        key for key in walked(everything) if key[0] != "linear" and key[1] == key[2]
    }
    assert {key for key in walked(least) if key[0] == "linear"} == {
        key for key in walked(everything) if key[0] == "linear"
    }
    before = [task.key for task in least]
    spent = []
    for share in np.linspace(0.02, 1, 25):
        tasks = paths.plan(context, int(share * whole))
        cost = sum(map(context.cost, tasks))
        assert cost <= share * whole or [task.key for task in tasks] == [task.key for task in least]
        assert [task.key for task in tasks][: len(before)] == before
        before = [task.key for task in tasks]
        spent.append(cost)
    assert before == keys
    assert len(set(spent)) > 10  # it grows pair by pair


def test_other_paths_cross_populations_only_with_enough_pairs_for_all(context: Context) -> None:
    everything = paths.plan(context, None)
    full = {key: own for key, own in walked(everything).items() if key[0] != "linear" and key[1] != key[2]}
    assert full
    whole, seen = sum(map(context.cost, everything)), set()
    for share in np.linspace(0.05, 1, 25):
        now = walked(paths.plan(context, int(share * whole)))
        across = {key: own for key, own in now.items() if key in full}
        seen.add(bool(across))
        if across:
            assert across.keys() == full.keys()
            assert all(len(own) >= min(paths.TOGETHER, len(full[key])) for key, own in across.items())
            leading = {key: own for key, own in walked(everything).items() if key not in full}
            assert all(now[key] == own for key, own in leading.items())
    assert seen == {True, False}


def test_paths_of_a_cell_take_the_same_pairs(context: Context) -> None:
    found = walked(paths.plan(context, None))
    (name,) = {key[1] for key in found if key[1].startswith("edge-popup")}
    within = [own for (_, a, b), own in found.items() if a == b == name]
    assert len(within) == len(walking.all_paths())
    assert all(own == within[0] for own in within)


def test_rows_are_what_loops_over_images_find(context: Context) -> None:
    tasks = paths.plan(context, None)
    outcomes = planted(tasks, context)
    found = paths.found(context, tasks, outcomes)
    json.dumps(found.rows, allow_nan=False)
    rows, points = found.rows["landscape"], found.tables["interpolation"]
    assert len(rows) == len({tuple(row[key] for key in ("a", "b", "path", "seed", "split")) for row in rows})
    assert {row["split"] for row in rows} == set(SPLITS)
    for row in rows:
        own = [point for point in points if all(point[key] == row[key] for key in KEY)]
        assert len(own) == row["pairs"] * row["orders"] * POINTS
        assert row["orders"] == (2 if walking.all_paths()[row["path"]].RANDOM else 1)
        check(row, own, outcomes, context)
        walks = [walk for walk in found.tables["barriers"] if all(walk[key] == row[key] for key in KEY)]
        check_walks(row, own, walks, context)
    json.dumps(found.tables, allow_nan=False)
    assert sum(row["pairs"] * row["orders"] for row in rows) == len(found.tables["barriers"])


KEY = ("a", "b", "path", "block", "seed", "split")


def check(row: Row, points: list[Row], outcomes: Mapping[str, Outcome], context: Context) -> None:
    """A row against its points, and these against the outcomes."""
    split, pairs = row["split"], list(dict.fromkeys((p["member_a"], p["member_b"]) for p in points))
    assert len(pairs) == row["pairs"] <= row["of_pairs"]
    truth = context.images.labels[split]
    heights: dict[str, list[list[float]]] = {"error": [], "loss": []}
    errors = []
    for pair in pairs:
        for kind in heights.values():
            kind.append([])
        for order in range(row["orders"]):
            between = outcomes[f"path/{row['path']}/{order}/{pair[0]}/{pair[1]}"]
            first, last = (outcomes[own_key(member)] for member in pair)
            error, loss = (
                [
                    measured(first, split, what, 0),
                    *(measured(between, split, what, at) for at in range(POINTS - 2)),
                    measured(last, split, what, 0),
                ]
                for what in heights
            )
            of_walk = [p for p in points if (p["member_a"], p["member_b"]) == pair and p["order"] == order]
            assert [p["t"] for p in of_walk] == [0.0, 0.25, 0.5, 0.75, 1.0]
            assert [1 - p["accuracy"] for p in of_walk] == pytest.approx(error)
            assert [p["loss"] for p in of_walk] == pytest.approx(loss)
            heights["error"][-1].append(excess(error))
            heights["loss"][-1].append(excess(loss))
            errors.append(error)
    per_pair = {name: [float(np.mean(own)) for own in found] for name, found in heights.items()}
    for name, values in per_pair.items():
        assert row["barrier"][f"entezari_{name}"]["value"] == pytest.approx(np.mean(values))
        over = row["over_images"][f"entezari_{name}"]
        assert over["corrected"] + over["bias"] == pytest.approx(np.mean(values))
        assert over["low"] <= over["high"]
    frankle = [max(error) - (error[0] + error[-1]) / 2 for error in errors]
    assert row["barrier"]["frankle_error"]["value"] == pytest.approx(np.mean(frankle))
    connected = [height < 0.02 for height in per_pair["error"]]
    assert row["connected"]["value"] == pytest.approx(np.mean(connected))
    assert row["accuracy"]["mean"] == pytest.approx((1 - np.mean(errors, axis=0)).tolist())
    assert row["accuracy"]["low"] == pytest.approx((1 - np.max(errors, axis=0)).tolist())
    assert row["accuracy"]["high"] == pytest.approx((1 - np.min(errors, axis=0)).tolist())
    assert (row["images"], row["points"]) == (len(truth), [0.0, 0.25, 0.5, 0.75, 1.0])
    assert row["chance"] == max(np.mean(truth == 0), np.mean(truth == 1))


HEIGHTS = ("entezari_error", "entezari_loss", "frankle_error", "frankle_loss")


def check_walks(row: Row, points: list[Row], walks: list[Row], context: Context) -> None:
    """Barriers of walks against their points, and what the row says of their spread over pairs."""
    over: dict[str, dict[tuple[str, str], list[float]]] = {name: {} for name in HEIGHTS}
    for walk in walks:
        pair, place = (walk["member_a"], walk["member_b"]), ("member_a", "member_b", "order")
        assert walk["rule"] == walking.all_paths()[row["path"]].rule(context.ends, *pair)
        own = [point for point in points if all(point[key] == walk[key] for key in place)]
        error, loss = [1 - point["accuracy"] for point in own], [point["loss"] for point in own]
        assert walk["entezari_error"] == pytest.approx(excess(error))
        assert walk["entezari_loss"] == pytest.approx(excess(loss))
        assert walk["frankle_error"] == pytest.approx(max(error) - (error[0] + error[-1]) / 2)
        assert walk["frankle_loss"] == pytest.approx(max(loss) - (loss[0] + loss[-1]) / 2)
        for name, pairs in over.items():
            pairs.setdefault(pair, []).append(walk[name])
    for name, pairs in over.items():
        means = sorted(sum(own) / row["orders"] for own in pairs.values())
        middle = (means[(len(means) - 1) // 2] + means[len(means) // 2]) / 2
        assert len(means) == row["pairs"]
        assert row["over_pairs"][name] == pytest.approx({"min": means[0], "median": middle, "max": means[-1]})


def test_planted_barrier(context: Context) -> None:
    """Every network is right everywhere, but for the middles of paths, which miss a quarter of the images."""
    tasks = paths.plan(context, 0)
    labels = dict(context.images.labels)
    flat = {split: np.full((1, len(own)), 0.5, dtype=np.float32) for split, own in labels.items()}
    outcomes = {}
    for key, networks in [(t.key, t.networks) for t in tasks] + [
        (own_key(m), 1) for t in tasks for m in t.members
    ]:
        classes = {split: np.repeat(own[None], networks, axis=0) for split, own in labels.items()}
        if networks == POINTS - 2:
            for split, own in labels.items():
                classes[split][1, : len(own) // 4] ^= 1
        outcomes[key] = Outcome(
            classes, {split: np.repeat(own, networks, axis=0) for split, own in flat.items()}, labels
        )
    for row in paths.found(context, tasks, outcomes).rows["landscape"]:
        assert row["barrier"]["entezari_error"]["value"] == pytest.approx(0.25)
        assert row["barrier"]["frankle_error"]["value"] == pytest.approx(0.25)
        assert row["barrier"]["entezari_loss"]["value"] == pytest.approx(0)
        assert (row["connected"]["value"], row["threshold"]) == (0.0, 0.02)
        assert row["over_images"]["entezari_error"]["bias"] == pytest.approx(0, abs=0.02)  # a clear peak
        assert row["over_images"]["entezari_loss"]["high"] == pytest.approx(0, abs=1e-6)


def test_walks_lie_between_the_members(stored: Path) -> None:
    context, evaluator = contexts.of(stored, interpolation_points=POINTS, interpolation_pairs=1)
    tasks = paths.plan(context, 0)
    outcomes = contexts.outcomes(context, evaluator, tasks)
    found = paths.found(context, tasks, outcomes)
    for point in found.tables["interpolation"]:
        if point["t"] in (0.0, 1.0):
            own = outcomes[own_key(point["member_a" if point["t"] == 0 else "member_b"])]
            assert point["accuracy"] == pytest.approx(own.accuracy(point["split"])[0])
            assert point["loss"] == pytest.approx(own.loss(point["split"])[0])
    rules = {(row["path"], row["rule"]) for row in found.rows["landscape"] if row["a"] == row["b"]}
    assert {("linear", "weights"), ("geodesic", "mask"), ("geodesic", "effective")} <= rules
    for task in tasks[::7]:
        apart = [task.build([at]) for at in range(task.networks)]
        for name, values in task.build(range(task.networks)).items():
            assert all((own[name][0] == values[at]).all() for at, own in enumerate(apart))


def test_softmax_regression_has_no_loss_barrier_on_a_straight_line(images: Path, tmp_path: Path) -> None:
    name = f"{__name__}:softmax"
    populations = [{"pruner": "edge-popup"}, {"pruner": "biprop+iterand", "density": 0.3}]
    contexts.trained(images, tmp_path / "study", populations, network={"name": name, "width": 1.0})
    context, evaluator = contexts.of(
        tmp_path / "study", paths=["linear"], interpolation_points=7, interpolation_pairs=3
    )
    tasks = paths.plan(context, None)
    found = paths.found(context, tasks, contexts.outcomes(context, evaluator, tasks))
    rows = found.rows["landscape"]
    assert {(row["a"] == row["b"], row["split"]) for row in rows} == {
        (same, split) for same in (True, False) for split in SPLITS
    }
    curves: dict[tuple[str, ...], list[float]] = {}
    for point in found.tables["interpolation"]:
        key = (point["split"], point["member_a"], point["member_b"])
        curves.setdefault(key, []).append(point["loss"])
    assert len(curves) > 10
    for curve in curves.values():
        assert -1e-6 <= excess(curve) <= 1e-6
        assert max(curve) - min(curve) > 1e-3  # not all equal
    for row in rows:
        assert -1e-6 <= row["barrier"]["entezari_loss"]["value"] <= 1e-6


def test_a_named_path_that_no_pair_allows_is_refused(images: Path, tmp_path: Path) -> None:
    kept = partial(contexts.trained, images, tmp_path / "study", seeds={"weights": 1})
    kept([{"pruner": "edge-popup", "members": 3}], study={"keep_scores": "none"})
    context, _ = contexts.of(tmp_path / "study", paths=["linear", "scores"])
    with pytest.raises(ConfigError, match=r"^path 'scores': .+") as caught:
        paths.plan(context, 0)
    assert "\n" not in str(caught.value)
    context, _ = contexts.of(tmp_path / "study")
    assert {key[0] for key in walked(paths.plan(context, None))} == set(walking.all_paths()) - {
        "scores",
        "ranked",
    }
    kept([{"pruner": "edge-popup", "members": 6}])  # the three that are new have theirs
    context, _ = contexts.of(tmp_path / "study", paths=["linear", "scores"])
    tasks = paths.plan(context, None)
    (linear, scores) = walked(tasks).values()
    assert len(linear) == 6
    assert scores == {
        (f"edge-popup-d0.5/000{a}", f"edge-popup-d0.5/000{b}") for a, b in ((3, 4), (3, 5), (4, 5))
    }
    of_pairs = {row["path"]: row["of_pairs"] for row in rows_of(context, tasks)}
    assert of_pairs == {"linear": 15, "scores": 3}


def rows_of(context: Context, tasks: list[Task]) -> list[Row]:
    return paths.found(context, tasks, planted(tasks, context)).rows["landscape"]


def test_a_path_possible_within_no_population_crosses_them(images: Path, tmp_path: Path) -> None:
    populations = [{"pruner": name, "members": 1} for name in ("edge-popup", "biprop")]
    contexts.trained(images, tmp_path / "study", populations)
    context, _ = contexts.of(tmp_path / "study", interpolation_points=POINTS)
    assert {"linear", "geodesic"} <= {key[0] for key in walked(paths.plan(context, 0))}
    row = next(row for row in rows_of(context, paths.plan(context, 0)) if row["path"] == "linear")
    assert (row["seed"], row["pairs"], row["barrier"]["entezari_error"]["low"]) == ("same", 1, None)


def test_one_member_has_nothing_to_walk_to(images: Path, tmp_path: Path) -> None:
    contexts.trained(images, tmp_path / "study", [{"pruner": "edge-popup", "members": 1}])
    context, _ = contexts.of(tmp_path / "study", paths=["scores"])
    assert paths.plan(context, None) == []
    found = paths.found(context, [], {})
    assert (found.rows, found.tables) == ({"landscape": []}, {"interpolation": [], "barriers": []})


def test_infinite_losses_leave_the_errors(context: Context) -> None:
    tasks = paths.plan(context, 0)
    outcomes = planted(tasks, context)
    for task in tasks:
        outcomes[task.key].losses["test"][1, 0] = np.inf
    rows = paths.found(context, tasks, outcomes).rows["landscape"]
    json.dumps(rows, allow_nan=False)
    for row in rows:
        loss = row["barrier"]["entezari_loss"]
        assert (loss["value"] is None) == (row["split"] == "test")
        assert (row["over_pairs"]["entezari_loss"]["max"] is None) == (row["split"] == "test")
        assert row["over_pairs"]["entezari_error"]["max"] is not None
        assert row["barrier"]["entezari_error"]["value"] is not None
        assert (row["loss"]["mean"][2] is None) == (row["split"] == "test")


def test_a_study_is_looked_through_once(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, _ = contexts.of(stored, interpolation_points=POINTS, interpolation_pairs=4)
    archive, opened, asked = context.archive, [], []
    member, why_not = archive.member, walking.all_paths()["scores"].why_not
    monkeypatch.setattr(archive, "member", lambda own: opened.append(own) or member(own))
    scores = walking.all_paths()["scores"]
    monkeypatch.setattr(scores, "why_not", lambda ends, a, b: asked.append((a, b)) or why_not(ends, a, b))
    tasks = paths.plan(context, None)
    looked_at = len(asked)
    assert looked_at and len(set(asked)) == looked_at
    outcomes = planted(tasks, context)
    paths.plan(context, 0)
    paths.found(context, tasks, outcomes)
    assert len(asked) == looked_at
    assert sorted(opened) == sorted(context.blocks)
    other, _ = contexts.of(stored, interpolation_points=POINTS, interpolation_pairs=4)
    paths.plan(other, 0)
    assert len(asked) == 2 * looked_at
