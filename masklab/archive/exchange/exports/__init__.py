"""Formats that are written: one file each, and the folder is the registry.

A file offers `NAME`, `SUFFIXES` (of the files that it may write), `DEFAULT` (whether it is meant by such a
suffix alone) and `encode(member)`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from masklab.archive.exchange import registry
from masklab.errors import ConfigError, unknown

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Outgoing:
    """A member that is written in a foreign format.

    Attributes:
        id: Its id.
        masks: Layer name → boolean mask, in order.
        tensors: Layer name → name of its tensor.
        state: Function to the state dict with the effective weights.
        weights: Layer name → name of its weight there.
    """

    id: str
    masks: Mapping[str, Bool[np.ndarray, "..."]]
    tensors: Mapping[str, str]
    state: "Callable[[], Mapping[str, Tensor]]"
    weights: Mapping[str, str]


@runtime_checkable
class Format(Protocol):
    """What a file in this folder offers."""

    NAME: str
    SUFFIXES: tuple[str, ...]
    DEFAULT: bool

    def encode(self, member: Outgoing) -> bytes:
        """Bytes of the file, or an error of one line."""
        ...


@cache
def formats() -> Mapping[str, Format]:
    """Every format by its name."""
    return registry.formats(__name__, __path__)


def choose(file_name: str, name: str | None) -> Format:
    """The format that is named, or that a file's suffix means.

    Raises:
        ConfigError: There is no such format, the suffix is not one of its own, or it does not tell.
    """
    suffix = "." + file_name.rpartition(".")[2].lower() if "." in file_name else ""
    if name is not None:
        if name not in formats():
            raise ConfigError(f"--format: {unknown('format', name, formats())}")
        found = formats()[name]
        if suffix not in found.SUFFIXES:
            raise ConfigError(f"{file_name}: a file of format {name} ends in {' or '.join(found.SUFFIXES)}")
        return found
    for found in formats().values():
        if found.DEFAULT and suffix in found.SUFFIXES:
            return found
    fitting = [one.NAME for one in formats().values() if suffix in one.SUFFIXES]
    if fitting:
        raise ConfigError(f"{file_name} may be of several formats; give --format {' or '.join(fitting)}")
    known = sorted({suffix for one in formats().values() for suffix in one.SUFFIXES})
    raise ConfigError(f"{file_name}: the suffix names no format; allowed: {', '.join(known)}")
