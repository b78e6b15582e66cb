"""Counts and rates that follow from a recipe; no torch here."""

import math

_WIDEST = 0.5
"""Density at which global selection begins."""


def validation_count(train: int, fraction: float) -> int:
    """Number of training images held out for validation: `floor(train·fraction + ½)`.

    Examples:
        >>> validation_count(1437, 0.1)
        144
    """
    return math.floor(train * fraction + 0.5)


def steps_per_epoch(train: int, batch_size: int) -> int:
    """Steps of one epoch; the last batch may be smaller.

    Examples:
        >>> steps_per_epoch(45000, 128)
        352
    """
    return -(-train // batch_size)


def learning_rate(
    initial: float,
    schedule: str,
    epochs_done: float | int,
    epochs: int,
    warmup_epochs: int = 0,
    unit: float | int = 1,
) -> float:
    """Learning rate at a point of the training: linear warm-up, then cosine or constant.

    Args:
        initial: Rate at the top.
        schedule: `"cosine"` (per epoch), `"cosine-step"` or `"constant"`.
        epochs_done: Epochs done so far, with their fraction where the rate follows the step.
        epochs: Length of the training.
        warmup_epochs: Epochs in which the rate grows to its top: with e epochs done it is
            (e + unit) ÷ warmup_epochs of it, as in the published scripts; the cosine runs over the others.
        unit: Share of an epoch after which the rate changes: 1, or 1 ÷ steps where it follows the step.

    Source: Loshchilov & Hutter, SGDR (ICLR 2017), without restarts.

    Examples:
        >>> learning_rate(0.1, "cosine", 5, 10), learning_rate(0.1, "cosine", 0, 10, warmup_epochs=4)
        (0.05, 0.025)
    """
    if schedule != "cosine-step":
        epochs_done, unit = math.floor(epochs_done), 1
    if epochs_done < warmup_epochs:
        return initial * min(1.0, (epochs_done + unit) / warmup_epochs)
    if schedule == "constant":
        return initial
    return (
        initial * 0.5 * (1.0 + math.cos(math.pi * (epochs_done - warmup_epochs) / (epochs - warmup_epochs)))
    )


def global_density(density: float, epoch: int, epochs: int, ramp_epochs: int | None) -> float:
    """Density of global selection in an epoch (from 0): it falls along a cubic from one half.

    Args:
        density: Fraction kept in the end; from one half on there is no ramp.
        epoch: Number of the epoch.
        epochs: Length of the training.
        ramp_epochs: Epochs until the density is reached; None: the default.

    Source: Diffenderfer & Kailkhura's code (global subnetworks); Zhu & Gupta (2017) for the cubic.

    Examples:
        >>> [round(global_density(0.1, epoch, 100, 10), 4) for epoch in (0, 5, 10, 50)]
        [0.5, 0.15, 0.1, 0.1]
    """
    ramp = default_ramp(epochs) if ramp_epochs is None else ramp_epochs
    if density >= _WIDEST or epoch >= ramp:
        return density
    return density + (_WIDEST - density) * (1.0 - epoch / ramp) ** 3


def default_ramp(epochs: int) -> int:
    """Epochs of the ramp when the study does not say: 10, or a third of a shorter training."""
    return min(10, epochs // 3)
