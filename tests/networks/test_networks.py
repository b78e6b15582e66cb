import math
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.func import functional_call

from masklab import networks
from masklab.errors import ConfigError

CIFAR = (3, 32, 32)

WEIGHTS = {
    "conv2": {0.1: 39_761, 0.25: 269_616, 0.5: 1_076_320, 1: 4_300_992, 2: 17_195_392},
    "conv4": {0.1: 22_505, 0.25: 152_368, 0.5: 607_328, 1: 2_425_024, 2: 9_691_520},
    "conv6": {0.1: 21_630, 0.25: 142_128, 0.5: 566_368, 1: 2_261_184, 2: 9_036_160},
    "conv8": {0.1: 51_614, 0.25: 330_544, 0.5: 1_320_032, 1: 5_275_840, 2: 21_094_784},
    "resnet18": {1: 11_164_352},
    "resnet34": {1: 21_265_088},
}
"""Weights on CIFAR-10 by width, as the papers have them."""

FITTING = {
    "conv2": (1, 8, 8),
    "conv4": (3, 5, 9),
    "conv6": (1, 8, 8),
    "conv8": CIFAR,
    "mlp": (2, 3, 3),
    "resnet18": (2, 9, 7),
    "resnet34": (1, 8, 8),
}
"""An image shape that each network accepts."""

PLAIN = ("conv2", "conv4", "conv6", "conv8", "mlp")
"""Networks without batch norm."""


def layers(name: str, shape: tuple[int, int, int], classes: int, width: float) -> list[networks.LayerShape]:
    return networks.describe(networks.Settings(name, width), shape, classes).layers


def filled(settings: networks.Settings, shape: tuple[int, int, int]) -> nn.Module:
    """The skeleton for 7 classes with values: random weights, statistics at 0 and 1."""
    module = networks.skeleton(settings, shape, 7).to_empty(device="cpu")
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, value in [*module.named_parameters(), *module.named_buffers()]:
            value.fill_(key.endswith("var") or key.endswith("weight"))
            if value.ndim > 1:
                value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=random)
    return module


def test_every_network_is_covered_here() -> None:
    assert set(networks.names()) == set(FITTING) == set(WEIGHTS) | {"mlp"}


