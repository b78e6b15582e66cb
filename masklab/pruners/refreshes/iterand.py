"""Iterative Randomization: pruned weights are redrawn from the initial distribution now and then.

Source: Chijiwa et al., Pruning Randomly Initialized Neural Networks with Iterative Randomization,
NeurIPS 2021 (arXiv 2106.09269).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer
from pydantic import Field

from masklab.pruners import options

ORIGIN = "event"


class Options(options.RefreshOptions):
    """Options of a population with this refresh."""

    rate: float = Field(
        default=0.1, gt=0, le=1, description="probability with which an event redraws a pruned weight"
    )


def check(layers: Sequence[tuple[str, int, int | None]], options: Options) -> list[str]:
    """Nothing can go wrong: whatever is pruned may be redrawn."""
    return []


def refresh(
    weight: Float[Any, "members size"],
    origin: Integer[Any, "members size"],
    key: Float[Any, "members size"],
    mask: Bool[Any, "members size"],
    event: int,
    draw: Callable[[int], tuple[np.ndarray, np.random.RandomState]],
    options: Options,
) -> None:
    """Redraw each pruned weight with probability `rate`, in place; kept weights are untouched.

    Args:
        weight: Base weights, changed in place.
        origin: Number of the event that drew each value, 0 = initial; changed in place.
        key: Ranking key (not used here).
        mask: True = kept.
        event: Number of this event, from 1.
        draw: Position of a member → its fresh draw of the whole layer, and the stream for what follows.
        options: The population's options.
    """
    import torch

    for member in range(len(weight)):
        fresh, random = draw(member)
        chosen = torch.from_numpy(random.random_sample(fresh.size) < options.rate).to(mask.device)
        redrawn = chosen & ~mask[member]
        weight[member] = torch.where(redrawn, torch.from_numpy(fresh).to(weight.device), weight[member])
        origin[member] = origin[member].masked_fill(redrawn, event)
