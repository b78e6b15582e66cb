"""Recipes: rates, ramps, smoothing, optimisers, snapshots, and what fails late."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD, lr_scheduler

import masklab
from masklab import bits, seeds, weights
from masklab import data as datasets
from masklab.training import counts, engines, optimizer, rebuild, record, state
from tests.conftest import TinyStudy, member_bytes
from tests.training.conftest import Gradients

Train = Callable[..., Any]


def _rates(scheduler: Callable[[SGD], lr_scheduler.LRScheduler], top: float, number: int) -> list[float]:
    """Rate at each of some steps of a torch scheduler."""
    own = SGD([torch.nn.Parameter(torch.zeros(1))], lr=top)
    follow, rates = scheduler(own), []
    for _ in range(number):
        rates.append(own.param_groups[0]["lr"])
        own.step()
        follow.step()
    return rates


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-4, 10), st.integers(1, 30), st.integers(1, 6), st.sampled_from(["cosine", "cosine-step"]))
def test_the_cosine_is_torchs(top: float, epochs: int, steps: int, schedule: str) -> None:
    whole = epochs if schedule == "cosine" else epochs * steps
    expected = _rates(lambda own: lr_scheduler.CosineAnnealingLR(own, whole), top, whole)
    for epoch in range(epochs):
        for step in range(steps):
            got = counts.learning_rate(top, schedule, epoch + step / steps, epochs)
            at = epoch if schedule == "cosine" else epoch * steps + step
            assert got == pytest.approx(expected[at], abs=1e-9 * top)


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-4, 10), st.integers(1, 20), st.integers(1, 20), st.sampled_from(["cosine", "constant"]))
def test_the_warm_up_is_torchs(top: float, warmup: int, rest: int, schedule: str) -> None:
    def scheduler(own: SGD) -> lr_scheduler.LRScheduler:
        up = lr_scheduler.LinearLR(own, start_factor=1 / warmup, total_iters=max(1, warmup - 1))
        down = (
            lr_scheduler.CosineAnnealingLR(own, rest)
            if schedule == "cosine"
            else lr_scheduler.ConstantLR(own, factor=1.0)
        )
        return lr_scheduler.SequentialLR(own, [up, down], milestones=[warmup])

    with torch.no_grad():
        expected = _rates(scheduler, top, warmup + rest)
    got = [counts.learning_rate(top, schedule, e, warmup + rest, warmup) for e in range(warmup + rest)]
    assert got[warmup:] == pytest.approx(expected[warmup:], abs=1e-9 * top)
    assert got[:warmup] == pytest.approx([top * (e + 1) / warmup for e in range(warmup)])
    if warmup > 1:  # torch's own warm-up of one step stays below the top
        assert got[:warmup] == pytest.approx(expected[:warmup])


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-4, 10), st.integers(1, 5), st.integers(1, 5), st.integers(2, 7))
def test_the_warm_up_of_cosine_step_is_torchs(top: float, warmup: int, rest: int, steps: int) -> None:
    """Step by step to the top, which the last step of the warm-up has."""
    whole = warmup * steps

    def scheduler(own: SGD) -> lr_scheduler.LRScheduler:
        up = lr_scheduler.LinearLR(own, start_factor=1 / whole, total_iters=whole - 1)
        down = lr_scheduler.CosineAnnealingLR(own, rest * steps)
        return lr_scheduler.SequentialLR(own, [up, down], milestones=[whole])

    with torch.no_grad():
        expected = _rates(scheduler, top, whole + rest * steps)
    got = [
        counts.learning_rate(top, "cosine-step", epoch + step / steps, warmup + rest, warmup, 1 / steps)
        for epoch in range(warmup + rest)
        for step in range(steps)
    ]
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-9 * top)
    assert got[whole - 1] == pytest.approx(top)
    assert max(got) <= top


@pytest.mark.parametrize("epochs", [2, 4, 40])
def test_the_default_ramp_is_a_number_that_digests_see(tiny: TinyStudy, epochs: int) -> None:
    def resolved(**training: Any) -> dict[str, Any]:
        of = tiny({"pruner": "biprop"}, training={"epochs": epochs, **training})
        return record.resolve(of, datasets.load("imagefolder", of.data.path))

    default, length = resolved(), min(10, epochs // 3)
    assert default["training"]["ramp_epochs"] == length
    same, longer = resolved(ramp_epochs=length), resolved(ramp_epochs=length + 1)
    assert same == default
    for field in ("recipe_digest", "training"):
        assert longer[field] != default[field]
    assert longer["populations"][0]["digest"] != default["populations"][0]["digest"]


@settings(deadline=None)
@given(st.floats(0.001, 1), st.integers(1, 200), st.none() | st.integers(0, 250))
def test_the_density_of_global_selection_falls_to_its_end(
    density: float, epochs: int, ramp: int | None
) -> None:
    found = [counts.global_density(density, epoch, epochs, ramp) for epoch in range(epochs)]
    length = min(10, epochs // 3) if ramp is None else ramp
    assert found == sorted(found, reverse=True)
    assert all(value == density for value in found[length:])
    if density >= 0.5:
        assert set(found) == {density}
    else:
        for epoch in range(min(length, epochs)):
            left = (length - epoch) / length
            assert found[epoch] == pytest.approx(density + (0.5 - density) * left * left * left)
            assert density < found[epoch] <= 0.5


def test_what_a_step_gets_is_the_recipes(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates of 3 steps × 4 epochs (2 of warm-up), and smoothing, as optimiser and loss see them."""
    rates: list[float] = []
    smoothings: set[float] = set()
    honest_step, honest_gradients = state.State.step, engines.gradients

    def step(self: state.State, *arguments: Any) -> None:
        rates.append(arguments[2])
        honest_step(self, *arguments)

    def gradients(*arguments: Any) -> Any:
        smoothings.add(arguments[5])
        return honest_gradients(*arguments)

    monkeypatch.setattr(state.State, "step", step)
    monkeypatch.setattr(engines, "gradients", gradients)
    recipe = {"learning_rate": 0.4, "schedule": "cosine-step", "warmup_epochs": 2, "label_smoothing": 0.1}
    train(tiny({"pruner": "biprop"}, training=recipe), tmp_path)
    warm = [0.4 * (k + 1) / 6 for k in range(6)]
    cosine = [0.2 * (1 + math.cos(math.pi * k / 6)) for k in range(6)]
    assert rates == pytest.approx(warm + cosine)
    assert smoothings == {0.1}