def test_describing_a_builtin_network_does_not_import_torch() -> None:
    script = """
import sys
from masklab import networks
for name in networks.names():
    for batchnorm in networks.BATCHNORMS[: 2 if name.startswith("resnet") else 1]:
        settings = networks.Settings(name, 0.5, "binary", batchnorm, mask_except=("*1",))
        networks.check(settings)
        assert networks.describe(settings, (3, 32, 32), 10).layers
        assert networks.constructed(settings, (3, 32, 32), 10, 0) == {}
networks.check(networks.Settings("torchvision:resnet18"))
networks.check(networks.Settings("mine:make"))
heavy = {"torch", "torchvision"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "width", "weights"), [(name, *case) for name, cases in WEIGHTS.items() for case in cases.items()]
)
def test_weight_counts_of_the_papers(name: str, width: float, weights: int) -> None:
    assert sum(layer.size for layer in layers(name, CIFAR, 10, float(width))) == weights


def test_layer_sizes_of_conv6() -> None:
    sizes = [layer.size for layer in layers("conv6", CIFAR, 10, 1.0)]
    assert sizes == [1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 1_048_576, 65_536, 2_560]


@pytest.mark.parametrize(("name", "pairs"), [("conv2", 1), ("conv4", 2), ("conv6", 3), ("conv8", 4)])
def test_each_pair_of_convolutions_is_followed_by_pooling(name: str, pairs: int) -> None:
    module = networks.skeleton(networks.Settings(name, 0.1), CIFAR, 10)
    pair = ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"]
    head = ["Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert [type(part).__name__ for part in module.children()] == pair * pairs + head
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            assert (part.kernel_size, part.padding, part.stride) == ((3, 3), (1, 1), (1, 1))
        if isinstance(part, nn.MaxPool2d):
            assert (part.kernel_size, part.stride) == (2, 2)


def test_layers_of_the_multilayer_perceptron() -> None:
    assert [o.shape for o in layers("mlp", (1, 28, 28), 10, 1.0)] == [(300, 784), (100, 300), (10, 100)]


@pytest.mark.parametrize(
    ("name", "batchnorm"),
    [
        (name, batchnorm)
        for name in networks.names()
        for batchnorm in networks.BATCHNORMS
        if name not in PLAIN or batchnorm == "frozen"
    ],
)
def test_the_skeleton_has_exactly_what_is_promised(name: str, batchnorm: str) -> None:
    settings = networks.Settings(name, 0.1, batchnorm=batchnorm)
    promised = networks.describe(settings, FITTING[name], 7)
    module = networks.skeleton(settings, FITTING[name], 7)
    parameters = {key: tuple(value.shape) for key, value in module.named_parameters()}
    unmasked = {o.name: o.shape for o in promised.unmasked}
    masked = {f"{o.name}.weight": o.shape for o in promised.layers}
    assert not masked.keys() & unmasked.keys()
    assert parameters == masked | unmasked
    assert [(key, tuple(value.shape)) for key, value in module.named_buffers()] == promised.buffers
    assert {value.device.type for value in [*module.parameters(), *module.buffers()]} == {"meta"}
    assert module.training
    assert promised.notes == []


@pytest.mark.parametrize("activation", networks.ACTIVATIONS)
@pytest.mark.parametrize("name", networks.names())
def test_the_activation_stands_between_all_layers(name: str, activation: str) -> None:
    module = networks.skeleton(networks.Settings(name, 0.1, activation), FITTING[name], 7)
    kind = networks.ACTIVATIONS[activation].partition(":")[2]
    found = sum(type(part).__name__ == kind for part in module.modules())
    shortcuts = sum(key.endswith("shortcut.conv") for key, _ in module.named_modules())
    assert found == len(layers(name, FITTING[name], 7, 0.1)) - 1 - shortcuts


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", networks.names())
def test_forward_gives_one_row_of_logits_per_image(name: str, batch: int) -> None:
    module = filled(networks.Settings(name, 0.1), FITTING[name]).eval()
    with torch.no_grad():
        logits = module(torch.rand(batch, *FITTING[name], generator=torch.Generator().manual_seed(1)))
    assert logits.shape == (batch, 7)
    assert logits.isfinite().all()
    assert logits.any()


@pytest.mark.parametrize("name", networks.names())
def test_layers_are_listed_in_the_order_of_the_forward_pass(name: str) -> None:
    module = filled(networks.Settings(name, 0.1), FITTING[name]).eval()
    called: list[str] = []
    for key, part in module.named_modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.register_forward_hook(lambda *_, key=key: called.append(key))
    with torch.no_grad():
        module(torch.ones(1, *FITTING[name]))
    assert called == [layer.name for layer in layers(name, FITTING[name], 7, 0.1)]


def test_the_relu_network_computes_the_product_of_its_layers() -> None:
    settings = networks.Settings("mlp", 0.02)
    module = networks.skeleton(settings, (1, 2, 2), 3)
    random = torch.Generator().manual_seed(0)
    weights = [
        torch.randn(o.shape, generator=random, dtype=torch.float64) for o in layers("mlp", (1, 2, 2), 3, 0.02)
    ]
    inputs = torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(2, 1, 2, 2)
    given = {f"fc{i}.weight": weight for i, weight in enumerate(weights, start=1)}
    values = inputs.flatten(1)
    for weight, following in pairwise(weights):
        assert following.shape[1] == weight.shape[0]
        values = (values @ weight.T).clamp(min=0)
    torch.testing.assert_close(functional_call(module, given, (inputs,)), values @ weights[-1].T)


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
    for attempt in (networks.describe, networks.skeleton):
        with pytest.raises(ConfigError, match=f"at least {enough} would do"):
            attempt(networks.Settings(name), shape, 10)
    side = int(enough.partition("×")[0])
    smallest = layers(name, (shape[0], side, side), 10, 1.0)
    assert smallest[-3].shape[1] == math.prod(smallest[-4].shape[:1])


@pytest.mark.parametrize(
    ("name", "width"), [("conv2", 0.015), ("conv8", 0.0039), ("mlp", 0.009), ("resnet18", 0.01)]
)
def test_a_width_without_channels_is_refused(name: str, width: float) -> None:
    for attempt in (networks.describe, networks.skeleton):
        with pytest.raises(
            ConfigError, match=f"network.width {width} leaves a layer of {name} without channels"
        ):
            attempt(networks.Settings(name, width), CIFAR, 10)


def test_chains_are_named_here() -> None:
    found = {name for name in networks.names() if networks.chain(networks.Settings(name), CIFAR, 10)}
    assert found == set(PLAIN)
    for name in ("torchvision:vgg11", "no.module:at_all"):
        assert networks.chain(networks.Settings(name), CIFAR, 10) is None


@pytest.mark.parametrize("name", PLAIN)
def test_the_layers_of_a_chain_stand_one_behind_the_other(name: str) -> None:
    settings = networks.Settings(name, width=0.25, mask_except=("fc1",))
    layers = networks.chain(settings, FITTING[name], 10)
    assert layers is not None
    module = networks.skeleton(settings, FITTING[name], 10)
    assert type(module) is nn.Sequential
    held = [
        (own, tuple(weight.shape)) for own, part in module.named_children() for weight in part.parameters()
    ]
    assert held == [(layer.name, layer.shape) for layer in layers]
    for before, after in pairwise(layers):
        assert after.shape[1] % before.shape[0] == 0
        assert after.shape[1] == before.shape[0] or (len(before.shape), len(after.shape)) == (4, 2)


@pytest.mark.parametrize("name", ["conv2", "conv4"])
def test_a_flattened_channel_is_a_run_of_inputs(name: str) -> None:
    settings = networks.Settings(name, width=0.125)
    module = networks.skeleton(settings, (1, 8, 8), 10)
    layers = {layer.name: layer.shape for layer in networks.chain(settings, (1, 8, 8), 10) or ()}
    convolution = [layer for layer in layers if layer.startswith("conv")][-1]
    pixels = layers["fc1"][1] // layers[convolution][0]
    for channel in range(layers[convolution][0]):
        weights = {f"{layer}.weight": torch.ones(shape) for layer, shape in layers.items()}
        weights[f"{convolution}.weight"] *= (torch.arange(layers[convolution][0]) == channel)[
            :, None, None, None
        ]
        reading = weights["fc1.weight"].requires_grad_()
        functional_call(module, weights, torch.ones(1, 1, 8, 8)).sum().backward()
        assert reading.grad is not None
        inputs = (reading.grad != 0).any(dim=0).nonzero().flatten().tolist()
        assert inputs == list(range(channel * pixels, (channel + 1) * pixels))


def test_a_chain_refuses_images_that_do_not_survive() -> None:
    with pytest.raises(ConfigError, match="do not survive"):
        networks.chain(networks.Settings("conv8"), (1, 8, 8), 10)
