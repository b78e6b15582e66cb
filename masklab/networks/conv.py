"""Conv2, Conv4, Conv6, Conv8: VGG-like, pairs of 3×3 convolutions, each pair followed by pooling.

Source: Frankle & Carbin, The Lottery Ticket Hypothesis, ICLR 2019 (Conv2–6); Ramanujan et al., CVPR 2020
(Conv8).
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

from masklab.errors import ConfigError
from masklab.networks.activations import activation as make_activation

if TYPE_CHECKING:
    from torch import nn

NAMES = ("conv2", "conv4", "conv6", "conv8")

_CHANNELS = (64, 128, 256, 512)
_HIDDEN = (256, 256)


def _pairs(name: str) -> int:
    return int(name.removeprefix("conv")) // 2


def layers(
    name: str, input_shape: tuple[int, int, int], classes: int, width: float
) -> list[tuple[str, tuple[int, ...]]]:
    """`conv1 …`, `fc1 … fc3`; every channel count and hidden width times `width`, rounded down.

    Raises:
        ConfigError: The image does not survive the poolings.

    Examples:
        >>> import math
        >>> sum(math.prod(shape) for _, shape in layers("conv6", (3, 32, 32), 10, 1.0))
        2261184
    """
    pairs = _pairs(name)
    channels, height, breadth = input_shape
    smallest = 2**pairs
    if min(height, breadth) < smallest:
        raise ConfigError(
            f"network {name} pools {pairs} times: images of {height}×{breadth} pixels do not survive; "
            f"at least {smallest}×{smallest} would do (or a shallower network)"
        )
    found: list[tuple[str, tuple[int, ...]]] = []
    for pair in range(pairs):
        outputs = int(_CHANNELS[pair] * width)
        for _ in range(2):
            found.append((f"conv{len(found) + 1}", (outputs, channels, 3, 3)))
            channels = outputs
    flat = channels * (height >> pairs) * (breadth >> pairs)
    widths = [flat, *(int(hidden * width) for hidden in _HIDDEN), classes]
    return found + [(f"fc{i + 1}", (widths[i + 1], widths[i])) for i in range(len(widths) - 1)]


def build(
    name: str, input_shape: tuple[int, int, int], classes: int, width: float, activation: str
) -> "nn.Module":
    """The network, without biases."""
    from torch import nn

    modules: OrderedDict[str, nn.Module] = OrderedDict()
    shapes = layers(name, input_shape, classes, width)
    for position, (layer, shape) in enumerate(shapes, start=1):
        if len(shape) == 4:
            modules[layer] = nn.Conv2d(shape[1], shape[0], 3, padding=1, bias=False)
            modules[f"act{position}"] = make_activation(activation)
            if position % 2 == 0:
                modules[f"pool{position // 2}"] = nn.MaxPool2d(2)
            continue
        if "flatten" not in modules:
            modules["flatten"] = nn.Flatten()
        modules[layer] = nn.Linear(shape[1], shape[0], bias=False)
        if position < len(shapes):
            modules[f"act{position}"] = make_activation(activation)
    return nn.Sequential(modules)
