"""What an external network consists of, found by building it and running it on the CPU."""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from masklab.errors import ConfigError
from masklab.networks import external
from masklab.networks.description import Description, InputShape, LayerShape, Parameter, Settings, listed
from masklab.networks.external import parts, problems


@dataclass(frozen=True)
class _Run:
    """What running the network showed.

    Attributes:
        order: Layers whose weight can be masked, in order of their first execution.
        unused: Those among them on whose weight the output does not depend.
        random: Whether a pass in training mode draws random numbers.
    """

    order: list[str]
    unused: set[str]
    random: bool


@dataclass(frozen=True)
class _Found:
    """A network after it ran.

    Attributes:
        module: The network, with the values that its constructor gave.
        run: What running it showed.
        masked: Layers to mask, in order of their first execution.
        unmasked: Every parameter that is not the weight of one of these.
    """

    module: nn.Module
    run: _Run
    masked: list[str]
    unmasked: list[Parameter]

    @property
    def constructed(self) -> list[str]:
        """Names of the parameters that keep what the constructor gave them."""
        return [parameter.name for parameter in self.unmasked if parameter.rule == "constructed"]


def describe(settings: Settings, input_shape: InputShape, classes: int) -> Description:
    """Description in which every convolution and linear layer that takes part in the output is masked.

    The state of torch's generator is kept.

    Args:
        settings: The network; its name is an external one.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.

    Raises:
        ConfigError: The network cannot be had, run, masked, or built twice alike.
    """
    found = _inspect(settings, input_shape, classes, seed=0)
    if found.constructed or parts.other_buffers(found.module):
        again = external.build(settings, input_shape, classes, seed=0)
        parts.check_repeatable(found.module, again, set(found.constructed), problems.where(settings))
    weights = parts.maskable(found.module)
    return Description(
        [LayerShape(name, tuple(weights[name].shape)) for name in found.masked],
        found.unmasked,
        parts.running_statistics(found.module),
        _notes(settings.name, found),
    )


def constructed(
    settings: Settings, input_shape: InputShape, classes: int, seed: int
) -> dict[str, np.ndarray]:
    """Values of the parameters with rule `constructed`, full name → float32.

    Args:
        settings: The network; its name is an external one.
        input_shape: Channels, height, width of an image.
        classes: Number of classes.
        seed: Seed of torch's generator on the CPU while the network is built.

    Raises:
        ConfigError: The network cannot be had, run or masked.
    """
    found = _inspect(settings, input_shape, classes, seed)
    values = dict(found.module.named_parameters())
    return {name: values[name].detach().numpy().copy() for name in found.constructed}


def _inspect(settings: Settings, input_shape: InputShape, classes: int, seed: int) -> _Found:
    where = problems.where(settings)
    module = external.build(settings, input_shape, classes, seed)
    parts.check(module, where)
    module.requires_grad_(False)
    run = _run(module, input_shape, classes, where)
    masked = [name for name in run.order if name not in run.unused]
    if not masked:
        raise ConfigError(
            f"{where}: no convolution or linear layer takes part in its output: nothing to mask"
        )
    unmasked = _unmasked(module, set(masked), run.unused, settings.batchnorm == "learned")
    return _Found(module, run, masked, unmasked)


