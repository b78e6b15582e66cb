"""Losses, gradients and logits of many members of one plain network.

* `vmap`: all members in one batched call; best on GPUs and for small networks.
* `loop`: member after member, channels-last; best for larger convolutions on a CPU, where vmap lowers
  to slow grouped convolutions.

Both give the same numbers up to floating-point order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.func import functional_call, vmap

from masklab.training.choice import Engine

Gradients = dict[str, Tensor]
"""Parameter name → gradient of each member, [members, …]."""


@dataclass(frozen=True)
class Tensors:
    """Everything that a network needs, member axis first, by the names of its state dict.

    Attributes:
        trained: Parameters whose gradient is wanted: effective weights, learned batch normalisation.
        fixed: All other parameters.
        buffers: Running statistics; in training they change in place.
    """

    trained: Mapping[str, Tensor]
    fixed: Mapping[str, Tensor] = field(default_factory=dict)
    buffers: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def members(self) -> int:
        """Length of the member axis."""
        return len(next(iter(self.trained.values())))

    def of(self, member: int, trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """State of one member, with these trained parameters; buffers are views."""
        rest = {name: values[member] for name, values in (*self.fixed.items(), *self.buffers.items())}
        return {**trained, **rest}


def _mode(network: nn.Module, training: bool | None) -> None:
    if training is not None and network.training is not training:
        network.train(training)


def _last(values: Tensor) -> Tensor:
    """Images and convolution weights with their channels last, as convolutions are fastest on a CPU."""
    return values.contiguous(memory_format=torch.channels_last) if values.ndim == 4 else values


def logits(
    engine: Engine,
    network: nn.Module,
    tensors: Tensors,
    images: Float[Tensor, "*members batch c h w"],
    training: bool | None = False,
) -> Float[Tensor, "members batch classes"]:
    """Outputs of every member, float32.

    Args:
        engine: Which engine computes.
        network: A plain module; its own parameters are not used.
        tensors: Parameters and running statistics, in the images' precision.
        images: Normalised images: one batch for all members, or one per member.
        training: Whether layers that tell training from evaluation behave as in training; None: as they are.
    """
    _mode(network, training)
    shared = images.ndim == 4
    if engine == "vmap":
        state = {**tensors.trained, **tensors.fixed, **tensors.buffers}
        call: Callable[[dict[str, Tensor], Tensor], Tensor] = lambda s, x: functional_call(network, s, (x,))  # noqa: E731
        batched = vmap(call, in_dims=(0, None if shared else 0), randomness="different")
        return batched(state, images).float()
    outputs = []
    for member in range(tensors.members):
        own = tensors.of(member, {name: _last(values[member]) for name, values in tensors.trained.items()})
        outputs.append(functional_call(network, own, (_last(images if shared else images[member]),)))
    return torch.stack(outputs).float()


def member_losses(
    outputs: Float[Tensor, "members batch classes"],
    labels: Integer[Tensor, "members batch"],
    smoothing: float = 0.0,
) -> Float[Tensor, " members"]:
    """Mean cross-entropy of each member over its batch, in nats."""
    losses = nn.functional.cross_entropy(
        outputs.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=smoothing
    )
    return losses.view(labels.shape).mean(1)


def gradients(
    engine: Engine,
    network: nn.Module,
    tensors: Tensors,
    images: Float[Tensor, "members batch c h w"],
    labels: Integer[Tensor, "members batch"],
    smoothing: float = 0.0,
) -> tuple[Float[Tensor, " members"], Gradients]:
    """Losses of every member, and the gradient for each trained parameter; running statistics advance.

    Args:
        engine: Which engine computes.
        network: A plain module; its own parameters are not used.
        tensors: Parameters and running statistics, in the images' precision.
        images: Normalised images of each member.
        labels: Their classes.
        smoothing: Share of each label that is spread over all classes.
    """
    if engine == "vmap":
        leaves = {name: values.detach().requires_grad_() for name, values in tensors.trained.items()}
        outputs = logits(
            engine, network, Tensors(leaves, tensors.fixed, tensors.buffers), images, training=True
        )
        losses = member_losses(outputs, labels, smoothing)
        found = torch.autograd.grad(losses.sum(), list(leaves.values()))
        return losses.detach(), dict(zip(leaves, found, strict=True))
    _mode(network, True)
    each: list[Tensor] = []
    collected: dict[str, list[Tensor]] = {name: [] for name in tensors.trained}
    for member in range(len(images)):  # one graph at a time: activations of one member in memory
        own = {name: _last(values[member]).detach() for name, values in tensors.trained.items()}
        for leaf in own.values():
            leaf.requires_grad_()
        outputs = functional_call(network, tensors.of(member, own), (_last(images[member]),))
        loss = nn.functional.cross_entropy(outputs.float(), labels[member], label_smoothing=smoothing)
        for name, gradient in zip(own, torch.autograd.grad(loss, list(own.values())), strict=True):
            collected[name].append(gradient)
        each.append(loss.detach())
    return torch.stack(each), {name: _stacked(found) for name, found in collected.items()}


def _stacked(tensors: list[Tensor]) -> Tensor:
    """One tensor with a member axis; a single member's is not copied."""
    return tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)
