import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from masklab import networks
from masklab.networks import activations
from masklab.networks.modules import binary

GRID = torch.cat([torch.linspace(-3, 3, 601), torch.tensor([-0.0, 1e-30, -1e-30, 1e30, -1e30])])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_the_forward_pass_is_exactly_the_sign(dtype: torch.dtype) -> None:
    inputs = torch.cat([GRID, torch.tensor([float("inf"), -float("inf")])]).to(dtype)
    outputs = binary.Binary()(inputs)
    assert outputs.dtype == dtype
    assert torch.equal(outputs, torch.where(inputs >= 0, 1.0, -1.0).to(dtype))


def test_not_a_number_stays_one() -> None:
    assert binary.Binary()(torch.tensor([float("nan")])).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_is_the_published_surrogate(dtype: torch.dtype) -> None:
    inputs = GRID.clone().to(dtype).requires_grad_()
    upstream = torch.linspace(-2, 2, len(GRID)).to(dtype)
    binary.Binary()(inputs).backward(upstream)
    x = inputs.detach().double()
    slope = torch.where(x < 0, 2 + 2 * x, 2 - 2 * x) * ((x >= -1) & (x < 1))
    assert inputs.grad is not None
    tolerance = 1e-6 if dtype == torch.float32 else 0.04
    torch.testing.assert_close(
        inputs.grad.double(), upstream.double() * slope, atol=tolerance, rtol=tolerance
    )


def test_members_in_one_call_equal_members_one_by_one() -> None:
    settings = networks.Settings("conv2", 0.1, "binary")
    network = networks.skeleton(settings, (1, 8, 8), 4)
    layers = networks.describe(settings, (1, 8, 8), 4).layers
    random = torch.Generator().manual_seed(0)
    weights = {f"{o.name}.weight": 0.1 * torch.randn(3, *o.shape, generator=random) for o in layers}
    images = torch.randn(3, 5, 1, 8, 8, generator=random)

    def loss(own: dict[str, torch.Tensor], batch: torch.Tensor) -> torch.Tensor:
        return functional_call(network, own, (batch,)).square().mean()

    together = vmap(torch.func.grad(loss))(weights, images)
    for member in range(3):
        alone = torch.func.grad(loss)({name: w[member] for name, w in weights.items()}, images[member])
        for name, gradient in alone.items():
            torch.testing.assert_close(together[name][member], gradient, rtol=1e-4, atol=1e-5)
            assert gradient.any()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("relu", nn.ReLU),
        ("leaky-relu", nn.LeakyReLU),
        ("gelu", nn.GELU),
        ("tanh", nn.Tanh),
        ("binary", binary.Binary),
    ],
)
def test_activations_by_name(name: str, kind: type[nn.Module]) -> None:
    assert type(activations.activation(name)) is kind
    assert len(networks.ACTIVATIONS) == 5
