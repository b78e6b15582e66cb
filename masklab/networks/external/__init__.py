"""Networks from elsewhere: `torchvision:<model>` and `package.module:function`."""

from typing import TYPE_CHECKING

from masklab.networks.description import InputShape, Settings
from masklab.networks.external import function, torchvision_models

if TYPE_CHECKING:
    from torch import nn

__all__ = ["build", "check", "runs_code", "source_digest"]


def runs_code(name: str) -> bool:
    """Whether a network's name says that its code is the user's."""
    return ":" in name and not name.startswith(torchvision_models.PREFIX)


def check(settings: Settings) -> None:
    """Check what the name's shape says, without importing anything.

    Raises:
        ConfigError: The name has neither shape, or a field has no effect on such a network.
    """
    if settings.name.startswith(torchvision_models.PREFIX):
        torchvision_models.check(settings)
    else:
        function.check(settings)


def source_digest(settings: Settings) -> str | None:
    """SHA-256 of the user's own file; None for torchvision's models, whose version is on record.

    Raises:
        ConfigError: It cannot be imported.
    """
    return None if settings.name.startswith(torchvision_models.PREFIX) else function.source_digest(settings)


def build(settings: Settings, input_shape: InputShape, classes: int, seed: int) -> "nn.Module":
    """The network on the CPU, as its constructor initialises it after seeding torch.

    Args:
        settings: The network; its name is an external one.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.
        seed: Seed of torch's generator on the CPU, whose state outside is kept.

    Raises:
        ConfigError: The network cannot be had.
    """
    import torch

    source = torchvision_models if settings.name.startswith(torchvision_models.PREFIX) else function
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPUs outside as well
        return source.build(settings, input_shape, classes)
