"""Random numbers that a network draws in training, as dropout does."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from masklab import seeds
from masklab.training import engines


def draws(network: nn.Module, tensors: engines.Tensors, images: Float[Tensor, "batch c h w"]) -> bool:
    """Whether a forward pass in training mode draws from torch's generators, which stay as they are.

    Args:
        network: A plain module.
        tensors: What one member needs; its running statistics are copied.
        images: A few normalised images.
    """
    on_gpu = images.is_cuda
    own = engines.Tensors(
        tensors.trained, tensors.fixed, {name: values.clone() for name, values in tensors.buffers.items()}
    )
    with torch.random.fork_rng(devices=[images.device] if on_gpu else []), torch.no_grad():
        before = _states(images.device)
        engines.logits("loop", network, own, images, training=True)
        after = _states(images.device)
    return any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


def _states(device: torch.device) -> list[Tensor]:
    """States of the generators that a network on a device may use."""
    found = [torch.get_rng_state()]
    return [*found, torch.cuda.get_rng_state(device)] if device.type == "cuda" else found


def start(study_seed: int, level: Mapping[str, int], epoch: int) -> int:
    """Where a member's random layers begin in an epoch: a seed for torch, to which the step is added."""
    return int(seeds.stream(study_seed, "augment", level["augment"], "layers", epoch).randint(2**40))


def seed(number: int, device: torch.device) -> None:
    """Seed torch's generators that a network on a device may use."""
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)
