"""One forward pass for all: members answer as their files say, statistics are re-estimated as stated."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from masklab.landscape.tasks import Task, pieces
from masklab.training import evaluation, rebuild
from tests.landscape import contexts


@pytest.fixture(scope="module")
def stored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("edge-popup", "biprop+recycle", "biprop+iterand", "random")
    populations = [{"pruner": name, "members": 3} for name in names]
    return contexts.trained(images, tmp_path_factory.mktemp("evaluator") / "plain", populations)


@pytest.fixture(scope="module")
def normed(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with running statistics and learned batch normalisation."""
    populations = [{"pruner": name, "members": 2} for name in ("edge-popup", "random")]
    network = {"name": "resnet18", "width": 0.05, "batchnorm": "learned"}
    out = tmp_path_factory.mktemp("evaluator") / "normed"
    return contexts.trained(images, out, populations, network=network, training={"epochs": 2})


def test_members_answer_as_their_files_say(stored: Path) -> None:
    context, evaluator = contexts.of(stored)
    assert evaluator.engine == "vmap" and context.statistics == "none"
    for own in context.blocks:
        outcome = evaluator.run([contexts.own(context, own)])[0]
        member = context.archive.member(own)
        np.testing.assert_array_equal(outcome.classes["test"][0], member.prediction())
        labels = context.images.labels["test"]
        probability = member.probability().astype(float)[np.arange(len(labels)), labels]
        np.testing.assert_allclose(outcome.losses["test"][0], -np.log(probability), rtol=5e-3, atol=1e-3)
        assert outcome.accuracy("test")[0] == pytest.approx(member.facts["accuracy"]["test"])


@pytest.mark.parametrize("at_once", [1, 2, 5, 66])
def test_outcomes_do_not_depend_on_how_networks_are_divided(stored: Path, at_once: int) -> None:
    context, evaluator = contexts.of(stored)
    ids = list(context.blocks)

    def build(positions: Any) -> dict[str, torch.Tensor]:
        states = [context.ends.of(ids[at]).state for at in positions]
        return {name: torch.cat([state[name] for state in states]) for name in states[0]}

    tasks = [Task("all", len(ids), build), Task("one", 1, lambda _: build([4])), Task("two", 2, build)]
    evaluator.at_once = at_once
    found = evaluator.run(tasks)
    assert [len(outcome.classes["train"]) for outcome in found] == [len(ids), 1, 2]
    for at, own in enumerate(ids):
        expected = context.archive.member(own).prediction()
        np.testing.assert_array_equal(found[0].classes["test"][at], expected)
    np.testing.assert_array_equal(found[1].classes["train"][0], found[0].classes["train"][4])
    np.testing.assert_allclose(found[2].losses["train"], found[0].losses["train"][:2], rtol=1e-5, atol=1e-6)


def test_stored_statistics_give_stored_predictions(normed: Path) -> None:
    context, evaluator = contexts.of(normed)
    assert context.statistics == "re-estimate" and evaluator.buffers
    for own in context.blocks:
        member = context.archive.member(own)
        state = context.ends.of(own).state
        logits = evaluator.logits(state, context.images.pixels["test"])[0]
        best = logits.sort(dim=1, descending=True).values
        clear = (best[:, 0] - best[:, 1] > 1e-3).numpy()
        outcome = evaluator.run([contexts.own(context, own, stored=True)])[0]
        np.testing.assert_array_equal(outcome.classes["test"][0][clear], member.prediction()[clear])
        assert clear.mean() > 0.9


