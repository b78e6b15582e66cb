"""What a network needs besides its masked weights: other parameters and running statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from masklab import networks, seeds, weights
from masklab.networks import Parameter, Settings
from masklab.training import engines, optimizer

_CONSTANTS = {"zero": 0.0, "one": 1.0, "learned-zero": 0.0, "learned-one": 1.0}
_LEARNED = ("learned-zero", "learned-one")
_VARIANCE = "running_var"


@dataclass
class Surroundings:
    """Parameters that are not masked, and running statistics; all [members, …].

    Attributes:
        fixed: Parameters that stay as they are.
        learned: Parameters that are trained beside the scores (batch normalisation), float32.
        memory: What the optimiser remembers of them.
        buffers: Running statistics, float32.
        stored: Names of the fixed parameters that no recipe gives: a member file holds them.
    """

    fixed: dict[str, Tensor] = field(default_factory=dict)
    learned: dict[str, Tensor] = field(default_factory=dict)
    memory: dict[str, list[Tensor]] = field(default_factory=dict)
    buffers: dict[str, Tensor] = field(default_factory=dict)
    stored: tuple[str, ...] = ()
    _cast: dict[torch.dtype, dict[str, Tensor]] = field(default_factory=dict)

    def tensors(self, trained: Mapping[str, Tensor], dtype: torch.dtype, rows: slice) -> engines.Tensors:
        """These of some members, with their masked layers' weights; normalisation stays in float32."""
        if dtype not in self._cast:
            normal = {name.rpartition(".")[0] for name in self.buffers}
            self._cast[dtype] = {
                name: values if name.rpartition(".")[0] in normal else values.to(dtype)
                for name, values in self.fixed.items()
            }
        learned, fixed, buffers = (
            {name: values[rows] for name, values in group.items()}
            for group in (self.learned, self._cast[dtype], self.buffers)
        )
        return engines.Tensors({**trained, **learned}, fixed, buffers)

    def step(
        self,
        gradients: engines.Gradients,
        alive: Tensor,
        update: optimizer.Update,
        settings: optimizer.Settings,
        rows: slice,
    ) -> None:
        """One step of the optimiser on what is learned; without weight decay, as in the published code."""
        settings = replace(settings, decay=0.0)
        for name, values in self.learned.items():
            given = [tensor[rows] for tensor in (values, *self.memory[name])]
            for slope, (own, *memory) in optimizer.blocks(gradients[name], alive, *given):
                update(own, slope.to(own.dtype, copy=True), memory, settings)

    def live(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by name."""
        found = {f"learned/{name}": values for name, values in self.learned.items()}
        found |= {f"buffer/{name}": values for name, values in self.buffers.items()}
        for name, memory in self.memory.items():
            found |= {f"memory{at}/{name}": past for at, past in enumerate(memory)}
        return found

    def of_member(self, member: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """(parameters, running statistics) of one member that its file must hold."""
        parameters = {name: self.fixed[name] for name in self.stored} | self.learned

        def taken(values: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
            return {name: tensor[member].cpu().numpy().copy() for name, tensor in values.items()}

        return taken(parameters), taken(self.buffers)


def initial(
    settings: Settings,
    input_shape: tuple[int, int, int],
    classes: int,
    unmasked: Sequence[Parameter],
    buffers: Sequence[tuple[str, tuple[int, ...]]],
    draws: tuple[int, Sequence[int], str],
    slots: int,
    device: str,
) -> Surroundings:
    """Surroundings of a cohort before its first step.

    Args:
        settings: The network.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.
        unmasked: Parameters that are not masked.
        buffers: Name and shape of the running statistics.
        draws: The study's seed, each member's draw of the weights, their distribution.
        slots: Tensors that the optimiser remembers per parameter.
        device: Where the tensors live.
    """
    seed, levels, init = draws
    found = Surroundings(stored=tuple(p.name for p in unmasked if p.rule == "constructed"))

    @cache
    def constructed(level: int) -> dict[str, np.ndarray]:
        number = int(seeds.stream(seed, "weights", level, "constructed").randint(2**31))
        return networks.constructed(settings, input_shape, classes, number)

    for parameter in unmasked:
        if parameter.rule in _CONSTANTS:
            value = torch.full(parameter.shape, _CONSTANTS[parameter.rule], device=device)
            values = value.expand(len(levels), *parameter.shape)
        else:
            each = {
                level: constructed(level)[parameter.name]
                if parameter.rule == "constructed"
                else drawn(parameter, seed, level, init)
                for level in dict.fromkeys(levels)
            }
            values = torch.from_numpy(np.stack([each[level] for level in levels])).to(device)
        if parameter.rule in _LEARNED:
            found.learned[parameter.name] = values.clone()
            found.memory[parameter.name] = [torch.zeros_like(values.clone()) for _ in range(slots)]
        else:
            found.fixed[parameter.name] = values
    for name, shape in buffers:
        start = 1.0 if name.endswith(_VARIANCE) else 0.0
        found.buffers[name] = torch.full((len(levels), *shape), start, device=device)
    return found


def drawn(parameter: Parameter, seed: int, level: int, init: str) -> np.ndarray:
    """Frozen random weights of a layer that is not masked, from the recipe; the fan is not scaled."""
    layer = parameter.name.removesuffix(".weight")
    return weights.initial_weights(seed, level, layer, parameter.shape, init, 1.0).reshape(parameter.shape)


def constant(parameter: Parameter) -> Tensor | None:
    """Value of a parameter that its rule alone gives; None for any other."""
    if parameter.rule not in _CONSTANTS or parameter.rule in _LEARNED:
        return None
    return torch.full(parameter.shape, _CONSTANTS[parameter.rule])
