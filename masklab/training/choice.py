"""Which engine trains a network (see `engines`), decided without torch."""

import math
from collections.abc import Mapping
from typing import Any, Literal

Engine = Literal["vmap", "loop"]

_VMAP_WEIGHTS = 2**15
_VMAP_PIXELS = 16 * 16


def engine(record: Mapping[str, Any], device: str) -> Engine:
    """Engine for a study's network and images; a fixed rule, so that equal studies get equal plans.

    On a CPU `vmap` wins for fully connected networks and for small convolutions on small images (time per
    member and image ÷ that of `loop`: 0.5–0.9), and loses on larger images, where its grouped convolutions
    are slow (2–3 times at 32×32).

    Args:
        record: The resolved study.
        device: `"cpu"` or `"cuda"`.
    """
    shapes = [layer["shape"] for layer in record["network"]["layers"]]
    if device != "cpu" or not any(len(shape) == 4 for shape in shapes):
        return "vmap"
    _, height, width = record["data"]["input_shape"]
    small = sum(map(math.prod, shapes)) <= _VMAP_WEIGHTS and height * width <= _VMAP_PIXELS
    return "vmap" if small else "loop"
