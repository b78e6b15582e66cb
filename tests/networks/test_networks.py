import math
from itertools import pairwise

import pytest
import torch

from masklab import networks
from masklab.errors import ConfigError

CIFAR = (3, 32, 32)

WEIGHTS = {
    "conv2": {0.1: 39_761, 0.25: 269_616, 0.5: 1_076_320, 1: 4_300_992, 2: 17_195_392},
    "conv4": {0.1: 22_505, 0.25: 152_368, 0.5: 607_328, 1: 2_425_024, 2: 9_691_520},
    "conv6": {0.1: 21_630, 0.25: 142_128, 0.5: 566_368, 1: 2_261_184, 2: 9_036_160},
    "conv8": {0.1: 51_614, 0.25: 330_544, 0.5: 1_320_032, 1: 5_275_840, 2: 21_094_784},
}
"""Weights on CIFAR-10 by width, as the papers have them."""

FITTING = {"conv2": (1, 8, 8), "conv4": (3, 5, 9), "conv6": (1, 8, 8), "conv8": CIFAR, "mlp": (2, 3, 3)}
"""An image shape that each network accepts."""


def test_every_network_is_covered_here() -> None:
    assert set(networks.names()) == set(FITTING)


@pytest.mark.parametrize(
    ("name", "width", "weights"), [(name, *case) for name, cases in WEIGHTS.items() for case in cases.items()]
)
def test_weight_counts_of_the_papers(name: str, width: float, weights: int) -> None:
    assert sum(layer.size for layer in networks.layers(name, CIFAR, 10, float(width))) == weights


def test_layer_sizes_of_conv6() -> None:
    sizes = [layer.size for layer in networks.layers("conv6", CIFAR, 10, 1.0)]
    assert sizes == [1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 1_048_576, 65_536, 2_560]


@pytest.mark.parametrize(("name", "pairs"), [("conv2", 1), ("conv4", 2), ("conv6", 3), ("conv8", 4)])
def test_each_pair_of_convolutions_is_followed_by_pooling(name: str, pairs: int) -> None:
    module = networks.build(name, CIFAR, 10, 0.1, "relu")
    pair = ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"]
    head = ["Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert [type(part).__name__ for part in module.children()] == pair * pairs + head
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d):
            assert (part.kernel_size, part.padding, part.stride) == ((3, 3), (1, 1), (1, 1))
        if isinstance(part, torch.nn.MaxPool2d):
            assert (part.kernel_size, part.stride) == (2, 2)


def test_layers_of_the_multilayer_perceptron() -> None:
    layers = networks.layers("mlp", (1, 28, 28), 10, 1.0)
    assert [layer.shape for layer in layers] == [(300, 784), (100, 300), (10, 100)]


@pytest.mark.parametrize("activation", networks.ACTIVATIONS)
@pytest.mark.parametrize("name", networks.names())
def test_the_module_has_exactly_the_layers_promised(name: str, activation: str) -> None:
    promised = networks.layers(name, FITTING[name], 7, 0.1)
    module = networks.build(name, FITTING[name], 7, 0.1, activation)
    parameters = [(key, tuple(value.shape)) for key, value in module.named_parameters()]
    assert parameters == [(f"{layer.name}.weight", layer.shape) for layer in promised]
    assert not list(module.buffers())
    kind = getattr(torch.nn, networks.ACTIVATIONS[activation])
    assert sum(isinstance(part, kind) for part in module.modules()) == len(promised) - 1


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", networks.names())
def test_forward_gives_one_row_of_logits_per_image(name: str, batch: int) -> None:
    module = networks.build(name, FITTING[name], 7, 0.1, "relu")
    with torch.no_grad():
        assert module(torch.ones(batch, *FITTING[name])).shape == (batch, 7)


@pytest.mark.parametrize("name", networks.names())
def test_layers_are_listed_in_the_order_of_the_forward_pass(name: str) -> None:
    module = networks.build(name, FITTING[name], 7, 0.1, "relu")
    called: list[str] = []
    for key, part in module.named_modules():
        if list(part.parameters(recurse=False)):
            part.register_forward_hook(lambda *_, key=key: called.append(key))
    with torch.no_grad():
        module(torch.ones(1, *FITTING[name]))
    assert called == [layer.name for layer in networks.layers(name, FITTING[name], 7, 0.1)]


def test_the_relu_network_computes_the_product_of_its_layers() -> None:
    module = networks.build("mlp", (1, 2, 2), 3, 0.02, "relu").double()
    inputs = torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(2, 1, 2, 2)
    values = inputs.flatten(1)
    weights = list(module.parameters())
    for weight, following in pairwise(weights):
        assert following.shape[1] == weight.shape[0]
        values = (values @ weight.T).clamp(min=0)
    torch.testing.assert_close(module(inputs), values @ weights[-1].T)


@pytest.mark.parametrize(
    ("name", "shape", "enough"),
    [
        ("conv2", (1, 1, 8), "2×2"),
        ("conv4", (1, 8, 3), "4×4"),
        ("conv6", (3, 7, 7), "8×8"),
        ("conv8", (1, 8, 8), "16×16"),
    ],
)
def test_small_images_are_refused_with_the_size_that_would_do(
    name: str, shape: tuple[int, int, int], enough: str
) -> None:
    for attempt in (
        lambda: networks.layers(name, shape, 10, 1.0),
        lambda: networks.build(name, shape, 10, 1.0, "relu"),
    ):
        with pytest.raises(ConfigError, match=f"at least {enough} would do"):
            attempt()
    side = int(enough.partition("×")[0])
    smallest = networks.layers(name, (shape[0], side, side), 10, 1.0)
    assert smallest[-3].shape[1] == math.prod(smallest[-4].shape[:1])


@pytest.mark.parametrize(("name", "width"), [("conv2", 0.015), ("conv8", 0.0039), ("mlp", 0.009)])
def test_a_width_without_channels_is_refused(name: str, width: float) -> None:
    with pytest.raises(ConfigError, match=f"network.width {width} leaves a layer of {name} without channels"):
        networks.layers(name, CIFAR, 10, width)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown network 'conv_2' \(did you mean 'conv2'\?\)"):
        networks.layers("conv_2", CIFAR, 10, 1.0)
    with pytest.raises(
        ConfigError, match=r"unknown activation 'rleu' \(did you mean 'relu'\?\); known: gelu"
    ):
        networks.build("conv2", CIFAR, 10, 1.0, "rleu")
