"""Paths between two members; one file per path, the folder is the registry.

A file offers what `Path` lists; its docstring says what moves, and its `Source:` where that is from.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal, Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor

from masklab.landscape.ends import End, Ends, State

Rule = Literal["weights", "mask", "effective"]
"""What stands between the ends: `"weights"` (effective weights on a straight line), `"mask"` (the gate's rule
applied to an intermediate mask) or `"effective"` (each coordinate with the effective value of one end)."""

Random = Callable[[], np.random.RandomState]
"""Gives the same stream each time, so that points that are built apart lie on one path."""


@runtime_checkable
class Path(Protocol):
    """What a file in this folder offers."""

    RANDOM: bool
    """Whether the path is random: then several orders are walked."""

    def why_not(self, ends: Ends, a: str, b: str) -> str | None:
        """Why there is no such path between two members, from what their files say; None where there is."""
        ...

    def rule(self, ends: Ends, a: str, b: str) -> Rule:
        """What stands between two members."""
        ...

    def states(self, ends: Ends, a: End, b: End, t: Float[Tensor, " points"], random: Random | None) -> State:
        """States at positions t, 0 … 1; 0 and 1 are the members themselves, exactly."""
        ...


@cache
def all_paths() -> Mapping[str, Path]:
    """Name → path, for every file in this folder."""
    return {
        entry.name.replace("_", "-"): cast(Path, importlib.import_module(f"{__name__}.{entry.name}"))
        for entry in pkgutil.iter_modules(__path__)
    }
