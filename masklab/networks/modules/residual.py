"""The basic block of residual networks."""

from collections import OrderedDict
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with batch norm, and a shortcut around them.

    Execution order: `conv1`, `bn1`, activation, `conv2`, `bn2`, then `shortcut.conv` and `shortcut.bn` where
    the shape changes, sum, activation.

    Source: He et al., Deep residual learning, CVPR 2016, with projection shortcuts (their option B).

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: Stride of the first convolution and of the shortcut.
        affine: Whether the batch norms have a scale and a shift.
        activation: Makes an activation.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, affine: bool, activation: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs, affine=affine)
        self.act1 = activation()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, affine=affine)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                    bn=nn.BatchNorm2d(outputs, affine=affine),
                )
            )
        self.act2 = activation()

    def forward(self, inputs: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Activations of the next block's input."""
        values = self.bn1(self.conv1(inputs))
        values = self.bn2(self.conv2(self.act1(values)))
        return self.act2(values + self.shortcut(inputs))
