"""The tensors of a cohort: base weights, scores, momentum and origins, member axis first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from masklab import bits, pruners, seeds, weights
from masklab.networks import LayerShape
from masklab.study import Training
from masklab.training import selection

INITIAL = 0
"""Origin of a weight that no refresh has touched."""


@dataclass
class LayerState:
    """One masked layer of every member of a cohort.

    Attributes:
        layer: Name and shape.
        kept: Number of weights that each member keeps.
        weight: Base weights, float32 [members, size].
        scores: Float32 [members, size]; for a control without training, its mask as 0 and 1.
        velocity: Momentum, float32 [members, size].
        origin: int32 [members, size], see the refresh; None without one.
    """

    layer: LayerShape
    kept: int
    weight: Tensor
    scores: Tensor
    velocity: Tensor
    origin: Tensor | None

    def mask(self, rank: selection.Rank) -> Tensor:
        """Boolean mask [members, size] of the current scores."""
        return selection.top_mask(selection.rank_key(self.scores, rank), self.kept)

    def shaped(self, flat: Tensor) -> Tensor:
        """[members, size] → [members, *shape]."""
        return flat.view(len(flat), *self.layer.shape)


@dataclass
class State:
    """A cohort in training."""

    seed: int
    levels: list[dict[str, int]]
    training: Training
    pruner: pruners.Pruner
    density: float
    layers: list[LayerState] = field(default_factory=list)

    @property
    def factor(self) -> float:
        """Factor on the fan (see `weights.fan_factor`)."""
        return weights.fan_factor(self.training.fan_scale, self.density)

    def effective(self) -> Iterator[tuple[LayerState, Tensor]]:
        """Layer by layer, the effective weights [members, *shape] of the current masks."""
        gate = self.pruner.gate
        for layer in self.layers:
            weight, mask = layer.shaped(layer.weight), layer.shaped(layer.mask(self.training.rank))
            yield layer, gate.effective_weight(weight, mask, gate.gain(weight, mask))

    def step(self, gradients: dict[str, Tensor], alive: Tensor, learning_rate: float) -> Tensor:
        """One SGD step on the scores; members that have failed stand still.

        Args:
            gradients: ∂loss/∂effective weight, layer name → [members, *shape].
            alive: Boolean [members, 1].
            learning_rate: Step size.

        Returns:
            Boolean [members]: whose scores are still finite.
        """
        recipe, sums = self.training, []
        for layer in self.layers:
            flat = gradients[layer.layer.name].reshape(layer.scores.shape)
            change = selection.score_gradient(flat, layer.weight, layer.scores, recipe.rank)
            change.add_(layer.scores, alpha=recipe.weight_decay)
            layer.velocity.mul_(recipe.momentum).add_(change)
            step = torch.where(alive, layer.velocity, 0.0)
            layer.scores.sub_(step, alpha=learning_rate)
            sums.append(layer.scores.sum(1))
        return torch.isfinite(torch.stack(sums)).all(0)

    def refresh(self, event: int) -> None:
        """Fire the refresh's event of that number (from 1) in every layer."""
        refresh = self.pruner.refresh
        if refresh is None:
            return
        for layer in self.layers:

            def draw(member: int, layer: LayerState = layer) -> tuple[np.ndarray, np.random.RandomState]:
                return weights.refresh_weights(
                    self.seed,
                    self.levels[member]["refresh"],
                    layer.layer.name,
                    event,
                    layer.layer.shape,
                    self.training.weight_init,
                    self.factor,
                )

            key = selection.rank_key(layer.scores, self.training.rank)
            mask = layer.mask(self.training.rank)
            refresh.refresh(layer.weight, layer.origin, key, mask, event, draw, self.pruner.options)


def initial(
    seed: int,
    levels: list[dict[str, int]],
    training: Training,
    pruner: pruners.Pruner,
    density: float,
    layers: Sequence[LayerShape],
    device: str,
) -> State:
    """A cohort before its first step.

    Args:
        seed: The study's seed.
        levels: Draw of each seed source, per member.
        training: The population's recipe.
        pruner: The population's pruner.
        density: Fraction kept.
        layers: Masked layers in forward order.
        device: Where the tensors live.
    """
    state = State(seed, levels, training, pruner, density)
    for layer in layers:
        kept = bits.kept_count(layer.size, density)
        drawn = [
            weights.initial_weights(
                seed, level["weights"], layer.name, layer.shape, training.weight_init, state.factor
            )
            for level in levels
        ]
        scores = torch.from_numpy(np.stack([_scores(state, layer, kept, level) for level in levels])).to(
            device
        )
        origin = (
            torch.full(scores.shape, INITIAL, dtype=torch.int32, device=device) if pruner.refresh else None
        )
        weight = torch.from_numpy(np.stack(drawn)).to(device)
        state.layers.append(LayerState(layer, kept, weight, scores, torch.zeros_like(scores), origin))
    return state


def _scores(state: State, layer: LayerShape, kept: int, level: dict[str, int]) -> np.ndarray:
    if state.pruner.control:
        random = seeds.stream(state.seed, "mask", level["mask"], layer.name)
        return state.pruner.control.draw_mask(random, layer.size, kept).astype(np.float32)
    return weights.initial_scores(
        state.seed, level["scores"], layer.name, layer.shape, state.training.score_init
    )
