"""Which engine trains a network (see `engines`), decided without torch."""

import math
from collections.abc import Mapping
from typing import Any, Literal

Engine = Literal["vmap", "loop"]
Precision = Literal["fp32", "bf16"]

_VMAP_WEIGHTS = 2**15
_VMAP_PIXELS = 16 * 16
_CLEARLY = 1.25
"""How much faster the other engine must be to overrule the rule: near ties must not depend on noise."""


def expected(record: Mapping[str, Any], device: str) -> Engine:
    """Engine that a network and its images should run fastest on; a fixed rule.

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


def evaluating(record: Mapping[str, Any], device: str) -> Engine:
    """Engine with which many networks are evaluated on the same images; a fixed rule.

    Without a backward pass batches may be large: then one network after the other is faster on a CPU as soon
    as there are convolutions (1.1 to 5 times); fully connected networks are faster together (up to 3 times).

    Args:
        record: The resolved study.
        device: `"cpu"` or `"cuda"`.
    """
    convolves = any(len(layer["shape"]) == 4 for layer in record["network"]["layers"])
    return "loop" if device == "cpu" and convolves else "vmap"


def engine(rule: Engine, seconds: Mapping[str, float | None]) -> Engine:
    """Engine for a plan: the rule's, unless the other one was measured clearly faster.

    Args:
        rule: What `expected` says.
        seconds: Engine → measured time of a step; None where it did not run.

    Examples:
        >>> engine("loop", {"loop": 1.0, "vmap": 0.9}), engine("loop", {"loop": 1.0, "vmap": 0.5})
        ('loop', 'vmap')
    """
    other: Engine = "loop" if rule == "vmap" else "vmap"
    mine, theirs = seconds.get(rule), seconds.get(other)
    if theirs is None:
        return rule
    return other if mine is None or theirs * _CLEARLY < mine else rule
