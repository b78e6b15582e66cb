"""The tensors of a cohort: weights, scores, optimiser memory and origins, member axis first."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from masklab import bits, pruners, seeds, weights
from masklab.networks import LayerShape
from masklab.study import Training
from masklab.training import counts, engines, optimizer, selection
from masklab.training.guess import Guess
from masklab.training.surroundings import Surroundings

INITIAL = 0
"""Origin of a weight that no refresh has touched."""

NOT_EMPTY = -1

ALL = slice(None)
"""All members of a cohort."""


@dataclass
class LayerState:
    """One masked layer of every member of a cohort.

    Attributes:
        layer: Name and shape.
        kept: Number of weights that each member keeps; None under global selection.
        weight: Base weights, float32 [members, size].
        scores: Float32 [members, size]; None where no scores are trained.
        memory: What the optimiser remembers of the scores (or of the weights, where those are trained).
        origin: int32 [members, size], see the refresh; None without one.
        fixed: Boolean mask [members, size] of a control without training.
        guess: Where the thresholds of a large layer lay last time, on a CPU.
    """

    layer: LayerShape
    kept: int | None
    weight: Tensor
    scores: Tensor | None = None
    memory: list[Tensor] = field(default_factory=list)
    origin: Tensor | None = None
    fixed: Tensor | None = None
    guess: Guess | None = None
    _cast: Tensor | None = None

    def shaped(self, flat: Tensor) -> Tensor:
        """[members, size] → [members, *shape]."""
        return flat.view(len(flat), *self.layer.shape)

    def base(self, dtype: torch.dtype, rows: slice = ALL) -> Tensor:
        """Base weights [members, *shape] in a precision; kept until they change."""
        if dtype == self.weight.dtype:
            return self.shaped(self.weight[rows])
        if self._cast is None or self._cast.dtype != dtype:
            self._cast = self.weight.to(dtype)
        return self.shaped(self._cast[rows])

    def weights_changed(self) -> None:
        """Forget what was derived from the base weights."""
        self._cast = None


@dataclass
class State:
    """A cohort in training.

    Attributes:
        seed: The study's seed.
        levels: Draw of each seed source, per member.
        training: The population's recipe.
        pruner: The population's pruner.
        density: Fraction kept in the end.
        surroundings: Parameters that are not masked, and running statistics.
        layers: Masked layers in forward order.
        present: Fraction that global selection keeps now.
        emptied: Position of the first layer that global selection left without weights, per member.
    """

    seed: int
    levels: list[dict[str, int]]
    training: Training
    pruner: pruners.Pruner
    density: float
    surroundings: Surroundings
    layers: list[LayerState] = field(default_factory=list)
    present: float = 1.0
    emptied: Tensor = field(default_factory=lambda: torch.zeros(0))

    @property
    def factor(self) -> float:
        """Factor on the fan (see `weights.fan_factor`)."""
        return fan_factor(self.pruner, self.training, self.density)

    def begin_epoch(self, epoch: int) -> None:
        """Fix what depends on the epoch (from 0)."""
        recipe = self.training
        self.present = counts.global_density(self.density, epoch, recipe.epochs, recipe.ramp_epochs)

    def _key(self, layer: LayerState, rows: slice) -> Tensor:
        """Ranking key [members, size]."""
        if layer.scores is None:
            raise ValueError("this population has no scores")
        return selection.rank_key(layer.scores[rows], self.training.rank)

    def masks(self) -> list[Tensor]:
        """Boolean masks [members, size] as they are now."""
        return list(self._masks(ALL))

    def _masks(self, rows: slice) -> Iterator[Tensor]:
        """Layer by layer, so that what leads to a mask is gone before the next."""
        if not self.pruner.trains_scores:
            for layer in self.layers:
                yield self._control_mask(layer, rows)
        elif self.training.selection == "layer":
            for layer in self.layers:
                guess = layer.guess.of(rows) if layer.guess else None
                yield selection.top_mask(self._key(layer, rows), layer.kept or 1, guess)
        else:
            yield from self._global_masks(rows)

    def _global_masks(self, rows: slice) -> list[Tensor]:
        keys = [self._key(layer, rows) for layer in self.layers]
        total = sum(layer.layer.size for layer in self.layers)
        found = selection.global_masks(keys, bits.kept_count(total, self.present))
        for position, mask in enumerate(found):
            newly = ~mask.any(1) & (self.emptied[rows] == NOT_EMPTY)
            self.emptied[rows] = torch.where(newly, position, self.emptied[rows])
        return found

    def _control_mask(self, layer: LayerState, rows: slice) -> Tensor:
        if layer.fixed is not None:
            return layer.fixed[rows]
        control, kept = self.pruner.control, layer.kept or 1
        if control is None:
            raise ValueError("only a control has a mask without scores")
        drawn = [
            control.draw_mask(mask_stream(self, layer.layer, level), weight, kept, None)
            for level, weight in zip(self.levels[rows], layer.weight[rows].cpu().numpy(), strict=True)
        ]
        return torch.from_numpy(np.stack(drawn)).to(layer.weight.device)

    def training_tensors(self, dtype: torch.dtype, rows: slice = ALL) -> engines.Tensors:
        """What a step of some members computes with: effective weights, or those that are trained."""
        if self.pruner.trains_weights:
            trained = {_name(layer): layer.shaped(layer.weight[rows]).to(dtype) for layer in self.layers}
            return self.surroundings.tensors(trained, dtype, rows)
        return self.tensors(dtype, rows)

    def tensors(self, dtype: torch.dtype, rows: slice = ALL) -> engines.Tensors:
        """What members are: effective weights under the present masks, and everything around them."""
        gate, effective = self.pruner.gate, {}
        for layer, flat in zip(self.layers, self._masks(rows), strict=True):
            mask = layer.shaped(flat)
            gain = gate.gain(layer.shaped(layer.weight[rows]), mask)
            effective[_name(layer)] = gate.effective_weight(layer.base(dtype, rows), mask, gain).to(dtype)
        return self.surroundings.tensors(effective, dtype, rows)

    def step(
        self, gradients: engines.Gradients, alive: Tensor, rate: float, step: int, rows: slice = ALL
    ) -> None:
        """One step of the optimiser; members that have failed stand still (on a GPU: get no gradient).

        Args:
            gradients: ∂loss/∂parameter of each member, [members, …].
            alive: Boolean [members].
            rate: Learning rate.
            step: Number of this step, from 0.
            rows: Which members.
        """
        update, _ = optimizer.OPTIMIZERS[self.training.optimizer]
        settings = optimizer.settings_of(self.training, rate, step)
        rank, straight_through = self.training.rank, self.pruner.trains_scores
        for layer in self.layers:
            value = layer.weight if layer.scores is None else layer.scores
            given = [tensor[rows] for tensor in (value, layer.weight, *layer.memory)]
            for slope, (own, base, *memory) in optimizer.blocks(gradients[_name(layer)], alive, *given):
                for piece in optimizer.pieces(own):
                    if straight_through:
                        change = selection.score_gradient(slope[piece], base[piece], own[piece], rank)
                    else:
                        change = slope[piece].to(own.dtype, copy=True)
                    update(own[piece], change, [past[piece] for past in memory], settings)
            if not straight_through:
                layer.weights_changed()
        self.surroundings.step(gradients, alive, update, settings, rows)

    def finite(self) -> Tensor:
        """Boolean [members]: whose trained values are finite."""
        sums = [
            (layer.weight if layer.scores is None else layer.scores).sum(1, dtype=torch.float64)
            for layer in self.layers
        ]
        sums += [
            values.flatten(1).sum(1, dtype=torch.float64) for values in self.surroundings.learned.values()
        ]
        return torch.isfinite(torch.stack(sums)).all(0)

    def silence(self, member: int) -> None:
        """Make a failed member's values finite, so that selection stays defined."""
        for layer in self.layers:
            for values in (layer.weight, layer.scores, *layer.memory):
                if values is not None:
                    values[member] = values[member].nan_to_num(0.0, 0.0, 0.0)
            layer.weights_changed()

    def refresh(self, event: int) -> None:
        """Fire the refresh's event of that number (from 1) in every layer."""
        refresh = self.pruner.refresh
        if refresh is None:
            return
        for layer, mask in zip(self.layers, self._masks(ALL), strict=True):
            draw = partial(self._fresh, layer.layer, event)
            key = self._key(layer, ALL)
            refresh.refresh(layer.weight, layer.origin, key, mask, event, draw, self.pruner.options)
            layer.weights_changed()

    def _fresh(self, layer: LayerShape, event: int, member: int) -> tuple[np.ndarray, np.random.RandomState]:
        level, init = self.levels[member]["refresh"], self.training.weight_init
        return weights.refresh_weights(self.seed, level, layer.name, event, layer.shape, init, self.factor)

    def live(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by name: what a checkpoint holds."""
        found: dict[str, Tensor] = {"emptied": self.emptied, **self.surroundings.live()}
        for position, layer in enumerate(self.layers):
            changing = {"scores": layer.scores, "origin": layer.origin}
            if layer.origin is not None or self.pruner.trains_weights:
                changing["weight"] = layer.weight
            changing |= {f"memory{at}": past for at, past in enumerate(layer.memory)}
            found |= {f"layer{position}/{kind}": t for kind, t in changing.items() if t is not None}
        return found


def fan_factor(pruner: pruners.Pruner, training: Training, density: float) -> float:
    """Factor on the fan of a population's base weights; 1 where the weights are trained densely."""
    return 1.0 if pruner.trains_weights else weights.fan_factor(training.fan_scale, density)


def mask_stream(state: State, layer: LayerShape, level: dict[str, int]) -> np.random.RandomState:
    """Stream of a control's mask."""
    return seeds.stream(state.seed, "mask", level["mask"], layer.name)


def _name(layer: LayerState) -> str:
    return f"{layer.layer.name}.weight"
