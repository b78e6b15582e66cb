"""Networks that tests of training ask for by name; every process finds them."""

from torch import Tensor, nn


def normed(classes: int) -> nn.Module:
    """Batch norm before and after dropout: its statistics depend on what is drawn."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(144, 8),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Linear(8, classes),
    )


def sober(classes: int) -> nn.Module:
    """Batch norm without dropout."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 8),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Linear(8, classes),
    )


class Picky(nn.Module):
    """Fails on batches of more than four images.

    Attributes:
        error: What it raises.
        always: Whether it fails outside training too.
    """

    def __init__(self, classes: int, error: type[Exception], always: bool) -> None:
        super().__init__()
        self.head = nn.Linear(64, classes)
        self.error, self.always = error, always

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 4 and (self.always or self.training):
            raise self.error("too many\nimages")
        return self.head(x.flatten(1))


def picky_runtime(classes: int) -> nn.Module:
    """Raises what torch raises."""
    return Picky(classes, RuntimeError, always=True)


def picky_value(classes: int) -> nn.Module:
    """Raises something else."""
    return Picky(classes, ValueError, always=True)


def picky_training(classes: int) -> nn.Module:
    """Raises in training mode only."""
    return Picky(classes, KeyError, always=False)
