"""Which engine trains a network (see `engines`), decided without torch."""

from typing import Literal

Engine = Literal["vmap", "loop"]

VMAP_WEIGHTS = 2**15
"""On a CPU `vmap` is used for networks of at most this many weights: about where the two cross over."""


def engine(weights: int, device: str) -> Engine:
    """Engine for a network of so many weights; a fixed rule, so that equal studies get equal plans."""
    return "vmap" if device != "cpu" or weights <= VMAP_WEIGHTS else "loop"
