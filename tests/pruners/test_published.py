"""One training step and one refresh of each pruner against the published formulas, written out in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from masklab import pruners, seeds, study
from masklab.networks import LayerShape
from masklab.training import engines, state

SHAPE = (5, 12)
KEPT = 30  # density 0.5
MOMENTUM, DECAY = 0.9, 1e-2
RATE = 0.3


def cohort(name: str, **options: float) -> state.State:
    training = study.Training(momentum=MOMENTUM, weight_decay=DECAY)
    pruner = pruners.resolve(name, options, training.epochs)
    levels = [study.Seeds().levels(index) for index in range(2)]
    return state.initial(3, levels, training, pruner, 0.5, [LayerShape("fc", SHAPE)], "cpu")


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
    weight, before = layer.weight.numpy().astype(float), layer.scores.numpy().astype(float)
    random = np.random.RandomState(0)
    x, labels = random.standard_normal((2, 16, 12)), random.randint(0, 5, (2, 16))
    network = nn.Sequential()
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc", nn.Linear(12, 5, bias=False))
    images = torch.from_numpy(x).float().view(2, 16, 1, 3, 4)
    for _ in range(2):
        effective = {layer.layer.name: w for layer, w in members.effective()}
        _, gradients = engines.gradients("loop", network, effective, images, torch.from_numpy(labels))
        members.step(gradients, torch.ones(2, 1, dtype=torch.bool), RATE)
    for member in range(2):
        expected = published_step(gate, weight[member], before[member], x[member], labels[member])
        np.testing.assert_allclose(layer.scores[member].numpy(), expected, rtol=2e-5, atol=1e-6)
        assert np.array_equal(layer.mask("abs")[member].numpy(), top(expected))


@pytest.mark.parametrize("name", ["edge-popup+iterand", "biprop+iterand"])
def test_iterand_event(name: str) -> None:
    """W ← M ⊙ W + (1 − M) ⊙ ((1 − B) ⊙ W + B ⊙ W′), B ~ Bernoulli(r), W′ ~ the initial distribution."""
    members = cohort(name, rate=0.4)
    (layer,) = members.layers
    before, mask = layer.weight.numpy().copy(), layer.mask("abs").numpy()
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
def test_recycle_event(name: str) -> None:
    """With π ascending in |s|: w[π(i)] ← w[π(N − k + i)], i = 1 … k, k = ⌊r·N⌋; twice in a row."""
    members = cohort(name, rate=0.21)
    (layer,) = members.layers
    before, scores = layer.weight.numpy().copy(), layer.scores.numpy()
    members.refresh(event=1)
    for member in range(2):
        order, k = sorted(range(60), key=lambda i, s=scores[member]: abs(s[i])), 12
        expected = before[member].copy()
        for i in range(k):
            expected[order[i]] = before[member][order[60 - k + i]]
        assert np.array_equal(layer.weight[member].numpy(), expected)
    layer.scores.neg_().add_(layer.scores.flip(1))  # another ranking, so that copies are copied on
    members.refresh(event=2)
    assert layer.origin is not None
    for member in range(2):
        origin = layer.origin[member].numpy()
        source = np.where(origin == 0, np.arange(60), origin - 1)
        assert np.array_equal(layer.weight[member].numpy(), before[member][source])


def test_random_control_keeps_its_own_draw() -> None:
    members = cohort("random")
    (layer,) = members.layers
    for member, levels in enumerate(members.levels):
        order = seeds.stream(3, "mask", levels["mask"], "fc").permutation(60)
        assert set(np.flatnonzero(layer.mask("abs")[member].numpy())) == set(order[:KEPT])
