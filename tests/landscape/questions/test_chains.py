"""Barriers between the masks of one training, against loops, and against networks built by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from masklab.landscape import paths as walking
from masklab.landscape.context import Context
from masklab.landscape.images import SPLITS
from masklab.landscape.questions import chains
from masklab.landscape.tasks import Outcome, Task, own_key
from tests.landscape import contexts
from tests.landscape.questions.planting import excess, measured, planted

POINTS, EPOCHS = 5, 4
NAMES = ("edge-popup", "biprop", "biprop+recycle", "magnitude", "random")


def study_of(images: Path, out: Path, members: int, snapshots: list[int]) -> Path:
    populations = [{"pruner": name, "members": members} for name in NAMES]
    return contexts.trained(images, out, populations, study={"snapshots": snapshots})


@pytest.fixture(scope="module")
def stored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("chains") / "study"
    study_of(images, out, 3, [0, 1, 3, 4])
    return study_of(images, out, 4, [1, 3])  # the fourth has fewer snapshots


@pytest.fixture(scope="module")
def context(stored: Path) -> Context:
    return contexts.of(stored, interpolation_points=POINTS)[0]


def populations(tasks: list[Task]) -> dict[str, set[str]]:
    """Population → members with walks."""
    found: dict[str, set[str]] = {}
    for task in tasks:
        kind, *_, population, index = task.key.split("/")
        if kind == "chain":
            found.setdefault(population, set()).add(f"{population}/{index}")
    return found


def test_members_with_snapshots_and_their_first_weights_have_chains(context: Context) -> None:
    tasks = chains.plan(context, None)
    found = populations(tasks)
    assert {name: len(own) for name, own in found.items()} == {"edge-popup-d0.5": 4, "biprop-d0.5": 4}
    by_key = {task.key: task for task in tasks}
    assert len(by_key) == len(tasks) == 8 * 3
    for member in (member for own in found.values() for member in own):
        links = 2 if member.endswith("3") else 3  # 1, 3, end; 0, 1, 3, end
        assert by_key[f"snapshots/{member}"].networks == links
        for name in chains.PATHS:
            assert by_key[f"chain/{name}/{member}"].networks == links * (POINTS - 2)
            assert by_key[f"chain/{name}/{member}"].members == (member,)


def test_limits_are_kept_with_nested_members(context: Context) -> None:
    everything = chains.plan(context, None)
    least = [task.key for task in chains.plan(context, 0)]
    assert {name: len(own) for name, own in populations(chains.plan(context, 0)).items()} == {
        "edge-popup-d0.5": 1,
        "biprop-d0.5": 1,
    }
    whole, before = sum(map(context.cost, everything)), least
    for share in np.linspace(0.1, 1, 15):
        tasks = chains.plan(context, int(share * whole))
        keys = [task.key for task in tasks]
        assert sum(map(context.cost, tasks)) <= share * whole or keys == least
        assert keys[: len(before)] == before
        before = keys
    assert before == [task.key for task in everything]


def test_only_paths_that_are_asked_for(stored: Path) -> None:
    context, _ = contexts.of(stored, paths=["geodesic", "ranked"])
    assert {task.key.split("/")[1] for task in chains.plan(context, None) if task.key[0] == "c"} == {
        "geodesic"
    }
    context, _ = contexts.of(stored, paths=["ranked"])
    assert chains.plan(context, None) == []
    assert chains.found(context, [], {}).rows == {"chains": []}


def test_no_snapshots_no_chains(images: Path, tmp_path: Path) -> None:
    context, _ = contexts.of(study_of(images, tmp_path / "study", 2, []))
    assert chains.plan(context, None) == []
    context, _ = contexts.of(study_of(images, tmp_path / "end", 1, [EPOCHS]))  # that is the final mask
    assert chains.plan(context, None) == []


@pytest.mark.parametrize("population", ["edge-popup-d0.5", "biprop-d0.5"])
def test_moments_are_the_members_under_their_earlier_masks(context: Context, population: str) -> None:
    member = f"{population}/0001"
    moments, end = chains.Moments(context.ends), context.ends.of(member)
    assert moments.of(member) is end
    early = moments.of(f"{member}@1")
    stored = context.archive.snapshot(member, 1)
    for layer, mask in stored.items():
        assert (early.mask[layer].numpy() == mask).all()
        kept = np.abs(end.base[layer].numpy())[mask].mean(dtype=float)  # Biprop's gain: mean |w| of the kept
        weights = end.base[layer].numpy() * mask
        expected = np.sign(weights) * kept if population.startswith("biprop") else weights
        assert early.effective[layer].numpy() == pytest.approx(expected, rel=1e-5)
    last = moments.of(f"{member}@{EPOCHS}")
    assert all((last.mask[layer] == mask).all() for layer, mask in end.mask.items())
    for layer, weights in end.effective.items():
        torch.testing.assert_close(last.effective[layer], weights)
    assert moments.shares(early.id, member)
    assert not moments.shares("biprop+recycle-d0.5/0000@1", "biprop+recycle-d0.5/0000")


def test_points_lie_between_successive_masks(context: Context) -> None:
    member = "biprop-d0.5/0001"
    by_key = {task.key: task for task in chains.plan(context, None)}
    moments = chains.Moments(context.ends)
    nodes = [moments.of(f"{member}@{epoch}") for epoch in (0, 1, 3)] + [context.ends.of(member)]
    masks = by_key[f"snapshots/{member}"].build(range(3))
    line = by_key[f"chain/linear/{member}"].build(range(9))
    cube = by_key[f"chain/geodesic/{member}"].build(range(9))
    for layer in nodes[0].mask:
        name = f"{layer}.weight"
        for link in range(3):
            first, last = nodes[link].effective[layer], nodes[link + 1].effective[layer]
            assert (masks[name][link] == first).all()
            for at, t in enumerate((0.25, 0.5, 0.75)):
                torch.testing.assert_close(line[name][3 * link + at], (1 - t) * first + t * last)
    for link in range(3):
        differ = {layer: own != nodes[link + 1].mask[layer] for layer, own in nodes[link].mask.items()}
        total = sum(int(own.sum()) for own in differ.values())
        for at, t in enumerate((0.25, 0.5, 0.75)):
            kept = {layer: cube[f"{layer}.weight"][3 * link + at] != 0 for layer in differ}
            moved = sum(int((own != nodes[link].mask[layer]).sum()) for layer, own in kept.items())
            assert moved == int(t * total + 0.5)
    task = by_key[f"chain/geodesic/{member}"]
    for positions in ([0], [2, 3], [1, 5, 8]):
        for name, values in task.build(positions).items():
            assert (values == cube[name][positions]).all()


def test_rows_are_what_loops_find(context: Context) -> None:
    tasks = chains.plan(context, None)
    outcomes = planted(tasks, context)
    rows = chains.found(context, tasks, outcomes).rows["chains"]
    json.dumps(rows, allow_nan=False)
    assert [(row["population"], row["path"], row["split"], row["epoch"], row["to"]) for row in rows] == [
        (population, path, split, *link)
        for population in ("edge-popup-d0.5", "biprop-d0.5")
        for path in ("linear", "geodesic")
        for split in SPLITS
        for link in ((0, 1), (1, 3), (3, 4))
    ]
    for row in rows:
        members = [f"{row['population']}/000{at}" for at in range(4 if row["epoch"] else 3)]
        curves = {"error": [], "loss": []}
        distances = []
        for member in members:
            epochs = [1, 3, 4] if member.endswith("3") else [0, 1, 3, 4]
            link = epochs.index(row["epoch"])
            nodes = [*range(len(epochs) - 1), None]
            for what, own in curves.items():
                own.append(curve(outcomes, row, member, (nodes[link], nodes[link + 1]), link, what))
            first = context.archive.snapshot(member, row["epoch"])
            last = (
                context.archive.mask(member)
                if row["to"] == 4
                else context.archive.snapshot(member, row["to"])
            )
            flips = sum(int((first[layer] != last[layer]).sum()) for layer in first)
            distances.append(flips / sum(mask.size for mask in first.values()))
        assert row["members"] == row["hamming"]["n"] == len(members)
        assert row["hamming"]["value"] == pytest.approx(np.mean(distances))
        assert row["accuracy"]["value"] == pytest.approx(np.mean([1 - own[0] for own in curves["error"]]))
        heights = {what: [excess(one) for one in own] for what, own in curves.items()}
        for what, own in heights.items():
            assert row["barrier"][f"entezari_{what}"]["value"] == pytest.approx(np.mean(own))
        assert row["connected"]["value"] == np.mean([height < 0.02 for height in heights["error"]])


def curve(
    outcomes: dict[str, Outcome],
    row: dict[str, Any],
    member: str,
    nodes: tuple[int | None, int | None],
    link: int,
    what: str,
) -> list[float]:
    """Error or loss from one mask to the next; no number: the final one."""
    first, last = (
        measured(outcomes[own_key(member)], row["split"], what, 0)
        if node is None
        else measured(outcomes[f"snapshots/{member}"], row["split"], what, node)
        for node in nodes
    )
    inner = outcomes[f"chain/{row['path']}/{member}"]
    between = [measured(inner, row["split"], what, at) for at in range(3 * link, 3 * link + 3)]
    return [first, *between, last]


def test_resamples_are_those_of_the_paths_between_members(context: Context) -> None:
    tasks = chains.plan(context, None)
    outcomes = planted(tasks, context)
    for row in chains.found(context, tasks, outcomes).rows["chains"]:
        if row["epoch"] == 0:  # in which the fourth member has no part
            continue
        images = row["images"]
        drawn = context.random("bootstrap", row["split"]).randint(0, images, (200, images))
        for what in ("error", "loss"):
            heights, noise = [], []
            for member in (f"{row['population']}/000{at}" for at in range(4)):
                values = on_images(outcomes, row, member, what)
                found = values[:, drawn].mean(axis=2)  # [points, resamples]
                deviations = found - values.mean(axis=1)[:, None]
                heights.append([excess(one) for one in found.T.tolist()])
                noise.append([excess(one) for one in deviations.T.tolist()])
            means, value = np.mean(heights, axis=0), row["barrier"][f"entezari_{what}"]["value"]
            alone, over = np.mean(noise, axis=0), row["over_images"][f"entezari_{what}"]
            assert over["resamples"] == 200
            assert over["bias"] == pytest.approx(means.mean() - value, abs=1e-5)
            assert over["corrected"] == pytest.approx(value - over["bias"])
            assert over["chance"] == pytest.approx(alone.mean(), abs=1e-5)
            low, high = (max(0, 2 * value - np.quantile(means, tail)) for tail in (0.975, 0.025))
            loudest = np.quantile(alone, 0.975)
            expected = (0, max(high, loudest)) if value <= loudest else (low, high)
            assert (over["low"], over["high"]) == pytest.approx(expected, abs=1e-5)


def on_images(outcomes: dict[str, Outcome], row: dict[str, Any], member: str, what: str) -> np.ndarray:
    """Loss, or whether wrong, of each image at each point of a member's link, [points, images]."""
    epochs = [1, 3, 4] if member.endswith("3") else [0, 1, 3, 4]
    link, split = epochs.index(row["epoch"]), row["split"]

    def of(key: str, at: int) -> np.ndarray:
        outcome = outcomes[key]
        wrong = outcome.classes[split][at] != outcome.labels[split]
        return wrong.astype(float) if what == "error" else outcome.losses[split][at].astype(float)

    last = (own_key(member), 0) if row["to"] == EPOCHS else (f"snapshots/{member}", link + 1)
    inner = [of(f"chain/{row['path']}/{member}", at) for at in range(3 * link, 3 * link + 3)]
    return np.array([of(f"snapshots/{member}", link), *inner, of(*last)])


