"""A whole training against a plain loop over one member, written only from the published algorithms."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import masklab
from masklab import data as datasets
from masklab import seeds
from tests.conftest import TinyStudy

EPOCHS, BATCH, INDEX, RATE, DENSITY = 4, 16, 4, 0.1, 0.5
Tensors = dict[str, torch.Tensor]


class Plain:
    """One member with its own weights, scores and momentum."""

    def __init__(self, shapes: dict[str, tuple[int, int]], pruner: str) -> None:
        self.gate, _, self.refresh = pruner.partition("+")
        self.weight: Tensors = {}
        self.score: Tensors = {}
        self.velocity: Tensors = {}
        for name, shape in shapes.items():
            fan, size = shape[1], math.prod(shape)
            drawn = seeds.stream(0, "weights", INDEX % 3, name).standard_normal(size)
            uniform = 2 * seeds.stream(0, "scores", INDEX, name).random_sample(size) - 1
            self.weight[name] = torch.tensor(
                drawn * math.sqrt(2 / (fan * DENSITY)), dtype=torch.float32
            ).view(shape)
            self.score[name] = torch.tensor(uniform / math.sqrt(fan), dtype=torch.float32).view(shape)
            self.velocity[name] = torch.zeros(shape)

    def order(self, name: str) -> torch.Tensor:
        """Positions by descending |score|."""
        return self.score[name].abs().view(-1).argsort(descending=True, stable=True)

    def mask(self, name: str) -> torch.Tensor:
        size = self.score[name].numel()
        mask = torch.zeros(size, dtype=torch.bool)
        mask[self.order(name)[: math.floor(size * DENSITY + 0.5)]] = True
        return mask.view(self.score[name].shape)

    def effective(self, name: str) -> torch.Tensor:
        weight, mask = self.weight[name], self.mask(name)
        return (
            weight * mask if self.gate == "edge-popup" else weight[mask].abs().mean() * weight.sign() * mask
        )

    def step(self, images: torch.Tensor, labels: torch.Tensor, rate: float) -> None:
        used = {name: self.effective(name).requires_grad_() for name in self.weight}
        x = images.flatten(1)
        for name, weight in used.items():
            x = x @ weight.T if name == list(used)[-1] else F.relu(x @ weight.T)
        F.cross_entropy(x, labels).backward()
        for name, weight in used.items():
            assert weight.grad is not None
            gradient = weight.grad * self.weight[name] * self.score[name].sign() + 1e-4 * self.score[name]
            self.velocity[name] = 0.9 * self.velocity[name] + gradient
            self.score[name] = self.score[name] - rate * self.velocity[name]

    def fire(self, event: int) -> None:
        for name, weight in self.weight.items():
            flat, size = weight.view(-1), weight.numel()
            if self.refresh == "recycle":
                copied, order = int(0.2 * size), self.order(name)
                new = flat.clone()
                new[order[size - copied :]] = flat[order[:copied]]
            else:
                random = seeds.stream(0, "refresh", INDEX, name, event)
                drawn = random.standard_normal(size) * math.sqrt(2 / (weight.shape[1] * DENSITY))
                chosen = torch.tensor(random.random_sample(size) < 0.1) & ~self.mask(name).view(-1)
                new = torch.where(chosen, torch.tensor(drawn, dtype=torch.float32), flat)
            self.weight[name] = new.view(weight.shape)


def training_images(path: str) -> tuple[np.ndarray, torch.Tensor, Callable[[np.ndarray], torch.Tensor]]:
    """What is left after a quarter of each class was held out, and the normalisation."""
    data = datasets.load("imagefolder", path)
    random, held_out = seeds.stream(0, "split"), np.zeros(64, dtype=bool)
    for label in (0, 1):
        of_class = np.flatnonzero(data.train_labels == label)
        held_out[of_class[random.permutation(32)[:8]]] = True
    mean, deviation = data.train_images.mean(), data.train_images.std()
    normal = lambda x: (torch.tensor(x, dtype=torch.float32) - float(mean)) / float(deviation)  # noqa: E731
    return data.train_images[~held_out], torch.tensor(data.train_labels[~held_out]), normal


def augmented(images: np.ndarray, moves: np.ndarray, flips: np.ndarray) -> np.ndarray:
    padded = np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    windows = [p[:, a : a + 8, b : b + 8] for p, (a, b) in zip(padded, moves, strict=True)]
    return np.stack([w[:, :, ::-1] if flip else w for w, flip in zip(windows, flips, strict=True)])


@pytest.mark.parametrize(
    "pruner", [f"{g}+{r}" for g in ("edge-popup", "biprop") for r in ("iterand", "recycle")]
)
@pytest.mark.parametrize("augment", ["none", "crop-flip"])
def test_a_whole_training(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path, pruner: str, augment: str
) -> None:
    of = tiny({"pruner": pruner, "members": INDEX + 1}, training={"augment": augment, "epochs": EPOCHS})
    train(of, tmp_path)
    member = masklab.open(tmp_path).member(f"{pruner}-d0.5/{INDEX:04d}")
    plain = Plain({layer.name: layer.shape for layer in member.layers}, pruner)  # type: ignore[misc]
    images, labels, normal = training_images(of.data.path or "")
    fired = []
    for epoch in range(EPOCHS):
        rate = RATE * 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS))
        order = seeds.stream(0, "batches", INDEX, event=epoch).permutation(len(labels))
        random = seeds.stream(0, "augment", INDEX, event=epoch)
        moves, flips = random.randint(0, 9, (len(labels), 2)), random.randint(0, 2, len(labels))
        for start in range(0, len(labels), BATCH):
            batch = slice(start, start + BATCH)
            chosen = images[order[batch]]
            if augment == "crop-flip":
                chosen = augmented(chosen, moves[batch], flips[batch])
            plain.step(normal(chosen), labels[order[batch]], rate)
        if 0 < epoch < EPOCHS - 1:
            fired.append(epoch + 1)
            plain.fire(len(fired))
    assert member.facts["events"] == fired == [2, 3]
    masks, weights = member.mask(), member.weights()
    for name in masks:  # arithmetic differs in order only: a swap at the threshold is possible, no more
        assert (plain.mask(name).numpy() == masks[name]).mean() > 0.98
        assert (plain.weight[name].numpy() == weights[name]).mean() > 0.98
