"""What a study says about its network, and what is known of a network before it is trained."""

import dataclasses
import fnmatch
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from masklab.errors import ConfigError

InputShape = tuple[int, int, int]
"""Channels, height, width of an image."""


@dataclass(frozen=True)
class Settings:
    """What a study's `[network]` table says.

    Attributes:
        name: A builtin network, `torchvision:<model>`, or `package.module:function`.
        width: Factor on every channel count and hidden width, each rounded down.
        activation: A key of `ACTIVATIONS`.
        batchnorm: `"frozen"` (scale 1, shift 0) or `"learned"` (trained with the masks).
        mask_only: Patterns on layer names; empty means every layer.
        mask_except: Patterns on layer names, applied after `mask_only`.
    """

    name: str
    width: float = 1.0
    activation: str = "relu"
    batchnorm: str = "frozen"
    mask_only: tuple[str, ...] = ()
    mask_except: tuple[str, ...] = ()

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> "Settings":
        """Settings from a mapping that may hold more keys; missing ones take the default.

        Raises:
            ConfigError: There is no `name`.

        Examples:
            >>> settings = Settings.of({"name": "mlp", "width": 1, "mask_except": ["fc3"], "layers": []})
            >>> settings.width, settings.activation, settings.mask_except
            (1.0, 'relu', ('fc3',))
        """
        if "name" not in mapping:
            raise ConfigError("network.name is missing")
        known = {key.name: mapping[key.name] for key in dataclasses.fields(cls) if key.name in mapping}
        if "width" in known:
            known["width"] = float(known["width"])
        for key in ("mask_only", "mask_except"):
            known[key] = tuple(known.get(key, ()))
        return cls(**known)


@dataclass(frozen=True)
class LayerShape:
    """Name and weight shape (outputs first) of a masked layer."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Parameter:
    """A parameter that is not masked.

    Attributes:
        name: Full name, `conv1.bias`.
        shape: Its shape.
        rule: Where its values come from. `zero`, `one`: held there. `drawn`: frozen random weights, drawn
            as those of masked layers. `constructed`: as the network's constructor initialises them.
            `learned-one`, `learned-zero`: trained from 1 or 0.
    """

    name: str
    shape: tuple[int, ...]
    rule: str


@dataclass(frozen=True)
class Description:
    """A network without its values.

    Attributes:
        layers: Masked layers in the order of the forward pass.
        unmasked: Every other parameter.
        buffers: Full name and shape of the running statistics (float32) of batch and instance norms.
        notes: What the user should know, a line each.
    """

    layers: list[LayerShape]
    unmasked: list[Parameter] = field(default_factory=list)
    buffers: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def listed(names: Iterable[str]) -> str:
    """Names in one line; where that is long, those that differ only in numbers are named together.

    Examples:
        >>> listed(["conv1", "conv2"])
        'conv1, conv2'
        >>> listed(["stem.0", *(f"block{i}.conv" for i in range(12))])
        'stem.0, block*.conv (12 of them)'
    """
    all_names = list(names)
    line = ", ".join(all_names)
    if len(all_names) <= 12 and len(line) <= 200:
        return line
    groups: dict[str, list[str]] = {}
    for name in all_names:
        groups.setdefault(re.sub(r"\d+", "*", name), []).append(name)
    return ", ".join(
        found[0] if len(found) == 1 else f"{pattern} ({len(found)} of them)"
        for pattern, found in groups.items()
    )


def _matching(key: str, patterns: tuple[str, ...], names: list[str]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        matched = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not matched:
            raise ConfigError(f"network.{key}: {pattern!r} matches no layer; the layers are {listed(names)}")
        found.update(matched)
    return found


def select(whole: Description, settings: Settings) -> Description:
    """A description with `mask_only`, then `mask_except` applied.

    Args:
        whole: Description in which every layer that can be masked is.
        settings: The patterns.

    Returns:
        Layers that are not selected are among `unmasked`, with rule `drawn`.

    Raises:
        ConfigError: A pattern matches no layer, or nothing is left to mask.
    """
    names = [layer.name for layer in whole.layers]
    masked = _matching("mask_only", settings.mask_only, names) if settings.mask_only else set(names)
    masked -= _matching("mask_except", settings.mask_except, names)
    if not masked:
        raise ConfigError(
            f"network.mask_only and network.mask_except leave nothing to mask; the layers are {listed(names)}"
        )
    left = [layer for layer in whole.layers if layer.name not in masked]
    if not left:
        return whole
    note = (
        f"not masked, as network.mask_only or network.mask_except asks: {listed(o.name for o in left)}; "
        "their frozen random weights are all used"
    )
    return Description(
        [layer for layer in whole.layers if layer.name in masked],
        [*(Parameter(f"{layer.name}.weight", layer.shape, "drawn") for layer in left), *whole.unmasked],
        whole.buffers,
        [*whole.notes, note],
    )
