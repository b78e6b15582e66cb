"""One training step and one refresh of each pruner against the published formulas, written out in NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from masklab import pruners, seeds, study
from masklab.networks import LayerShape
from masklab.training import engines, optimizer, state
from tests.training import cohorts

SHAPE = (5, 12)
KEPT = 30  # density 0.5
MOMENTUM, DECAY = 0.9, 1e-2
RATE = 0.3


def cohort(name: str, **options: float | str) -> state.State:
    levels = [study.Seeds().levels(index) for index in range(2)]
    recipe: dict[str, Any] = {"momentum": MOMENTUM, "weight_decay": DECAY}
    return cohorts.make(name, 0.5, 3, [LayerShape("fc", SHAPE)], levels, options, **recipe)


def scores_of(layer: state.LayerState) -> np.ndarray:
    assert layer.scores is not None
    return layer.scores.numpy()


def top(scores: np.ndarray) -> np.ndarray:
    """Largest |score|; there are no ties here."""
    order = np.argsort(-np.abs(scores))
    mask = np.zeros(scores.size, dtype=bool)
    mask[order[:KEPT]] = True
    return mask


def published_weights(gate: str, weight: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if gate == "edge-popup":
        return weight * mask
    alpha = np.abs(weight[mask]).sum() / mask.sum()
    return alpha * np.sign(weight) * mask


def published_step(
    gate: str, weight: np.ndarray, scores: np.ndarray, x: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Scores after two SGD steps with momentum on a softmax layer: ∂L/∂s = ∂L/∂I · Z · w · sign(s)."""
    scores, velocity = scores.copy(), np.zeros_like(scores)
    for _ in range(2):
        effective = published_weights(gate, weight, top(scores)).reshape(SHAPE)
        logits = x @ effective.T
        softmax = np.exp(logits - logits.max(1, keepdims=True))
        softmax /= softmax.sum(1, keepdims=True)
        into_neuron = (softmax - np.eye(SHAPE[0])[labels]) / len(labels)
        gradient = (into_neuron.T @ x).reshape(-1) * weight * np.sign(scores)
        velocity = MOMENTUM * velocity + gradient + DECAY * scores
        scores = scores - RATE * velocity
    return scores


@pytest.mark.parametrize("name", [n for n in pruners.names() if pruners.parse(n)[2] is None])
def test_training_step(name: str) -> None:
    gate = pruners.parse(name)[0]
    assert gate is not None
    members = cohort(name)
    (layer,) = members.layers
    weight, before = layer.weight.numpy().astype(float), scores_of(layer).astype(float)
    random = np.random.RandomState(0)
    x, labels = random.standard_normal((2, 16, 12)), random.randint(0, 5, (2, 16))
    network = nn.Sequential()
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc", nn.Linear(12, 5, bias=False))
    images = torch.from_numpy(x).float().view(2, 16, 1, 3, 4)
    for step in range(2):
        tensors = members.training_tensors(torch.float32)
        _, gradients = engines.gradients("loop", network, tensors, images, torch.from_numpy(labels))
        members.step(gradients, torch.ones(2, dtype=torch.bool), RATE, step)
    for member in range(2):
        expected = published_step(gate, weight[member], before[member], x[member], labels[member])
        np.testing.assert_allclose(scores_of(layer)[member], expected, rtol=2e-5, atol=1e-6)
        assert np.array_equal(members.masks()[0][member].numpy(), top(expected))


@pytest.mark.parametrize("name", ["edge-popup+iterand", "biprop+iterand"])
def test_iterand_event(name: str) -> None:
    """W ← M ⊙ W + (1 − M) ⊙ ((1 − B) ⊙ W + B ⊙ W′), B ~ Bernoulli(r), W′ ~ the initial distribution."""
    members = cohort(name, rate=0.4)
    (layer,) = members.layers
    before, mask = layer.weight.numpy().copy(), members.masks()[0].numpy()
    members.refresh(event=7)
    for member, levels in enumerate(members.levels):
        random = seeds.stream(3, "refresh", levels["refresh"], "fc", event=7)
        fresh = (random.standard_normal(60) * np.sqrt(2 / (12 * 0.5))).astype(np.float32)
        b = random.random_sample(60) < 0.4
        m = mask[member]
        expected = m * before[member] + ~m * (~b * before[member] + b * fresh)
        assert np.array_equal(layer.weight[member].numpy(), expected)
        assert layer.origin is not None
        assert np.array_equal(layer.origin[member].numpy(), np.where(b & ~m, 7, 0))