def test_label_smoothing_is_in_the_loss(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    """With a rate of almost nothing, the first loss is that of the initial network, smoothed or not."""
    recipe = {"epochs": 1, "batch_size": 48, "learning_rate": 1e-30}
    for smoothing in (0.0, 0.5):
        of = tiny({"pruner": "edge-popup"}, training={**recipe, "label_smoothing": smoothing})
        train(of, tmp_path / str(smoothing))
        archive = masklab.open(tmp_path / str(smoothing))
        member = archive.member("edge-popup-d0.5/0000")
        data = datasets.load("imagefolder", of.data.path)
        random, left = seeds.stream(0, "split"), np.ones(64, dtype=bool)
        for label in (0, 1):
            of_class = np.flatnonzero(data.train_labels == label)
            left[of_class[random.permutation(32)[:8]]] = False
        logits = rebuild.evaluate(archive.network(member.id), data.train_images[left], 64)
        log = logits.double().log_softmax(1)
        own = -log[torch.arange(48), torch.from_numpy(data.train_labels[left].astype(np.int64))]
        expected = (1 - smoothing) * own + smoothing * -log.mean(1)
        assert member.facts["history"]["loss"] == [pytest.approx(float(expected.mean()), rel=1e-4)]


@pytest.mark.parametrize("selection", ["layer", "global"])
def test_snapshots_are_the_masks_of_their_epochs(
    tiny: TinyStudy, train: Train, tmp_path: Path, selection: str
) -> None:
    """Epoch 0: the initial scores; then those of trainings that were stopped there; the last: the mask."""
    recipe = {"schedule": "constant", "selection": selection, "ramp_epochs": 0}
    populations = ({"pruner": "biprop"}, {"pruner": "magnitude"}, {"pruner": "random"})
    train(tiny(*populations, training=recipe, study={"snapshots": [0, 2, 4]}), tmp_path / "long")
    train(tiny(*populations, training={**recipe, "epochs": 2}), tmp_path / "short")
    archive, short = masklab.open(tmp_path / "long"), masklab.open(tmp_path / "short")
    for member_id in ("biprop-d0.5/0001", "magnitude-d0.5/0000"):
        member = archive.member(member_id)
        assert member.snapshots == [0, 2, 4]
        for layer, mask in member.mask().items():
            assert np.array_equal(member.snapshot(4)[layer], mask)
            assert np.array_equal(member.snapshot(2)[layer], short.mask(member_id)[layer])
    assert archive.member("random-d0.5/0000").snapshots == []
    member = archive.member("biprop-d0.5/0001")
    scores = {o.name: np.abs(weights.initial_scores(0, 1, o.name, o.shape, "uniform")) for o in member.layers}
    if selection == "layer":
        expected = {
            name: _largest(values, bits.kept_count(values.size, 0.5)) for name, values in scores.items()
        }
    else:
        whole = np.concatenate(list(scores.values()))
        ends = np.cumsum([values.size for values in scores.values()])[:-1]
        expected = dict(
            zip(scores, np.split(_largest(whole, bits.kept_count(whole.size, 0.5)), ends), strict=True)
        )
    for name, mask in member.snapshot(0).items():
        assert np.array_equal(mask.reshape(-1), expected[name])


def _largest(values: np.ndarray, kept: int) -> np.ndarray:
    mask = np.zeros(values.size, dtype=bool)
    mask[np.argsort(-values, kind="stable")[:kept]] = True
    return mask


def test_snapshots_change_no_mask_and_no_digest(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    train(tiny({"pruner": "biprop"}), tmp_path / "out")
    before = member_bytes(tmp_path / "out")
    more = tiny({"pruner": "biprop", "members": 3}, study={"snapshots": [1, 3]})
    assert train(more, tmp_path / "out").written == ["biprop-d0.5/0002"]
    assert before.items() <= member_bytes(tmp_path / "out").items()
    train(more, tmp_path / "new")
    archive, new = masklab.open(tmp_path / "out"), masklab.open(tmp_path / "new")
    assert archive.member("biprop-d0.5/0002").snapshots == [1, 3]
    for member in ("biprop-d0.5/0000", "biprop-d0.5/0001"):
        assert archive.member(member).snapshots == []
        assert all(np.array_equal(archive.mask(member)[n], mask) for n, mask in new.mask(member).items())


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("pruner", ["biprop", "edge-popup"])
def test_a_layer_that_global_selection_empties_fails_its_member(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruner: str, last: bool
) -> None:
    """Also where it is the very last step that empties it; the other member goes on."""
    honest, at = state.State.step, 11 if last else 4

    def step(self: state.State, *arguments: Any) -> None:
        honest(self, *arguments)
        if arguments[3] == at:
            scores = self.layers[2].scores
            assert scores is not None
            scores[1] *= 1e-9

    monkeypatch.setattr(state.State, "step", step)
    of = tiny({"pruner": pruner, "density": 0.3, "name": "p"}, training={"selection": "global"})
    assert train(of, tmp_path).failed == ["p/0001"]
    failure = masklab.open(tmp_path).failures["p/0001"]
    assert failure["cause"] == "global selection left layer 'fc3' without weights"
    assert failure["step"] == at + 1


def test_a_loss_that_fails_in_the_last_step_is_noticed(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients
) -> None:
    honest = gradients.honest

    def late(*arguments: Any) -> Any:
        losses, found = honest(*arguments)
        if gradients.calls == 12:
            losses[0] = math.inf
        return losses, found

    gradients.honest = late
    assert train(tiny({"pruner": "biprop"}), tmp_path).failed == ["biprop-d0.5/0000"]
    failure = masklab.open(tmp_path).failures["biprop-d0.5/0000"]
    assert (failure["cause"], failure["step"]) == ("the loss is not finite", 11)


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_the_optimisers_are_torchs(name: str, decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(50, generator=generator)
    other = torch.nn.Parameter(value.clone())
    update, slots = optimizer.OPTIMIZERS[name]
    memory = [torch.zeros(50) for _ in range(slots)]
    theirs: torch.optim.Optimizer
    if name == "sgd":
        theirs = SGD([other], lr=0.1, momentum=0.9, weight_decay=decay)
    else:
        theirs = torch.optim.Adam([other], lr=0.1, betas=(0.9, 0.999), weight_decay=decay)
    for step in range(5):
        gradient = torch.randn(50, generator=generator)
        other.grad = gradient.clone()
        theirs.step()
        update(value, gradient.clone(), memory, optimizer.Settings(0.1, 0.9, decay, step + 1))
        torch.testing.assert_close(value, other.detach(), rtol=1e-5, atol=1e-6)
