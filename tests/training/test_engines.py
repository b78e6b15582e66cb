"""Both engines compute the same numbers, and those of a plain network."""

import pytest
import torch
from torch import nn

from masklab import networks
from masklab.training import choice, engines

SHAPE, CLASSES = (2, 8, 8), 5


@pytest.fixture(params=["conv2", "mlp"])
def problem(
    request: pytest.FixtureRequest,
) -> tuple[nn.Module, dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    layers = networks.layers(request.param, SHAPE, CLASSES, 0.1)
    weights = {o.name: torch.randn(3, *o.shape, generator=generator) / 4 for o in layers}
    images = torch.randn(3, 7, *SHAPE, generator=generator)
    labels = torch.randint(0, CLASSES, (3, 7), generator=generator)
    return networks.build(request.param, SHAPE, CLASSES, 0.1, "relu"), weights, images, labels


@pytest.mark.parametrize("engine", ["vmap", "loop"])
def test_gradients_are_those_of_each_member_alone(problem: tuple, engine: choice.Engine) -> None:
    network, weights, images, labels = problem
    losses, gradients = engines.gradients(engine, network, weights, images, labels)
    for member in range(3):
        network.load_state_dict({f"{name}.weight": weight[member] for name, weight in weights.items()})
        network.zero_grad()
        loss = nn.functional.cross_entropy(network(images[member]), labels[member])
        loss.backward()
        torch.testing.assert_close(losses[member], loss.detach(), rtol=1e-5, atol=1e-6)
        for name, parameter in network.named_parameters():
            found = gradients[name.removesuffix(".weight")][member]
            torch.testing.assert_close(found, parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_logits_agree_between_engines(problem: tuple, shared: bool) -> None:
    network, weights, images, _ = problem
    given = images[0] if shared else images
    with torch.no_grad():
        one, other = (engines.logits(engine, network, weights, given) for engine in ("vmap", "loop"))
    assert one.shape == (3, 7, CLASSES)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_choice_is_a_rule() -> None:
    def engine(name: str, shape: tuple[int, int, int], width: float, device: str = "cpu") -> str:
        layers = [{"shape": list(o.shape)} for o in networks.layers(name, shape, 10, width)]
        return choice.engine({"network": {"layers": layers}, "data": {"input_shape": list(shape)}}, device)

    assert engine("conv2", (1, 8, 8), 0.125) == "vmap"
    assert engine("conv2", (1, 8, 8), 1.0) == "loop"
    assert engine("conv4", (3, 32, 32), 0.1) == "loop"
    assert engine("conv4", (3, 32, 32), 0.1, "cuda") == "vmap"
    assert engine("mlp", (1, 28, 28), 1.0) == "vmap"
