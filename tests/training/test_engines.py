"""Both engines compute the same numbers, and those of a plain network."""

from typing import Any

import pytest
import torch
from torch import nn

from masklab import networks
from masklab.training import choice, engines

SHAPE, CLASSES = (2, 8, 8), 5
SETTINGS = {
    name: networks.Settings(name, 0.1, batchnorm=bn)
    for name, bn in (("conv2", "frozen"), ("mlp", "frozen"), ("resnet18", "learned"))
}


@pytest.fixture(params=SETTINGS)
def problem(request: pytest.FixtureRequest) -> tuple[nn.Module, engines.Tensors, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    described = networks.describe(SETTINGS[request.param], SHAPE, CLASSES)
    trained = {
        f"{o.name}.weight": torch.randn(3, *o.shape, generator=generator) / 4 for o in described.layers
    }
    trained |= {o.name: 1 + torch.rand(3, *o.shape, generator=generator) for o in described.unmasked}
    buffers = {name: torch.rand(3, *shape, generator=generator) + 0.5 for name, shape in described.buffers}
    images = torch.randn(3, 7, *SHAPE, generator=generator)
    labels = torch.randint(0, CLASSES, (3, 7), generator=generator)
    network = networks.skeleton(SETTINGS[request.param], SHAPE, CLASSES)
    return network, engines.Tensors(trained, {}, buffers), images, labels


def copied(tensors: engines.Tensors) -> engines.Tensors:
    return engines.Tensors(tensors.trained, {}, {name: b.clone() for name, b in tensors.buffers.items()})


def plain(network: nn.Module, tensors: engines.Tensors, member: int) -> nn.Module:
    """The network with one member's parameters of its own."""
    found = network.to_empty(device="cpu")
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            parameter.copy_(tensors.trained[name][member])
        for name, buffer in found.named_buffers():
            buffer.copy_(tensors.buffers[name][member])
    return found


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("engine", ["vmap", "loop"])
def test_gradients_are_those_of_each_member_alone(
    problem: tuple[Any, ...], engine: choice.Engine, smoothing: float
) -> None:
    network, tensors, images, labels = problem
    used = copied(tensors)
    losses, gradients = engines.gradients(engine, network, used, images, labels, smoothing)
    for member in range(3):
        alone = plain(network, tensors, member).train()
        alone.zero_grad()
        outputs = alone(images[member])
        loss = nn.functional.cross_entropy(outputs, labels[member], label_smoothing=smoothing)
        loss.backward()
        torch.testing.assert_close(losses[member], loss.detach(), rtol=1e-4, atol=1e-5)
        for name, parameter in alone.named_parameters():
            torch.testing.assert_close(gradients[name][member], parameter.grad, rtol=2e-3, atol=2e-5)
        for name, values in used.buffers.items():  # running statistics advanced as in training
            torch.testing.assert_close(values[member], alone.get_buffer(name), rtol=1e-4, atol=1e-5)
            assert not torch.equal(values[member], tensors.buffers[name][member])


@pytest.mark.parametrize("shared", [True, False])
def test_logits_agree_between_engines(problem: tuple[Any, ...], shared: bool) -> None:
    network, tensors, images, _ = problem
    given = images[0] if shared else images
    with torch.no_grad():
        one, other = (engines.logits(engine, network, copied(tensors), given) for engine in ("vmap", "loop"))
        alone = plain(network, tensors, 1).eval()(given if shared else given[1])
    assert one.shape == (3, 7, CLASSES)
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(one[1], alone, rtol=1e-3, atol=1e-4)


def test_the_expectation_is_a_rule() -> None:
    def engine(name: str, shape: tuple[int, int, int], width: float, device: str = "cpu") -> str:
        described = networks.describe(networks.Settings(name, width), shape, 10)
        layers = [{"shape": list(o.shape)} for o in described.layers]
        return choice.expected({"network": {"layers": layers}, "data": {"input_shape": list(shape)}}, device)

    assert engine("conv2", (1, 8, 8), 0.125) == "vmap"
    assert engine("conv2", (1, 8, 8), 1.0) == "loop"
    assert engine("conv4", (3, 32, 32), 0.1) == "loop"
    assert engine("conv4", (3, 32, 32), 0.1, "cuda") == "vmap"
    assert engine("mlp", (1, 28, 28), 1.0) == "vmap"


def test_only_a_clear_measurement_overrules_the_rule() -> None:
    assert choice.engine("vmap", {"vmap": 1.0, "loop": 0.85}) == "vmap"
    assert choice.engine("vmap", {"vmap": 1.0, "loop": 0.7}) == "loop"
    assert choice.engine("vmap", {"vmap": None, "loop": 9.0}) == "loop"  # vmap cannot run this network
    assert choice.engine("loop", {"vmap": None, "loop": 9.0}) == "loop"
    assert choice.engine("loop", {}) == "loop"
