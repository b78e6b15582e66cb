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

RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default": ({}, {}),
    "augmented": ({"augment": "crop-flip"}, {}),
    "steps": ({}, {"period_steps": 5}),
    "signed": ({"rank": "signed"}, {}),
    "uniform": ({"weight_init": "uniform", "learning_rate": 0.01}, {}),
    "adam": ({"optimizer": "adam", "learning_rate": 0.01}, {}),
    "smoothed": ({"label_smoothing": 0.2}, {}),
    "together": (
        {"rank": "signed", "optimizer": "adam", "learning_rate": 0.01, "label_smoothing": 0.1},
        {"period_steps": 4},
    ),
}
"""Changes of the recipe, and options of the refresh."""


class Plain:
    """One member with its own weights, scores and optimiser memory."""

    def __init__(self, shapes: dict[str, tuple[int, int]], pruner: str, recipe: dict[str, Any]) -> None:
        self.gate, _, self.refresh = pruner.partition("+")
        self.recipe, self.steps = recipe, 0
        self.uniform = recipe.get("weight_init") == "uniform"
        self.weight: Tensors = {}
        self.score: Tensors = {}
        self.velocity: Tensors = {}
        self.square: Tensors = {}
        for name, shape in shapes.items():
            fan, size = shape[1], math.prod(shape)
            drawn = self.draw(seeds.stream(0, "weights", INDEX % 3, name), shape)
            uniform = 2 * seeds.stream(0, "scores", INDEX, name).random_sample(size) - 1
            self.weight[name] = drawn.view(shape)
            self.score[name] = torch.tensor(uniform / math.sqrt(fan), dtype=torch.float32).view(shape)
            self.velocity[name], self.square[name] = torch.zeros(shape), torch.zeros(shape)

    def draw(self, random: np.random.RandomState, shape: tuple[int, ...]) -> torch.Tensor:
        """Base weights: normal of variance 2 ÷ (fan · density), or uniform between −1 and 1."""
        size = math.prod(shape)
        if self.uniform:
            values = 2 * random.random_sample(size) - 1
        else:
            values = random.standard_normal(size) * math.sqrt(2 / (shape[1] * DENSITY))
        return torch.tensor(values, dtype=torch.float32)

    @property
    def signed(self) -> bool:
        return self.recipe.get("rank") == "signed"

    def order(self, name: str) -> torch.Tensor:
        """Positions by descending |score|, or score."""
        score = self.score[name].view(-1)
        return (score if self.signed else score.abs()).argsort(descending=True, stable=True)

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
        F.cross_entropy(x, labels, label_smoothing=self.recipe.get("label_smoothing", 0.0)).backward()
        self.steps += 1
        for name, weight in used.items():
            assert weight.grad is not None
            sign = 1 if self.signed else self.score[name].sign()
            gradient = weight.grad * self.weight[name] * sign + 1e-4 * self.score[name]
            self.update(name, gradient, rate)

    def update(self, name: str, gradient: torch.Tensor, rate: float) -> None:
        if self.recipe.get("optimizer") != "adam":
            self.velocity[name] = 0.9 * self.velocity[name] + gradient
            self.score[name] = self.score[name] - rate * self.velocity[name]
            return
        self.velocity[name] = 0.9 * self.velocity[name] + 0.1 * gradient
        self.square[name] = 0.999 * self.square[name] + 0.001 * gradient**2
        first = self.velocity[name] / (1 - 0.9**self.steps)
        second = self.square[name] / (1 - 0.999**self.steps)
        self.score[name] = self.score[name] - rate * first / (second.sqrt() + 1e-8)

    def fire(self, event: int) -> None:
        for name, weight in self.weight.items():
            flat, size = weight.view(-1), weight.numel()
            if self.refresh == "recycle":
                copied, order = int(0.2 * size), self.order(name)
                new = flat.clone()
                new[order[size - copied :]] = flat[order[:copied]]
            else:
                random = seeds.stream(0, "refresh", INDEX, name, event)
                drawn = self.draw(random, tuple(weight.shape))
                chosen = torch.tensor(random.random_sample(size) < 0.1) & ~self.mask(name).view(-1)
                new = torch.where(chosen, drawn, flat)
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
@pytest.mark.parametrize("kind", RECIPES)
def test_a_whole_training(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path, pruner: str, kind: str
) -> None:
    recipe, options = RECIPES[kind]
    of = tiny({"pruner": pruner, "members": INDEX + 1, **options}, training={**recipe, "epochs": EPOCHS})
    train(of, tmp_path)
    member = masklab.open(tmp_path).member(f"{pruner}-d0.5/{INDEX:04d}")
    plain = Plain({layer.name: layer.shape for layer in member.layers}, pruner, recipe)  # type: ignore[misc]
    images, labels, normal = training_images(of.data.path or "")
    period, fired = options.get("period_steps"), []
    for epoch in range(EPOCHS):
        rate = recipe.get("learning_rate", RATE) * 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS))
        order = seeds.stream(0, "batches", INDEX, event=epoch).permutation(len(labels))
        random = seeds.stream(0, "augment", INDEX, event=epoch)
        moves, flips = random.randint(0, 9, (len(labels), 2)), random.randint(0, 2, len(labels))
        for start in range(0, len(labels), BATCH):
            batch = slice(start, start + BATCH)
            chosen = images[order[batch]]
            if "augment" in recipe:
                chosen = augmented(chosen, moves[batch], flips[batch])
            if period and (plain.steps + 1) % period == 0:  # IteRand's script: before the step
                fired.append(plain.steps)
                plain.fire(len(fired))
            plain.step(normal(chosen), labels[order[batch]], rate)
        if not period and 0 < epoch < EPOCHS - 1:
            fired.append(epoch + 1)
            plain.fire(len(fired))
    assert member.facts["events"] == fired == {None: [2, 3], 5: [4, 9], 4: [3, 7, 11]}[period]
    masks, weights = member.mask(), member.weights()
    # arithmetic differs in order only: swaps of neighbours are possible, no more; Adam makes steps of equal
    # length from gradients of any, so that a few more happen, and recycling copies rank to rank
    alike = 0.95 if recipe.get("optimizer") == "adam" else 0.98
    for name in masks:
        assert (plain.mask(name).numpy() == masks[name]).mean() > alike
        assert (plain.weight[name].numpy() == weights[name]).mean() > alike
