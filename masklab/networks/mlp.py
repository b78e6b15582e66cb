"""Fully connected 300-100, the classic of the lottery ticket papers.

Source: LeCun et al., Gradient-based learning applied to document recognition, 1998.
"""

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from masklab.networks import activations
from masklab.networks.description import Description, InputShape, LayerShape, Settings

if TYPE_CHECKING:
    from torch import nn

NAMES = ("mlp",)

CHAIN = True
"""Each layer reads the one before it and nothing else."""

_HIDDEN = (300, 100)


def describe(settings: Settings, input_shape: InputShape, classes: int) -> Description:
    """`fc1 … fc3`, outputs first.

    Examples:
        >>> [layer.shape for layer in describe(Settings("mlp"), (1, 28, 28), 10).layers]
        [(300, 784), (100, 300), (10, 100)]
    """
    widths = [math.prod(input_shape), *(int(hidden * settings.width) for hidden in _HIDDEN), classes]
    return Description([LayerShape(f"fc{i + 1}", (widths[i + 1], widths[i])) for i in range(len(widths) - 1)])


def build(settings: Settings, input_shape: InputShape, classes: int) -> "nn.Module":
    """Flatten, then linear layers with the activation between them, no biases."""
    from torch import nn

    modules: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    layers = describe(settings, input_shape, classes).layers
    for position, layer in enumerate(layers, start=1):
        modules[layer.name] = nn.Linear(layer.shape[1], layer.shape[0], bias=False)
        if position < len(layers):
            modules[f"act{position}"] = activations.activation(settings.activation)
    return nn.Sequential(modules)
