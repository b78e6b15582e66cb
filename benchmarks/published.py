"""The published style, written plainly: one network at a time, float32, a full sort in every forward."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class KeepTop(torch.autograd.Function):
    """Mask of the largest scores by a full sort; the gradient passes straight through."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, density: float) -> Tensor:  # noqa: D102
        order = scores.flatten().argsort()
        mask = torch.ones_like(scores)
        mask.view(-1)[order[: int((1 - density) * scores.numel())]] = 0.0
        return mask

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        return gradients[0], None


class MaskedConv(nn.Conv2d):
    """A convolution with frozen weights and a score for each of them."""

    density = 0.5

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options, bias=False)
        self.scores = nn.Parameter(torch.empty_like(self.weight))
        nn.init.kaiming_uniform_(self.scores, a=5**0.5)
        nn.init.kaiming_normal_(self.weight)
        self.weight.requires_grad = False

    def forward(self, input: Tensor) -> Tensor:  # noqa: D102
        mask = KeepTop.apply(self.scores.abs(), self.density)
        return F.conv2d(input, self.weight * mask, None, self.stride, self.padding)


def network(name: str, channels: int, side: int, width: float) -> nn.Sequential:
    """Conv2, Conv4, Conv6 or Conv8 with masked layers; fully connected layers are 1×1 convolutions."""
    layers: list[nn.Module] = []
    for pair in range(int(name.removeprefix("conv")) // 2):
        outputs = int((64, 128, 256, 512)[pair] * width)
        for _ in range(2):
            layers += [MaskedConv(channels, outputs, 3, padding=1), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
        side //= 2
    hidden = int(256 * width)
    layers += [nn.Flatten(), nn.Unflatten(1, (channels * side * side, 1, 1))]
    layers += [MaskedConv(channels * side * side, hidden, 1), nn.ReLU()]
    layers += [MaskedConv(hidden, hidden, 1), nn.ReLU(), MaskedConv(hidden, 10, 1), nn.Flatten()]
    return nn.Sequential(*layers)


class Training:
    """One member in training."""

    def __init__(self, module: nn.Module, rate: float = 0.1, device: str = "cpu") -> None:
        self.module, self.device = module.to(device), device
        trained = [values for values in module.parameters() if values.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=rate, momentum=0.9, weight_decay=1e-4)

    def step(self, images: Tensor, labels: Tensor) -> None:
        """Forward, backward, update."""
        self.optimizer.zero_grad()
        F.cross_entropy(self.module(images), labels).backward()
        self.optimizer.step()

    def epoch(self, images: Tensor, labels: Tensor, batch_size: int) -> None:
        """One pass over images that a DataLoader serves."""
        loader = DataLoader(TensorDataset(images, labels), batch_size, shuffle=True)
        for batch, truth in loader:
            self.step(batch.to(self.device), truth.to(self.device))
