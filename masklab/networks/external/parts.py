"""The parts of an external network: what can be masked, what is held fixed, and what is refused."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import parameter as parameters

from masklab.errors import ConfigError
from masklab.networks.description import listed

_BatchNorm, _NormBase = nn.modules.batchnorm._BatchNorm, nn.modules.batchnorm._NormBase
_MASKABLE = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def maskable(module: nn.Module) -> dict[str, Tensor]:
    """Layer name → weight of every convolution and linear layer that has one of its own."""
    return {
        name: weight
        for name, part in module.named_modules()
        if isinstance(part, _MASKABLE) and (weight := part._parameters.get("weight")) is not None
    }


def rule(part: nn.Module, kind: str, learned: bool) -> str:
    """Rule of a parameter that is not masked.

    Args:
        part: The module that holds it.
        kind: Its name there.
        learned: Whether scale and shift of batch norms are learned.
    """
    if isinstance(part, _MASKABLE) and kind == "bias":
        return "zero"
    if isinstance(part, _NORMS) and kind in ("weight", "bias"):
        value = "one" if kind == "weight" else "zero"
        return f"learned-{value}" if learned and isinstance(part, _BatchNorm) else value
    return "constructed"


def running_statistics(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    """Full name and shape of the running statistics of every batch and instance norm."""
    return [(name, tuple(value.shape)) for name, value in _statistics(module, shared=False)]


def _statistics(module: nn.Module, shared: bool) -> Iterator[tuple[str, Tensor]]:
    for name, part in module.named_modules(remove_duplicate=not shared):
        if isinstance(part, _NormBase):
            for kind in ("running_mean", "running_var"):
                if (value := getattr(part, kind)) is not None:
                    yield f"{name}.{kind}".removeprefix("."), value


def other_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Full name → value of every buffer that does not belong to a batch or instance norm."""
    return {
        name: value
        for name, value in module.named_buffers()
        if not isinstance(module.get_submodule(name.rpartition(".")[0]), _NormBase)
    }


def equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors agree in shape and values; not-a-number equals itself."""
    if one.shape != other.shape:
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def check(module: nn.Module, where: str) -> None:
    """Refuse what cannot be given values from outside, or not be stored.

    Args:
        module: A network that has not run yet.
        where: Head of the messages.

    Raises:
        ConfigError: A parameter is not initialised yet, shared, empty or not float32, a norm averages over
            all batches, a name cannot be stored, or the network is itself a layer.
    """
    holders: dict[int, str] = {}
    values = [*module.named_parameters(remove_duplicate=False), *_statistics(module, shared=True)]
    for name, value in values:
        owner = name.rpartition(".")[0] or "the network itself"
        if parameters.is_lazy(value):
            raise ConfigError(f"{where}: {owner} is initialised only when it runs; give its sizes")
        if value.dtype != torch.float32:
            raise ConfigError(f"{where}: {name} is {value.dtype}; allowed: torch.float32")
        if id(value) in holders:
            raise ConfigError(
                f"{where}: {holders[id(value)]} and {name} are the same tensor; every layer must have its "
                "own and be registered once"
            )
        holders[id(value)] = name
        if "/" in name or not name.isprintable():
            raise ConfigError(f"{where}: {name!r} cannot be stored; allowed: printable names without '/'")
    for name, weight in maskable(module).items():
        if not name:
            raise ConfigError(f"{where}: the network is itself a layer; put it into a torch.nn.Sequential")
        if weight.numel() == 0:
            raise ConfigError(f"{where}: layer {name} has no weights (shape {list(weight.shape)})")
    for name, part in module.named_modules():
        if isinstance(part, _NormBase) and part.track_running_stats and part.momentum is None:
            raise ConfigError(
                f"{where}: {name or 'the network itself'} has momentum None, an average over all batches; "
                "allowed: a number, such as 0.1"
            )


def check_repeatable(module: nn.Module, again: nn.Module, names: set[str], where: str) -> None:
    """Refuse a constructor whose values torch's seed does not decide: a member could not be rebuilt.

    Args:
        module: The network.
        again: The network, built once more from the same seed.
        names: Parameters that keep what the constructor gives them.
        where: Head of the messages.

    Raises:
        ConfigError: One of these parameters, or a buffer of anything but a norm, differs.
    """
    first = {name: value for name, value in module.named_parameters() if name in names}
    second = dict(again.named_parameters())
    first, second = first | other_buffers(module), second | other_buffers(again)
    differing = [
        name for name, value in first.items() if name not in second or not equal(value, second[name])
    ]
    if differing:
        raise ConfigError(
            f"{where}: built twice from one seed, it differs in {listed(differing)}; draw initial values "
            "from torch's global generator alone"
        )
