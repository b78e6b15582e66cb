"""Fully connected 300-100, the classic of the lottery ticket papers.

Source: LeCun et al., Gradient-based learning applied to document recognition, 1998.
"""

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from masklab.networks.activations import activation as make_activation

if TYPE_CHECKING:
    from torch import nn

NAMES = ("mlp",)

_HIDDEN = (300, 100)


def layers(
    name: str,
    input_shape: tuple[int, int, int],
    classes: int,
    width: float,
) -> list[tuple[str, tuple[int, ...]]]:
    """`fc1 … fc3`, outputs first.

    Examples:
        >>> layers("mlp", (1, 28, 28), 10, 1.0)
        [('fc1', (300, 784)), ('fc2', (100, 300)), ('fc3', (10, 100))]
    """
    widths = [math.prod(input_shape), *(int(hidden * width) for hidden in _HIDDEN), classes]
    return [(f"fc{i + 1}", (widths[i + 1], widths[i])) for i in range(len(widths) - 1)]


def build(
    name: str, input_shape: tuple[int, int, int], classes: int, width: float, activation: str
) -> "nn.Module":
    """Flatten, then linear layers with the activation between them, no biases."""
    from torch import nn

    modules: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    shapes = layers(name, input_shape, classes, width)
    for position, (layer, (outputs, inputs)) in enumerate(shapes, start=1):
        modules[layer] = nn.Linear(inputs, outputs, bias=False)
        if position < len(shapes):
            modules[f"act{position}"] = make_activation(activation)
    return nn.Sequential(modules)
