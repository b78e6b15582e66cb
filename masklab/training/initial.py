"""A cohort before its first step."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from masklab import bits, pruners, weights
from masklab.archive import Member
from masklab.networks import LayerShape
from masklab.study import Training
from masklab.training import guess, optimizer
from masklab.training import state as states
from masklab.training.surroundings import Surroundings


def state(
    seed: int,
    levels: list[dict[str, int]],
    training: Training,
    pruner: pruners.Pruner,
    density: float,
    layers: Sequence[LayerShape],
    surroundings: Surroundings,
    device: str,
    sources: Sequence[Member] = (),
) -> states.State:
    """A cohort's tensors.

    Args:
        seed: The study's seed.
        levels: Draw of each seed source, per member.
        training: The population's recipe.
        pruner: The population's pruner.
        density: Fraction kept.
        layers: Masked layers in forward order.
        surroundings: Everything else that the network needs.
        device: Where the tensors live.
        sources: The members that a control is made from, one per member.
    """
    found = states.State(seed, levels, training, pruner, density, surroundings)
    found.emptied = torch.full((len(levels),), states.NOT_EMPTY, device=device)
    given = [(source.weights(), source.mask()) for source in sources]
    for layer in layers:
        if given:
            base = np.stack([own[layer.name].reshape(-1) for own, _ in given])
        else:
            base = np.stack([_weights(found, layer, level) for level in levels])
        weight = torch.from_numpy(base).to(device)
        masks = [mask[layer.name].reshape(-1) for _, mask in given]
        found.layers.append(_layer(found, layer, weight, masks))
    return found


def _layer(
    state: states.State, layer: LayerShape, weight: Tensor, masks: list[np.ndarray]
) -> states.LayerState:
    pruner, recipe, device = state.pruner, state.training, weight.device
    own = states.LayerState(layer, bits.kept_count(layer.size, state.density), weight)
    _, slots = optimizer.OPTIMIZERS[recipe.optimizer]
    if pruner.trained:
        own.memory = [torch.zeros_like(weight) for _ in range(slots)]
    if pruner.refresh:
        own.origin = torch.full(weight.shape, states.INITIAL, dtype=torch.int32, device=device)
    if pruner.trains_scores:
        drawn = [
            weights.initial_scores(state.seed, level["scores"], layer.name, layer.shape, recipe.score_init)
            for level in state.levels
        ]
        own.scores = torch.from_numpy(np.stack(drawn)).to(device)
        own.kept = own.kept if recipe.selection == "layer" else None
        if device.type == "cpu" and layer.size >= guess.LEAST:
            own.guess = guess.Guess.none(len(weight))
    elif pruner.control and not pruner.trained:
        rows = [
            pruner.control.draw_mask(
                states.mask_stream(state, layer, level),
                np.zeros(layer.size, np.float32),
                own.kept or 1,
                masks[position] if masks else None,
            )
            for position, level in enumerate(state.levels)
        ]
        own.fixed = torch.from_numpy(np.stack(rows)).to(device)
    return own


def _weights(state: states.State, layer: LayerShape, level: dict[str, int]) -> np.ndarray:
    init, factor = state.training.weight_init, state.factor
    return weights.initial_weights(state.seed, level["weights"], layer.name, layer.shape, init, factor)
