"""Conv2, Conv4, Conv6, Conv8: VGG-like, pairs of 3×3 convolutions, each pair followed by pooling.

Source: Frankle & Carbin, The Lottery Ticket Hypothesis, ICLR 2019 (Conv2–6); Ramanujan et al., CVPR 2020
(Conv8).
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

from masklab.errors import ConfigError
from masklab.networks import activations
from masklab.networks.description import Description, InputShape, LayerShape, Settings

if TYPE_CHECKING:
    from torch import nn

NAMES = ("conv2", "conv4", "conv6", "conv8")

CHAIN = True
"""Each layer reads the one before it and nothing else."""

_CHANNELS = (64, 128, 256, 512)
_HIDDEN = (256, 256)


def _pairs(name: str) -> int:
    return int(name.removeprefix("conv")) // 2


def describe(settings: Settings, input_shape: InputShape, classes: int) -> Description:
    """`conv1 …`, `fc1 … fc3`; every channel count and hidden width times `width`, rounded down.

    Raises:
        ConfigError: The image does not survive the poolings.

    Examples:
        >>> sum(layer.size for layer in describe(Settings("conv6"), (3, 32, 32), 10).layers)
        2261184
    """
    pairs = _pairs(settings.name)
    channels, height, breadth = input_shape
    smallest = 2**pairs
    if min(height, breadth) < smallest:
        raise ConfigError(
            f"network {settings.name} pools {pairs} times: images of {height}×{breadth} pixels do not "
            f"survive; at least {smallest}×{smallest} would do (or a shallower network)"
        )
    layers: list[LayerShape] = []
    for pair in range(pairs):
        outputs = int(_CHANNELS[pair] * settings.width)
        for _ in range(2):
            layers.append(LayerShape(f"conv{len(layers) + 1}", (outputs, channels, 3, 3)))
            channels = outputs
    flat = channels * (height >> pairs) * (breadth >> pairs)
    widths = [flat, *(int(hidden * settings.width) for hidden in _HIDDEN), classes]
    heads = [LayerShape(f"fc{i + 1}", (widths[i + 1], widths[i])) for i in range(len(widths) - 1)]
    return Description(layers + heads)


def build(settings: Settings, input_shape: InputShape, classes: int) -> "nn.Module":
    """The network, without biases."""
    from torch import nn

    modules: OrderedDict[str, nn.Module] = OrderedDict()
    layers = describe(settings, input_shape, classes).layers
    for position, layer in enumerate(layers, start=1):
        outputs, inputs = layer.shape[:2]
        if len(layer.shape) == 4:
            modules[layer.name] = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            modules[f"act{position}"] = activations.activation(settings.activation)
            if position % 2 == 0:
                modules[f"pool{position // 2}"] = nn.MaxPool2d(2)
            continue
        if "flatten" not in modules:
            modules["flatten"] = nn.Flatten()
        modules[layer.name] = nn.Linear(inputs, outputs, bias=False)
        if position < len(layers):
            modules[f"act{position}"] = activations.activation(settings.activation)
    return nn.Sequential(modules)
