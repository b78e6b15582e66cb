"""Networks of users, good and bad; each is called by name."""

from typing import Any

import torch
from torch import Tensor, nn

CLASSES = 5
SHAPE = (3, 8, 8)


def plain(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Convolution, norm, linear layer; registered in another order than they run."""
    net = nn.Module()
    net.head = nn.Linear(4, classes)
    net.norm = nn.BatchNorm2d(4)
    net.conv = nn.Conv2d(input_shape[0], 4, 3)
    return Chain(net, ["conv", "norm", "head"])


class Chain(nn.Module):
    """Runs children of a module by name, with a mean over space before the last."""

    def __init__(self, body: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.body = body
        self.names = names

    def forward(self, x: Tensor) -> Tensor:
        *first, last = self.names
        for name in first:
            x = getattr(self.body, name)(x)
        return getattr(self.body, last)(x.mean((2, 3)))


class Attention(nn.Module):
    """Attention over pixels, with parts that cannot be masked, and dropout."""

    def __init__(self, classes: int, input_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.head = nn.Linear(8, classes)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.norms = nn.ModuleList([nn.LayerNorm(8), nn.GroupNorm(2, 8), nn.RMSNorm(8)])
        self.instance = nn.InstanceNorm1d(8, affine=True, track_running_stats=True)
        self.embed = nn.Conv2d(input_shape[0], 8, 4, stride=4)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("table", torch.randn(8))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.table
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1)
        tokens = self.attention(tokens, tokens, tokens)[0]
        for norm in (self.norms[0], self.norms[2]):
            tokens = norm(tokens)
        tokens = self.norms[1](self.instance(tokens.transpose(1, 2)))
        return self.head(self.drop(tokens.mean(2)))


class Unused(nn.Module):
    """One layer is never called, one is called to no effect, one is cut off from the gradient."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.never, self.idle, self.cut = nn.Linear(192, 2), nn.Linear(192, 3), nn.Linear(192, classes)
        self.head = nn.Linear(192, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        self.idle(x)
        return self.head(x) + self.cut(x).detach()


class Functional(nn.Module):
    """Uses a child's weight without calling the child; another layer runs before and after a third."""

    def __init__(self) -> None:
        super().__init__()
        self.between, self.twice = nn.Linear(CLASSES, CLASSES), nn.Linear(CLASSES, CLASSES)
        self.inner = Inner()

    def forward(self, x: Tensor) -> Tensor:
        return self.twice(self.between(self.twice(self.inner(x.flatten(1)))))


class Inner(nn.Module):
    """See `Functional`."""

    def __init__(self) -> None:
        super().__init__()
        self.weightless = nn.Linear(192, CLASSES, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weightless.weight)


def everything(**options: Any) -> nn.Module:
    """Takes every option, and shows in its layer's shape what it was called with."""
    assert sorted(options) == ["activation", "batchnorm", "classes", "input_shape", "width"]
    assert (options["activation"], options["batchnorm"]) == ("tanh", "learned")
    wide = int(8 * options["width"])
    return nn.Sequential(
        nn.Flatten(), nn.Linear(192, wide), nn.BatchNorm1d(wide), nn.Linear(wide, options["classes"])
    )


def transposed() -> nn.Module:
    """Transposed convolution and embedding-like parameters."""
    return nn.Sequential(
        nn.ConvTranspose2d(3, 2, 3),
        nn.Flatten(),
        nn.Linear(200, CLASSES),
        nn.PReLU(),
        nn.BatchNorm1d(CLASSES),
    )


def lone_norm() -> nn.Module:
    """Batch norms without scale and shift, and without running statistics."""
    return nn.Sequential(
        nn.Flatten(),
        nn.BatchNorm1d(192, affine=False),
        nn.BatchNorm1d(192, track_running_stats=False, affine=False),
        nn.Linear(192, CLASSES),
    )


def _linear(*more: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), *more, nn.Linear(192, CLASSES))


def lazy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(CLASSES))


def half() -> nn.Module:
    return _linear(nn.Linear(192, 192).half())


def complex_weights() -> nn.Module:
    return _linear(nn.Linear(192, 192, dtype=torch.complex64))


def half_statistics() -> nn.Module:
    return _linear(nn.BatchNorm1d(192, affine=False).half())


def shared() -> nn.Module:
    net = _linear(nn.Linear(192, 192), nn.Linear(192, 192))
    assert isinstance(net, nn.Sequential)
    net[2].weight = net[1].weight
    return net


def registered_twice() -> nn.Module:
    norm = nn.BatchNorm1d(192, affine=False)
    return _linear(norm, norm)


def cumulative() -> nn.Module:
    return _linear(nn.BatchNorm1d(192, momentum=None))


def empty() -> nn.Module:
    layer = nn.Linear(192, CLASSES)
    layer.weight = nn.Parameter(torch.empty(CLASSES, 0))
    return nn.Sequential(nn.Flatten(), layer)


class Layer(nn.Linear):
    def __init__(self) -> None:
        super().__init__(192, CLASSES)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(1))


def slash() -> nn.Module:
    net = _linear()
    net.add_module("a/b", nn.Linear(CLASSES, CLASSES))
    return net


def nothing_to_mask() -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.BatchNorm1d(3), nn.ConstantPad1d((0, 2), 0.0))


def two_inputs() -> nn.Module:
    return nn.Bilinear(8, 8, CLASSES)


class NoGradient(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)).detach()


class _Refusing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Tensor:
        raise RuntimeError("no way\nback")


class Backward(NoGradient):
    def forward(self, x: Tensor) -> Any:
        return _Refusing.apply(self.head(x.flatten(1)))


class Counting(NoGradient):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return self.head(x.flatten(1))


class Pair(NoGradient):
    def forward(self, x: Tensor) -> Any:
        return self.head(x.flatten(1)), x


class PairInTraining(NoGradient):
    def forward(self, x: Tensor) -> Any:
        logits = self.head(x.flatten(1))
        return (logits, x) if self.training else logits


class Classes(NoGradient):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)).argmax(1, keepdim=True).expand(-1, CLASSES)


class Crash(NoGradient):
    def forward(self, x: Tensor) -> Tensor:
        raise KeyError("two\nlines")


_draws = iter(range(1000))


class Unrepeatable(NoGradient):
    """Its token and its table do not come from torch's generator."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.full((CLASSES,), float(next(_draws))))
        self.register_buffer("table", torch.full((CLASSES,), float(next(_draws))))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)) + self.token + self.table


def gives_text() -> str:
    return "text"


def raises() -> nn.Module:
    raise ValueError("deliberate\nfailure")


def leaves() -> nn.Module:
    raise SystemExit(3)


def needs(depth: int) -> nn.Module:
    return _linear()


NUMBER = 3
