"""Networks: plain modules, described without torch. The folder is the registry.

A family file offers `NAMES`, `layers(name, input_shape, classes, width)` (no torch needed) and
`build(name, input_shape, classes, width, activation)`.
"""

import importlib
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from masklab.errors import ConfigError, unknown
from masklab.networks.activations import ACTIVATIONS

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ACTIVATIONS", "LayerShape", "build", "layers", "names", "skeleton"]

InputShape = tuple[int, int, int]


@dataclass(frozen=True)
class LayerShape:
    """Name and weight shape (outputs first) of a layer."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)


@runtime_checkable
class Family(Protocol):
    """What a file in this folder offers."""

    NAMES: tuple[str, ...]

    def layers(
        self, name: str, input_shape: InputShape, classes: int, width: float
    ) -> list[tuple[str, tuple[int, ...]]]:
        """Layers in forward order; ConfigError when the input does not survive the network."""
        ...

    def build(
        self, name: str, input_shape: InputShape, classes: int, width: float, activation: str
    ) -> "nn.Module":
        """The network."""
        ...


@cache
def _families() -> Mapping[str, Family]:
    found = {}
    for entry in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        for name in getattr(module, "NAMES", ()):
            found[name] = cast(Family, module)
    return found


def names() -> list[str]:
    """Every network name."""
    return list(_families())


def _family(name: str) -> Family:
    if name not in _families():
        raise ConfigError(unknown("network", name, _families()))
    return _families()[name]


def layers(name: str, input_shape: InputShape, classes: int, width: float) -> list[LayerShape]:
    """Masked layers of a network in forward order, without torch.

    Args:
        name: A network's name.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.
        width: Factor on every channel count and hidden width.

    Raises:
        ConfigError: No such network, a width that leaves a layer empty, or an input that does not
            survive its pooling.
    """
    shapes = [LayerShape(*layer) for layer in _family(name).layers(name, input_shape, classes, width)]
    if any(layer.size == 0 for layer in shapes):
        raise ConfigError(
            f"network.width {width} leaves a layer of {name} without channels; give a larger one"
        )
    return shapes


def skeleton(name: str, input_shape: InputShape, classes: int, width: float, activation: str) -> "nn.Module":
    """The network without memory for weights, which are given to it from outside.

    Raises:
        ConfigError: As `build`.
    """
    import torch

    with torch.device("meta"):
        return build(name, input_shape, classes, width, activation)


def build(name: str, input_shape: InputShape, classes: int, width: float, activation: str) -> "nn.Module":
    """The network as a plain module without biases, on whatever device is the default.

    Raises:
        ConfigError: As `layers`, or an unknown activation.
    """
    if activation not in ACTIVATIONS:
        raise ConfigError(unknown("activation", activation, ACTIVATIONS))
    return _family(name).build(name, input_shape, classes, width, activation)