def test_reestimated_statistics_are_means_over_the_batches(normed: Path) -> None:
    """An oracle that looks at what each normalisation of the plain rebuilt network is given."""
    context, evaluator = contexts.of(normed, batchnorm_batches=2)
    own = next(iter(context.blocks))
    plain = rebuild.network(context.archive.member(own)).network
    names = {part: name for name, part in plain.named_modules()}
    seen: dict[str, list[torch.Tensor]] = {}

    def look(norm: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        flat = inputs[0].transpose(0, 1).flatten(1)
        for kind, values in (("mean", flat.mean(1)), ("var", flat.var(1, correction=1))):
            seen.setdefault(f"{names[norm]}.running_{kind}", []).append(values)

    for norm in evaluation.normalising(plain):
        norm.register_forward_pre_hook(look)
        norm.train()
    with torch.no_grad():
        for batch in context.images.statistics:
            plain(batch)
    found = evaluator.with_statistics(context.ends.of(own).state)
    assert set(seen) == set(evaluator.buffers)
    for name, values in seen.items():
        torch.testing.assert_close(found[name][0], torch.stack(values).mean(0), rtol=1e-4, atol=1e-5)
    assert not any(norm.training for norm in evaluation.normalising(evaluator.network))


def test_reestimation_restores_what_was_lost(normed: Path) -> None:
    """Wrong statistics lead to the same answers as right ones: nothing of them is left."""
    context, evaluator = contexts.of(normed, batchnorm_batches=4)
    own = next(iter(context.blocks))

    def spoiled(_: Any) -> dict[str, torch.Tensor]:
        state = context.ends.of(own).state
        return {n: values * 7 + 3 if n in evaluator.buffers else values for n, values in state.items()}

    right, wrong = evaluator.run([contexts.own(context, own), Task("spoiled", 1, spoiled)])
    np.testing.assert_array_equal(right.classes["test"], wrong.classes["test"])
    np.testing.assert_allclose(right.losses["test"], wrong.losses["test"], rtol=1e-5)
    kept = evaluator.run([Task("spoiled", 1, spoiled, stored=True)])[0]
    assert np.abs(kept.losses["test"] - right.losses["test"]).max() > 0.01


def test_keep_leaves_statistics_alone(normed: Path) -> None:
    context, evaluator = contexts.of(normed, batchnorm_statistics="keep")
    assert context.statistics == "keep" and not evaluator.reestimates and not context.images.statistics
    own = next(iter(context.blocks))
    once, again = (evaluator.run([contexts.own(context, own, stored=s)])[0] for s in (False, True))
    np.testing.assert_array_equal(once.losses["test"], again.losses["test"])


def test_cost_counts_the_images_of_the_statistics(normed: Path) -> None:
    context, evaluator = contexts.of(normed, batchnorm_batches=2)
    own = next(iter(context.blocks))
    assert context.cost(contexts.own(context, own)) == 32 + 16 + 2 * 16
    assert context.cost(contexts.own(context, own, stored=True)) == 32 + 16
    assert evaluator.cost(Task("x", 5, lambda _: {}, splits=("test",), stored=True)) == 5 * 32


def test_images_are_a_stratified_sample_and_fewer_are_part_of_it(stored: Path) -> None:
    context, _ = contexts.of(stored, landscape_images=20)
    images = context.images
    assert (images.number("test"), images.number("train")) == (20, 10)
    assert [int((images.labels["test"] == label).sum()) for label in (0, 1)] == [10, 10]
    fewer = images.fewer(0.5, 4)
    assert (fewer.number("test"), fewer.number("train")) == (10, 5)
    assert set(fewer.chosen["test"]) < set(images.chosen["test"])
    at = np.searchsorted(images.chosen["test"], fewer.chosen["test"])
    torch.testing.assert_close(fewer.pixels["test"], images.pixels["test"][torch.from_numpy(at)])
    assert images.fewer(0.0, 7).number("train") == 7


def test_pieces_never_divide_a_task_nor_mix_treatments() -> None:
    def task(key: str, networks: int, **rest: Any) -> Task:
        return Task(key, networks, lambda _: {}, **rest)

    tasks = [
        task("a", 3),
        task("b", 9),
        task("c", 2),
        task("d", 2, stored=True),
        task("e", 2, splits=("test",)),
    ]
    found = pieces(tasks, 5)
    assert [[own.key for own in group] for group in found] == [["a"], ["b"], ["c"], ["d"], ["e"]]
    assert [[own.key for own in group] for group in pieces(tasks, 100)] == [["a", "b", "c"], ["d"], ["e"]]
