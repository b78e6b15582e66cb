"""Counts that the plan and the split agree on; no torch here."""

import math


def validation_count(train: int, fraction: float) -> int:
    """Number of training images held out for validation: `floor(train·fraction + ½)`.

    Examples:
        >>> validation_count(1437, 0.1)
        144
    """
    return math.floor(train * fraction + 0.5)


def learning_rate(initial: float, schedule: str, epoch: int, epochs: int) -> float:
    """Learning rate during an epoch (from 0): cosine per epoch, or constant.

    Source: Loshchilov & Hutter, SGDR (ICLR 2017), without restarts.

    Examples:
        >>> learning_rate(0.1, "cosine", 5, 10)
        0.05
    """
    if schedule == "constant":
        return initial
    return initial * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
