"""ResNet18 and ResNet34 for small images: a 3×3 stem without pooling, four stages of basic blocks.

Source: He et al., Deep residual learning, CVPR 2016; the variant for CIFAR of Diffenderfer & Kailkhura, ICLR
2021 (cResNet18). IteRand's code (Chijiwa et al., NeurIPS 2021) does not widen the stem; here `width` does.
"""

from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from masklab.networks import activations
from masklab.networks.description import Description, InputShape, LayerShape, Parameter, Settings

if TYPE_CHECKING:
    from torch import nn

NAMES = ("resnet18", "resnet34")

_CHANNELS = (64, 128, 256, 512)
_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


def _blocks(settings: Settings) -> Iterator[tuple[int, int, int, int, int]]:
    """Stage (from 1), position in it (from 0), input channels, output channels, stride of every block."""
    inputs = int(_CHANNELS[0] * settings.width)
    for stage, count in enumerate(_BLOCKS[settings.name], start=1):
        outputs = int(_CHANNELS[stage - 1] * settings.width)
        for position in range(count):
            stride = 2 if stage > 1 and position == 0 else 1
            yield stage, position, inputs, outputs, stride
            inputs = outputs


def describe(settings: Settings, input_shape: InputShape, classes: int) -> Description:
    """`conv1`, `layer1.0.conv1 …`, `fc`; a block's `shortcut.conv` after its other two.

    Examples:
        >>> described = describe(Settings("resnet18"), (3, 32, 32), 10)
        >>> sum(layer.size for layer in described.layers)
        11164352
    """
    stem = int(_CHANNELS[0] * settings.width)
    layers, norms = [LayerShape("conv1", (stem, input_shape[0], 3, 3))], [("bn1", stem)]
    for stage, position, inputs, outputs, stride in _blocks(settings):
        block = f"layer{stage}.{position}"
        layers += [
            LayerShape(f"{block}.conv1", (outputs, inputs, 3, 3)),
            LayerShape(f"{block}.conv2", (outputs, outputs, 3, 3)),
        ]
        norms += [(f"{block}.bn1", outputs), (f"{block}.bn2", outputs)]
        if stride != 1 or inputs != outputs:
            layers.append(LayerShape(f"{block}.shortcut.conv", (outputs, inputs, 1, 1)))
            norms.append((f"{block}.shortcut.bn", outputs))
    layers.append(LayerShape("fc", (classes, int(_CHANNELS[-1] * settings.width))))
    learned = (("weight", "learned-one"), ("bias", "learned-zero")) if settings.batchnorm == "learned" else ()
    return Description(
        layers,
        [
            Parameter(f"{norm}.{kind}", (channels,), rule)
            for norm, channels in norms
            for kind, rule in learned
        ],
        [
            (f"{norm}.{kind}", (channels,))
            for norm, channels in norms
            for kind in ("running_mean", "running_var")
        ],
    )


def build(settings: Settings, input_shape: InputShape, classes: int) -> "nn.Module":
    """The network, without biases; batch norms have a scale and a shift only where they are learned."""
    from torch import nn

    from masklab.networks.modules import residual

    affine, activation = settings.batchnorm == "learned", partial(activations.activation, settings.activation)
    stem = int(_CHANNELS[0] * settings.width)
    modules: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(input_shape[0], stem, 3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(stem, affine=affine),
        act1=activation(),
    )
    stages: dict[str, list[nn.Module]] = {}
    for stage, _, inputs, outputs, stride in _blocks(settings):
        block = residual.BasicBlock(inputs, outputs, stride, affine, activation)
        stages.setdefault(f"layer{stage}", []).append(block)
    modules |= {name: nn.Sequential(*blocks) for name, blocks in stages.items()}
    modules |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    modules["fc"] = nn.Linear(int(_CHANNELS[-1] * settings.width), classes, bias=False)
    return nn.Sequential(modules)