def _run(module: nn.Module, input_shape: InputShape, classes: int, where: str) -> _Run:
    images = torch.randn(2, *input_shape, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        order, unused = _trace(module.eval(), images, classes, where)
        state, before = torch.get_rng_state(), _copies(module)
        with torch.no_grad():
            _output(module.train(), images, classes, f"{where} in training mode")
        random = not torch.equal(state, torch.get_rng_state())
    after = parts.other_buffers(module)
    changed = [name for name in before if name not in after or not parts.equal(before[name], after[name])]
    if changed:
        raise ConfigError(
            f"{where}: running it in training mode changes {listed(changed)}; allowed: buffers that stay, "
            "and the running statistics of torch's batch and instance norms"
        )
    return _Run(order, unused, random)


def _copies(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in parts.other_buffers(module).items()}


def _trace(module: nn.Module, images: Tensor, classes: int, where: str) -> tuple[list[str], set[str]]:
    """Layers in order of first execution, and those on which the output does not depend."""
    weights, ends, clock = parts.maskable(module), {}, itertools.count()

    def watch(name: str, part: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def ended(*_: object) -> None:
            ends.setdefault(name, next(clock))

        return part.register_forward_hook(ended)

    for weight in weights.values():
        weight.requires_grad_()
    handles = [watch(name, part) for name, part in module.named_modules()]
    with torch.enable_grad():
        output = _output(module, images, classes, where)
    for handle in handles:
        handle.remove()
    found: list[Tensor | None] = [None] * len(weights)
    if output.requires_grad:
        try:
            found = list(torch.autograd.grad(output.sum(), list(weights.values()), allow_unused=True))
        except RuntimeError as error:
            raise ConfigError(f"{where}: its gradient cannot be taken: {problems.line(error)}") from error
    for weight in weights.values():
        weight.requires_grad_(False)
    unused = {name for name, gradient in zip(weights, found, strict=True) if gradient is None}
    return sorted(weights, key=lambda name: _end(name, ends)), unused


def _end(name: str, ends: dict[str, int]) -> int:
    """When a layer's forward ended, or that of the nearest part around it whose forward was called.

    Parts such as `MultiheadAttention` use the weights of their children without calling them.
    """
    while name not in ends:
        name = name.rpartition(".")[0]
    return ends[name]


def _output(module: nn.Module, images: Tensor, classes: int, where: str) -> Tensor:
    try:
        output = module(images)
    except Exception as error:  # the user's code may raise anything
        raise ConfigError(
            f"{where}: cannot run on images of {'×'.join(map(str, images.shape[1:]))}: {problems.line(error)}"
        ) from error
    wanted = f"expected floats of shape [2, {classes}] for 2 images and {classes} classes"
    if not isinstance(output, Tensor):
        raise ConfigError(f"{where}: gives {type(output).__name__}; {wanted}")
    if tuple(output.shape) != (2, classes) or not output.is_floating_point():
        raise ConfigError(f"{where}: gives {output.dtype} of shape {list(output.shape)}; {wanted}")
    return output


def _unmasked(module: nn.Module, masked: set[str], unused: set[str], learned: bool) -> list[Parameter]:
    found = []
    for name, value in module.named_parameters():
        owner, _, kind = name.rpartition(".")
        if kind == "weight" and owner in masked:
            continue
        part = module.get_submodule(owner)
        rule = "constructed" if owner in unused else parts.rule(part, kind, learned)
        found.append(Parameter(name, tuple(value.shape), rule))
    return found


def _notes(name: str, found: _Found) -> list[str]:
    notes, unused = [], found.run.unused
    if unused:
        names = listed(layer for layer in found.run.order if layer in unused)
        notes.append(f"{name}: not masked, as the output does not depend on it: {names}")
    others = [o for o in found.constructed if o.rpartition(".")[0] not in unused]
    if others:
        notes.append(
            f"{name}: cannot be masked (convolution and linear layers can), frozen as constructed: "
            f"{listed(others)}"
        )
    zeros, ones = (sum(o.rule == rule for o in found.unmasked) for rule in ("zero", "one"))
    if zeros or ones:
        notes.append(f"{name}: held fixed: {zeros} biases or shifts at 0, {ones} norm weights at 1")
    if found.run.random:
        kind = nn.modules.dropout._DropoutNd
        drops = [o for o, part in found.module.named_modules() if isinstance(part, kind) and part.p > 0]
        named = f" ({listed(drops)})" if drops else ""
        notes.append(f"{name}: draws random numbers in training, from the study's augment seeds{named}")
    return notes
