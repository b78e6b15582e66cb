"""Cohorts without a directory, for tests of what happens inside a training."""

from collections.abc import Sequence
from typing import Any

import torch

from masklab import networks, pruners, study
from masklab.training import engines, initial, state, surroundings

SETTINGS = networks.Settings("conv2", 0.1)
SHAPE, CLASSES = (1, 8, 8), 4
DESCRIBED = networks.describe(SETTINGS, SHAPE, CLASSES)
LEVELS = [study.Seeds().levels(index) for index in range(3)]


def make(
    name: str,
    density: float = 0.5,
    seed: int = 0,
    layers: Sequence[networks.LayerShape] = tuple(DESCRIBED.layers),
    levels: list[dict[str, int]] = LEVELS,
    options: dict[str, Any] | None = None,
    sources: Sequence[Any] = (),
    **training: Any,
) -> state.State:
    """Members of a pruner before their first step; by default three of a small convolutional network."""
    recipe = study.Training(**training)
    pruner = pruners.resolve(name, options or {}, recipe.epochs)
    around = surroundings.Surroundings()
    made = initial.state(seed, levels, recipe, pruner, density, list(layers), around, "cpu", sources)
    made.begin_epoch(recipe.epochs - 1)
    return made


def effective(cohort: state.State) -> list[tuple[state.LayerState, torch.Tensor]]:
    """Layer by layer, what members compute with once they are trained."""
    tensors = cohort.tensors(torch.float32).trained
    return [(layer, tensors[f"{layer.layer.name}.weight"]) for layer in cohort.layers]


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (3, 32), generator=generator)
    images = torch.randn(3, 32, *SHAPE, generator=generator)
    images += torch.eye(8)[labels * 2][..., None, None, :]  # something to learn
    return images, labels


def steps(
    cohort: state.State, number: int, rate: float = 0.1, dtype: torch.dtype = torch.float32
) -> list[float]:
    """Loss of each of some steps on one batch."""
    network = networks.skeleton(SETTINGS, SHAPE, CLASSES)
    images, labels = batch()
    losses = []
    for step in range(number):
        tensors = cohort.training_tensors(dtype)
        smoothing = cohort.training.label_smoothing
        loss, gradients = engines.gradients("vmap", network, tensors, images.to(dtype), labels, smoothing)
        cohort.step(gradients, torch.ones(3, dtype=torch.bool), rate, step)
        losses.append(float(loss.sum()))
    return losses
