"""Optimisers of scores (or of weights, where a control trains them), in place and piece by piece."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from masklab.study import Training

PIECE = 2**16
"""Elements per thread that are handled at once on a CPU, so that an update stays in the cache."""

_BETA_2, _EPSILON = 0.999, 1e-8


@dataclass(frozen=True)
class Settings:
    """What an update needs to know besides the gradient.

    Attributes:
        rate: Learning rate.
        momentum: SGD's momentum, or Adam's first decay rate.
        decay: Weight decay: this times the value is added to the gradient.
        step: Number of this step, from 1.
    """

    rate: float
    momentum: float
    decay: float
    step: int


Update = Callable[[Tensor, Tensor, Sequence[Tensor], Settings], None]
"""(value, gradient, memory, settings): changes value and memory in place; the gradient may be used up."""


def sgd(value: Tensor, gradient: Tensor, memory: Sequence[Tensor], settings: Settings) -> None:
    """V ← μ·v + g + λ·s; s ← s − η·v."""
    (velocity,) = memory
    velocity.mul_(settings.momentum).add_(gradient)
    if settings.decay:
        velocity.add_(value, alpha=settings.decay)
    value.sub_(velocity, alpha=settings.rate)


def adam(value: Tensor, gradient: Tensor, memory: Sequence[Tensor], settings: Settings) -> None:
    """Adam with β₂ = 0.999 and ε = 1e-8; weight decay enters the gradient.

    Source: Kingma & Ba, Adam (ICLR 2015), algorithm 1.
    """
    first, second = memory
    if settings.decay:
        gradient.add_(value, alpha=settings.decay)
    first.mul_(settings.momentum).add_(gradient, alpha=1 - settings.momentum)
    second.mul_(_BETA_2).addcmul_(gradient, gradient, value=1 - _BETA_2)
    corrected = math.sqrt(1 - _BETA_2**settings.step)
    divisor = second.sqrt().div_(corrected).add_(_EPSILON)
    value.addcdiv_(first, divisor, value=-settings.rate / (1 - settings.momentum**settings.step))


OPTIMIZERS: dict[str, tuple[Update, int]] = {"sgd": (sgd, 1), "adam": (adam, 2)}
"""Name → update, and how many tensors it remembers."""


def settings_of(training: Training, rate: float, step: int) -> Settings:
    """Settings of a recipe at one step (from 0)."""
    return Settings(rate, training.momentum, training.weight_decay, step + 1)


def pieces(tensor: Tensor) -> Iterator[slice]:
    """Ranges of a flat tensor that are updated one after the other; all at once on a GPU."""
    length = max(1, tensor.numel()) if tensor.is_cuda else PIECE * torch.get_num_threads()
    for start in range(0, tensor.numel(), length):
        yield slice(start, start + length)


def blocks(gradient: Tensor, alive: Tensor, *tensors: Tensor) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
    """A gradient and the tensors [members, …] that it changes, as flat blocks of members that are alive.

    On a GPU, where a look at `alive` would wait, the gradient of the others is zeroed instead.
    """
    if alive.is_cuda:
        gradient = torch.where(alive.view(-1, *[1] * (gradient.ndim - 1)), gradient, 0.0)
    if alive.is_cuda or bool(alive.all()):
        yield gradient.reshape(-1), tuple(tensor.view(-1) for tensor in tensors)
        return
    for member in torch.nonzero(alive).flatten().tolist():
        yield gradient[member].reshape(-1), tuple(tensor[member].view(-1) for tensor in tensors)
