"""What is evaluated: tasks of many networks each, grouped into pieces of a size that suits the machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Integer

from masklab.landscape.ends import State
from masklab.landscape.images import SPLITS


@dataclass(frozen=True, eq=False)
class Task:
    """Networks that belong together: the points of a path, a member after more and more flips.

    Attributes:
        key: Unique among all tasks, and the same in every run; results are kept under it.
        networks: How many.
        build: Positions (ascending, in 0 … networks − 1) → their states. The same positions give the same
            states, whatever else was built before.
        splits: On which images.
        members: Members whose own answers are wanted beside these (see `own_key`).
        stored: Whether running statistics stay as the state has them even where others are re-estimated.
    """

    key: str
    networks: int
    build: Callable[[Sequence[int]], State]
    splits: tuple[str, ...] = SPLITS
    members: tuple[str, ...] = ()
    stored: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the networks of a task answer.

    Attributes:
        classes: Split → predicted classes.
        losses: Split → cross-entropy of each image, in nats.
        labels: Split → true classes.
    """

    classes: dict[str, Integer[np.ndarray, "networks images"]]
    losses: dict[str, Float32[np.ndarray, "networks images"]]
    labels: dict[str, Integer[np.ndarray, " images"]]

    def wrong(self, split: str) -> Bool[np.ndarray, "networks images"]:
        """Which images are classified wrongly."""
        return self.classes[split] != self.labels[split]

    def accuracy(self, split: str) -> np.ndarray:
        """Accuracy of each network."""
        return 1.0 - self.wrong(split).mean(axis=1)

    def loss(self, split: str) -> np.ndarray:
        """Mean loss of each network, in nats."""
        return self.losses[split].mean(axis=1, dtype=np.float64)


def own_key(member: str, *, stored: bool = False) -> str:
    """Key of the task that is a member itself.

    Args:
        member: Its id.
        stored: Whether with its stored running statistics, rather than those that all networks get here.
    """
    return f"{'stored' if stored else 'own'}/{member}"


def pieces(tasks: Sequence[Task], at_once: int) -> list[list[Task]]:
    """Tasks in groups that are evaluated, and kept, together: the same groups for the same tasks.

    Args:
        tasks: All tasks.
        at_once: Networks that a group should have; a task is never divided between groups.
    """
    found: list[list[Task]] = []
    kind, size = None, 0
    for task in tasks:
        own = (task.splits, task.stored)
        if own != kind or size + task.networks > at_once:
            found.append([])
            kind, size = own, 0
        found[-1].append(task)
        size += task.networks
    return found