def test_a_clear_barrier_stands_out_of_the_noise_of_images(context: Context) -> None:
    """Every mask is right everywhere; the middle of each geodesic misses half of the images."""
    tasks = chains.plan(context, None)
    outcomes = planted(tasks, context)
    for key, outcome in outcomes.items():
        for split, labels in outcome.labels.items():
            outcome.classes[split][:], outcome.losses[split][:] = labels, 0.5
            if key.startswith("chain/geodesic"):
                half = len(labels) // 2
                outcome.classes[split][1::3, :half] = 1 - labels[:half]
                outcome.losses[split][1::3, 0] = np.inf
    for row in chains.found(context, tasks, outcomes).rows["chains"]:
        error, loss = (row["over_images"][f"entezari_{what}"] for what in ("error", "loss"))
        if row["path"] == "linear":
            assert {(own["low"], own["high"], own["chance"]) for own in (error, loss)} == {(0, 0, 0)}
            continue
        assert error["chance"] < error["low"] < row["barrier"]["entezari_error"]["value"] < error["high"]
        assert error["bias"] == pytest.approx(0, abs=4 * 0.125 / 200**0.5)  # half of 16 images, 200 times
        assert loss["low"] is loss["high"] is loss["chance"] is None and "not finite" in loss["why"]


def test_a_real_chain_is_measured(stored: Path) -> None:
    context, evaluator = contexts.of(stored, interpolation_points=POINTS)
    tasks = chains.plan(context, 0)
    rows = chains.found(context, tasks, contexts.outcomes(context, evaluator, tasks)).rows["chains"]
    json.dumps(rows, allow_nan=False)
    assert {row["path"] for row in rows} == set(chains.PATHS) <= set(walking.all_paths())
    for row in rows:
        assert 0 < row["hamming"]["value"] < 1
        assert row["barrier"]["entezari_error"]["value"] >= 0
        assert (row["images"], row["statistics"], row["threshold"]) == (
            context.images.number(row["split"]),
            "none",
            0.02,
        )
