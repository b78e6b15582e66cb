import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from masklab import networks

SHAPE, CLASSES, MEMBERS = (3, 12, 12), 4, 3


def values(settings: networks.Settings) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stacked parameters and running statistics of a few members, every one different."""
    described = networks.describe(settings, SHAPE, CLASSES)
    random = torch.Generator().manual_seed(0)
    parameters = {}
    for layer in described.layers:
        scale = (2 / (layer.size / layer.shape[0])) ** 0.5
        parameters[f"{layer.name}.weight"] = scale * torch.randn(MEMBERS, *layer.shape, generator=random)
    for parameter in described.unmasked:
        start = {"learned-one": 1.0, "learned-zero": 0.0}[parameter.rule]
        noise = torch.rand(MEMBERS, *parameter.shape, generator=random)
        parameters[parameter.name] = start + 0.2 * noise
    buffers = {
        name: name.endswith("var") + torch.rand(MEMBERS, *shape, generator=random)
        for name, shape in described.buffers
    }
    return parameters, buffers


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_stages(name: str) -> None:
    described = networks.describe(networks.Settings(name), (3, 32, 32), 10)
    blocks = {"resnet18": [2, 2, 2, 2], "resnet34": [3, 4, 6, 3]}[name]
    names = [layer.name for layer in described.layers]
    assert [
        sum(o.startswith(f"layer{s}") and o.endswith("conv2") for o in names) for s in (1, 2, 3, 4)
    ] == blocks
    shortcuts = [o for o in names if "shortcut" in o]
    assert shortcuts == [f"layer{stage}.0.shortcut.conv" for stage in (2, 3, 4)]
    assert len(names) == 2 + 2 * sum(blocks) + 3
    assert len(described.buffers) == 2 * (len(names) - 1)
    shapes = {layer.name: layer.shape for layer in described.layers}
    assert shapes["conv1"] == (64, 3, 3, 3)
    assert shapes["layer2.0.shortcut.conv"] == (128, 64, 1, 1)
    assert shapes["fc"] == (10, 512)


def test_width_scales_every_channel_count_and_the_stem() -> None:
    whole = networks.describe(networks.Settings("resnet18"), (3, 32, 32), 10).layers
    part = networks.describe(networks.Settings("resnet18", 0.3), (3, 32, 32), 10).layers
    fixed = (3, 10)
    for layer, thin in zip(whole, part, strict=True):
        outputs, inputs = (count if count in fixed else int(0.3 * count) for count in layer.shape[:2])
        assert thin.shape == (outputs, inputs, *layer.shape[2:])


def test_the_network_is_torchvisions_with_another_stem_and_head() -> None:
    from torchvision import models

    oracle = models.resnet18(weights=None, num_classes=10)
    oracle.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    oracle.maxpool = nn.MaxPool2d(1)
    oracle.fc = nn.Linear(512, 10, bias=False)
    translated = {
        name.replace("downsample.0", "shortcut.conv").replace("downsample.1", "shortcut.bn"): value
        for name, value in oracle.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    random = torch.Generator().manual_seed(0)
    for value in translated.values():
        value.add_(0.1 * torch.rand(value.shape, generator=random))
    settings = networks.Settings("resnet18", batchnorm="learned")
    network = networks.skeleton(settings, (3, 16, 16), 10).eval()
    images = torch.randn(2, 3, 16, 16, generator=random)
    with torch.no_grad():
        torch.testing.assert_close(functional_call(network, translated, (images,)), oracle.eval()(images))


@pytest.mark.parametrize("batchnorm", networks.BATCHNORMS)
@pytest.mark.parametrize("activation", ["relu", "binary"])
def test_members_in_one_call_train_as_members_one_by_one(batchnorm: str, activation: str) -> None:
    settings = networks.Settings("resnet18", 0.1, activation, batchnorm)
    network = networks.skeleton(settings, SHAPE, CLASSES)
    parameters, together = values(settings)
    before = {name: value.clone() for name, value in together.items()}
    images = torch.randn(MEMBERS, 8, *SHAPE, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(8) % CLASSES

    def loss(own: dict[str, Tensor], statistics: dict[str, Tensor], batch: Tensor) -> Tensor:
        outputs = functional_call(network, (own, statistics), (batch,))
        return nn.functional.cross_entropy(outputs, labels)

    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    losses = vmap(loss)(leaves, together, images)
    losses.sum().backward()
    for member in range(MEMBERS):
        own = {name: value[member].clone().requires_grad_() for name, value in parameters.items()}
        statistics = {name: value[member].clone() for name, value in before.items()}
        alone = loss(own, statistics, images[member])
        alone.backward()
        torch.testing.assert_close(losses[member], alone, rtol=1e-4, atol=1e-5)
        for name, value in own.items():
            found = leaves[name].grad
            assert found is not None
            assert value.grad is not None
            torch.testing.assert_close(found[member], value.grad, rtol=1e-3, atol=1e-4)
        for name, value in statistics.items():
            torch.testing.assert_close(together[name][member], value, rtol=1e-4, atol=1e-5)
            assert not torch.equal(value, before[name][member])


def test_training_lowers_the_loss_and_statistics_serve_evaluation() -> None:
    settings = networks.Settings("resnet18", 0.1, batchnorm="learned")
    network = networks.skeleton(settings, SHAPE, CLASSES)
    parameters, buffers = values(settings)
    leaves = {name: value.requires_grad_() for name, value in parameters.items()}
    optimiser = torch.optim.SGD(leaves.values(), lr=0.05, momentum=0.9)
    images = torch.randn(16, *SHAPE, generator=torch.Generator().manual_seed(2))
    labels = (torch.arange(16) % CLASSES).repeat(MEMBERS, 1)
    call = vmap(lambda p, b: functional_call(network, (p, b), (images,)))
    losses = []
    for _ in range(25):
        outputs = call(leaves, buffers)
        loss = nn.functional.cross_entropy(outputs.flatten(0, 1), labels.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4
    network.eval()
    frozen = {name: value.clone() for name, value in buffers.items()}
    correct = call(leaves, buffers).argmax(2) == labels
    assert correct.double().mean() > 0.6
    assert all(torch.equal(frozen[name], value) for name, value in buffers.items())