@pytest.mark.parametrize("name", ["edge-popup+recycle", "biprop+recycle"])
@pytest.mark.parametrize("source", ["highest", "next-lowest"])
def test_recycle_event(name: str, source: str) -> None:
    """With π ascending in |s|: w[π(i)] ← w[π(N − k + i)], i = 1 … k, k = ⌊r·N⌋; twice in a row.

    The ablation copies from the next-lowest ranks instead: w[π(i)] ← w[π(k + i)].
    """
    members = cohort(name, rate=0.21, source=source)
    (layer,) = members.layers
    before, scores = layer.weight.numpy().copy(), scores_of(layer).copy()
    members.refresh(event=1)
    for member in range(2):
        order, k = sorted(range(60), key=lambda i, s=scores[member]: abs(s[i])), 12
        expected = before[member].copy()
        for i in range(k):
            expected[order[i]] = before[member][order[(60 - k if source == "highest" else k) + i]]
        assert np.array_equal(layer.weight[member].numpy(), expected)
    assert layer.scores is not None
    layer.scores.neg_().add_(layer.scores.flip(1))  # another ranking, so that copies are copied on
    members.refresh(event=2)
    assert layer.origin is not None
    for member in range(2):
        origin = layer.origin[member].numpy()
        positions = np.where(origin == 0, np.arange(60), origin - 1)
        assert np.array_equal(layer.weight[member].numpy(), before[member][positions])


def test_random_control_keeps_its_own_draw() -> None:
    members = cohort("random")
    for member, levels in enumerate(members.levels):
        order = seeds.stream(3, "mask", levels["mask"], "fc").permutation(60)
        assert set(np.flatnonzero(members.masks()[0][member].numpy())) == set(order[:KEPT])


def test_adam_is_that_of_torch() -> None:
    members = cohorts.make(
        "edge-popup", 0.5, 3, [LayerShape("fc", SHAPE)], optimizer="adam", weight_decay=DECAY
    )
    (layer,) = members.layers
    assert layer.scores is not None
    oracle = layer.scores.clone().requires_grad_()
    adam = torch.optim.Adam([oracle], lr=RATE, betas=(0.9, 0.999), weight_decay=DECAY)
    generator = torch.Generator().manual_seed(0)
    for step in range(5):
        slope = torch.randn(3, *SHAPE, generator=generator)
        oracle.grad = slope.flatten(1) * layer.weight * layer.scores.sign()
        members.step({"fc.weight": slope}, torch.ones(3, dtype=torch.bool), RATE, step)
        adam.step()
        torch.testing.assert_close(layer.scores, oracle.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["edge-popup", "biprop"])
def test_members_that_failed_stand_still_and_the_others_do_not_notice(name: str) -> None:
    both, one = cohort(name), cohort(name)
    slope = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    broken = slope.clone()
    broken[0] = float("nan")
    both.step({"fc.weight": broken}, torch.tensor([False, True]), RATE, 0)
    before = scores_of(one.layers[0])[0].copy()
    one.step({"fc.weight": slope}, torch.tensor([True, True]), RATE, 0)
    assert np.array_equal(scores_of(both.layers[0])[1], scores_of(one.layers[0])[1])
    assert np.array_equal(scores_of(both.layers[0])[0], before)


def test_an_update_in_pieces_is_the_whole_update(monkeypatch: pytest.MonkeyPatch) -> None:
    slope = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    whole, pieces = cohort("edge-popup"), cohort("edge-popup")
    whole.step({"fc.weight": slope}, torch.tensor([True, True]), RATE, 0)
    monkeypatch.setattr(optimizer, "PIECE", 16)
    pieces.step({"fc.weight": slope}, torch.tensor([True, True]), RATE, 0)
    assert np.array_equal(scores_of(whole.layers[0]), scores_of(pieces.layers[0]))
