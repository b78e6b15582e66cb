"""Steps of masklab, dense training and the published style, ready to be timed."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from masklab import networks, pruners, study
from masklab.training import choice, initial, state, surroundings
from masklab.training import cohort as training
from masklab.training import images as imaging

Step = Callable[[], object]


def cohort(
    name: str, settings: networks.Settings, shape: tuple[int, int, int], members: int, device: str = "cpu"
) -> state.State:
    """Members of a pruner at density 0.5 under the default recipe."""
    described, seeds = networks.describe(settings, shape, 10), study.Seeds()
    recipe = study.Training()
    made = initial.state(
        seeds.study,
        [seeds.levels(index) for index in range(members)],
        recipe,
        pruners.resolve(name, {}, recipe.epochs),
        0.5,
        described.layers,
        surroundings.Surroundings(),
        device,
    )
    made.begin_epoch(0)
    return made


def masked(
    members: state.State,
    network: nn.Module,
    engine: choice.Engine,
    dtype: torch.dtype,
    images: Tensor,
    labels: Tensor,
) -> Step:
    """One training step of masklab on a batch per member: select, forward, backward, update."""
    scale = torch.ones(1, 1, 1, device=labels.device)
    nothing = (images[:0, 0], labels[:0, 0])
    data = imaging.Images(nothing, nothing, nothing, scale, scale)
    precision: choice.Precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    trainer = training.Trainer(members, data, network, engine, precision)
    return lambda: trainer.step(images, labels, 0.1)


def dense(network: nn.Module, dtype: torch.dtype, images: Tensor, labels: Tensor) -> Step:
    """One SGD step on the weights: plain PyTorch, channels-last, autocast where the precision is lower."""
    module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    kind, lower = labels.device.type, dtype != torch.float32

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(kind, dtype, enabled=lower):
            outputs = module(batch)
        nn.functional.cross_entropy(outputs.float(), labels).backward()
        optimizer.step()

    return step


def plain(settings: networks.Settings, shape: tuple[int, int, int], device: str = "cpu") -> nn.Module:
    """The network as an ordinary module with weights of its own."""
    module = networks.skeleton(settings, shape, 10).to_empty(device=device)
    for values in module.parameters():
        nn.init.kaiming_normal_(values)
    return module


def batches(
    members: int, size: int, shape: tuple[int, int, int], device: str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Random images and labels, one batch per member."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(members, size, *shape, generator=generator)
    labels = torch.randint(0, 10, (members, size), generator=generator)
    return images.to(device), labels.to(device)
