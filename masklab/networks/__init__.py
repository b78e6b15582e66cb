"""Networks: plain modules, the builtin ones described without torch. The folder is the registry.

A family file offers `NAMES`, `describe(settings, input_shape, classes)` (no torch; every layer masked) and
`build(settings, input_shape, classes)`; `CHAIN = True` where its layers form a chain (see `chain`). Networks
from elsewhere are in `external`, modules that torch lacks in `modules`.
"""

import importlib
import math
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np

from masklab.errors import ConfigError, unknown
from masklab.networks import description, external
from masklab.networks.activations import ACTIVATIONS
from masklab.networks.description import Description, InputShape, LayerShape, Parameter, Settings

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "ACTIVATIONS",
    "BATCHNORMS",
    "Description",
    "LayerShape",
    "Parameter",
    "Settings",
    "chain",
    "check",
    "constructed",
    "describe",
    "names",
    "runs_code",
    "skeleton",
    "source_digest",
]

BATCHNORMS = ("frozen", "learned")
"""What may happen to scale and shift of batch norms."""


@runtime_checkable
class Family(Protocol):
    """What a file in this folder offers."""

    NAMES: tuple[str, ...]

    def describe(self, settings: Settings, input_shape: InputShape, classes: int) -> Description:
        """The network with every layer masked; ConfigError when the input does not survive it."""
        ...

    def build(self, settings: Settings, input_shape: InputShape, classes: int) -> "nn.Module":
        """The network, on whatever device is the default."""
        ...


@cache
def _families() -> Mapping[str, Family]:
    found = {}
    for entry in pkgutil.iter_modules(__path__):
        if entry.ispkg:
            continue
        module = importlib.import_module(f"{__name__}.{entry.name}")
        for name in getattr(module, "NAMES", ()):
            found[name] = cast(Family, module)
    return found


def names() -> list[str]:
    """Every builtin network's name."""
    return list(_families())


def runs_code(name: str) -> bool:
    """Whether building a network of that name runs a file that is neither masklab's nor torchvision's."""
    return external.runs_code(name)


def check(settings: Settings) -> None:
    """Check what can be checked without data and without torch.

    Raises:
        ConfigError: `name` is neither builtin nor of the shape of an external network, `activation` or
            `batchnorm` is unknown, `width` is not above 0, or a field has no effect on this network.
    """
    if ":" in settings.name:
        external.check(settings)
    elif settings.name not in _families():
        raise ConfigError(
            f"network.name: {unknown('network', settings.name, _families())}; or torchvision:<model>, or "
            "package.module:function"
        )
    if settings.activation not in ACTIVATIONS:
        raise ConfigError(f"network.activation: {unknown('activation', settings.activation, ACTIVATIONS)}")
    if settings.batchnorm not in BATCHNORMS:
        raise ConfigError(f"network.batchnorm: {unknown('batchnorm', settings.batchnorm, BATCHNORMS)}")
    if not (settings.width > 0 and math.isfinite(settings.width)):
        raise ConfigError(f"network.width must be a number above 0, got {settings.width}")


def describe(settings: Settings, input_shape: InputShape, classes: int) -> Description:
    """Layers, other parameters and running statistics of a network.

    Builtin networks are described without torch; an external one is built and run once on the CPU.

    Args:
        settings: The network.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.

    Raises:
        ConfigError: As `check`; a width that leaves a layer empty, an input that does not survive, an
            external network that cannot be had or masked, batch norm to learn where there is none, or
            patterns that match no layer or leave none.
    """
    check(settings)
    family = _families().get(settings.name)
    if family is None:
        from masklab.networks.external import inspection

        whole = inspection.describe(settings, input_shape, classes)
    else:
        whole = family.describe(settings, input_shape, classes)
        if any(layer.size == 0 for layer in whole.layers):
            raise ConfigError(
                f"network.width {settings.width} leaves a layer of {settings.name} without channels; give a "
                "larger one"
            )
    if settings.batchnorm == "learned" and not any(o.rule.startswith("learned") for o in whole.unmasked):
        raise ConfigError(
            f"network.batchnorm = 'learned': {settings.name} has no batch norm with a scale and a shift; "
            "allowed: frozen"
        )
    return description.select(whole, settings)


def chain(settings: Settings, input_shape: InputShape, classes: int) -> list[LayerShape] | None:
    """Every layer with weights, masked or not, of a network that is a chain; None for any other network.

    In a chain each layer reads the one before it and nothing else, the first one the image, and the last one
    gives the logits. What stands between them keeps channels apart; a flattening turns each channel into a
    run of as many inputs as it has pixels, channel after channel. Needs no torch.

    Args:
        settings: The network.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.

    Raises:
        ConfigError: The input does not survive the network.

    Examples:
        >>> [layer.name for layer in chain(Settings("mlp"), (1, 28, 28), 10)]
        ['fc1', 'fc2', 'fc3']
        >>> chain(Settings("resnet18"), (3, 32, 32), 10) is None
        True
    """
    family = _families().get(settings.name)
    if family is None or not getattr(family, "CHAIN", False):
        return None
    return family.describe(settings, input_shape, classes).layers


def source_digest(settings: Settings) -> str | None:
    """SHA-256 of the file that makes a network from outside; None for networks whose version is on record.

    Raises:
        ConfigError: It cannot be imported.
    """
    return None if settings.name in _families() else external.source_digest(settings)


def skeleton(settings: Settings, input_shape: InputShape, classes: int) -> "nn.Module":
    """The plain module, in training mode; parameters and running statistics are given to it from outside.

    Builtin networks are on the meta device and hold no values. External ones are on the CPU, with whatever
    else their constructors make (tables of positions, …) drawn from one seed, the same every time. No norm
    counts its batches.

    Args:
        settings: The network.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.

    Raises:
        ConfigError: As `describe`; what takes a run to know of an external network is not checked again.
    """
    import torch
    from torch import nn

    family = _families().get(settings.name)
    if family is None:
        check(settings)
        module = external.build(settings, input_shape, classes, seed=0)
    else:
        describe(settings, input_shape, classes)
        with torch.device("meta"):
            module = family.build(settings, input_shape, classes)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            part.num_batches_tracked = None
    return module.train()


def constructed(
    settings: Settings, input_shape: InputShape, classes: int, seed: int
) -> dict[str, np.ndarray]:
    """Values of the parameters that keep what the constructor gives them (rule `constructed`).

    Args:
        settings: The network.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.
        seed: Seed of torch's generator on the CPU while the network is built; its state outside is kept.

    Returns:
        Full name → float32 values; empty for builtin networks.

    Raises:
        ConfigError: As `check`, or an external network that cannot be had or masked.
    """
    check(settings)
    if settings.name in _families():
        return {}
    from masklab.networks.external import inspection

    return inspection.constructed(settings, input_shape, classes, seed)
