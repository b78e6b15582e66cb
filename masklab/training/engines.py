"""Losses, gradients and logits of many members of one plain network.

* `vmap`: all members in one batched call; best on GPUs and for small networks.
* `loop`: member after member, channels-last; best for larger convolutions on a CPU, where vmap lowers
  to slow grouped convolutions.

Both give the same numbers up to floating-point order.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.func import functional_call, vmap

from masklab.training.choice import Engine

Weights = Mapping[str, Tensor]
"""Layer name → [members, *weight]."""


def _parameters(weights: Weights) -> dict[str, Tensor]:
    return {f"{layer}.weight": weight for layer, weight in weights.items()}


def logits(
    engine: Engine, network: nn.Module, weights: Weights, images: Float[Tensor, "*members batch c h w"]
) -> Float[Tensor, "members batch classes"]:
    """Outputs of every member.

    Args:
        engine: Which engine computes.
        network: A plain module; its own weights are not used.
        weights: Effective weights, layer name → [members, *weight].
        images: Normalised images: one batch for all members, or one per member.
    """
    shared = images.ndim == 4
    parameters = _parameters(weights)
    if engine == "vmap":
        call: Callable[[dict[str, Tensor], Tensor], Tensor] = lambda p, x: functional_call(network, p, (x,))  # noqa: E731
        return vmap(call, in_dims=(0, None if shared else 0))(parameters, images)
    members = len(next(iter(weights.values())))
    outputs = []
    for member in range(members):
        batch = (images if shared else images[member]).contiguous(memory_format=torch.channels_last)
        own = {name: weight[member] for name, weight in parameters.items()}
        outputs.append(functional_call(network, own, (batch,)))
    return torch.stack(outputs)


def member_losses(
    outputs: Float[Tensor, "members batch classes"], labels: Integer[Tensor, "members batch"]
) -> Float[Tensor, " members"]:
    """Mean cross-entropy of each member over its batch, in nats."""
    losses = nn.functional.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none")
    return losses.view(labels.shape).mean(1)


def gradients(
    engine: Engine,
    network: nn.Module,
    weights: Weights,
    images: Float[Tensor, "members batch c h w"],
    labels: Integer[Tensor, "members batch"],
) -> tuple[Float[Tensor, " members"], dict[str, Tensor]]:
    """Losses, and ∂loss/∂effective weight of every member (layer name → [members, *weight])."""
    leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    if engine == "vmap":
        losses = member_losses(logits(engine, network, leaves, images), labels)
        found = torch.autograd.grad(losses.sum(), list(leaves.values()))
        return losses.detach(), dict(zip(leaves, found, strict=True))
    losses, collected = [], {name: torch.empty_like(weight) for name, weight in weights.items()}
    for member in range(len(images)):  # one graph at a time: activations of one member in memory
        own = {name: weight[member].detach().requires_grad_() for name, weight in weights.items()}
        batch = images[member].contiguous(memory_format=torch.channels_last)
        loss = nn.functional.cross_entropy(
            functional_call(network, _parameters(own), (batch,)), labels[member]
        )
        for name, gradient in zip(own, torch.autograd.grad(loss, list(own.values())), strict=True):
            collected[name][member] = gradient
        losses.append(loss.detach())
    return torch.stack(losses), collected
