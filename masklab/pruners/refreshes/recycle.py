"""Weight Recycling: the highest-ranked weights are copied over the lowest-ranked ones now and then.

Source: Gorbett & Whitley, Randomly Initialized Subnetworks with Iterative Weight Recycling, 2023
(arXiv 2303.15953).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Integer
from pydantic import Field

from masklab.errors import ConfigError
from masklab.pruners import options

ORIGIN = "position"


class Options(options.RefreshOptions):
    """Options of a population with this refresh."""

    rate: float = Field(
        default=0.2, gt=0, le=1, description="share of a layer's weights that an event overwrites"
    )
    source: Literal["highest", "next-lowest"] = Field(
        default="highest",
        description="weights that are copied: highest-ranked, or (ablation) those just above the targets",
    )


def copied_count(size: int, rate: float) -> int:
    """Weights that one event overwrites in a layer: `floor(rate·size)`."""
    return math.floor(rate * size)


def check(layers: Sequence[tuple[str, int, int | None]], options: Options) -> list[str]:
    """Refuse rates whose targets would be kept weights, or whose sources and targets would overlap.

    Args:
        layers: (name, number of weights, number kept or None where it is not fixed) of each masked layer.
        options: The population's options.

    Returns:
        Notes for the user: where sources include pruned weights.

    Raises:
        ConfigError: In some layer `floor(rate·N) > N − kept` or `2·floor(rate·N) > N`.
    """
    beyond = []
    for name, size, kept in layers:
        copied = copied_count(size, options.rate)
        if 2 * copied > size:
            raise ConfigError(
                f"recycle rate {options.rate} copies more than half of layer {name!r}; allowed: 0.5"
            )
        if kept is None:  # global selection: how much a layer keeps is not known before
            continue
        if copied > size - kept:
            raise ConfigError(
                f"recycle rate {options.rate} overwrites {copied} weights of layer {name!r}, where only "
                f"{size - kept} of {size} are pruned; allowed: a rate of at most 1 − density"
            )
        if copied > kept and options.source == "highest":
            beyond.append(name)
    if not beyond:
        return []
    return [
        f"recycle rate {options.rate} is above the density: sources include pruned weights in "
        + ", ".join(beyond)
    ]


def refresh(
    weight: Float[Any, "members size"],
    origin: Integer[Any, "members size"],
    key: Float[Any, "members size"],
    mask: Bool[Any, "members size"],
    event: int,
    draw: Callable[[int], tuple[np.ndarray, np.random.RandomState]],
    options: Options,
) -> None:
    """Copy the `floor(rate·N)` highest-ranked weights over the lowest-ranked, rank to rank, in place.

    With π the ascending order of the key: w[π(i)] ← w[π(N − k + i)] for i = 1 … k, or, with the source
    `next-lowest`, w[π(i)] ← w[π(k + i)]. Scores, momentum and mask are untouched. On equal keys the lower
    index ranks higher, as in selection.

    Args:
        weight: Base weights, changed in place.
        origin: 1 + initial position of each value, 0 = its own; changed in place.
        key: Ranking key (|score|, or score).
        mask: True = kept; under global selection a target may be kept, and is left alone then.
        event: Not used here.
        draw: Not used here.
        options: The population's options.
    """
    import torch

    size = weight.shape[1]
    copied = copied_count(size, options.rate)
    descending = torch.sort(key, dim=1, descending=True, stable=True).indices
    first = 0 if options.source == "highest" else size - 2 * copied
    copied_from, lowest = descending[:, first : first + copied], descending[:, size - copied :]
    sources = origin.gather(1, copied_from)
    sources = torch.where(sources == 0, (copied_from + 1).to(origin.dtype), sources)
    blocked = mask.gather(
        1, lowest
    )  # kept weights are never overwritten; none, where layers keep fixed counts
    origin.scatter_(1, lowest, torch.where(blocked, origin.gather(1, lowest), sources))
    copies = torch.where(blocked, weight.gather(1, lowest), weight.gather(1, copied_from))
    weight.scatter_(1, lowest, copies)
