"""Tiny studies, outcomes at random, and an oracle, for the tests of several questions."""

from collections.abc import Sequence

import numpy as np

from masklab.landscape.context import Context
from masklab.landscape.tasks import Outcome, Task, own_key


def planted(tasks: Sequence[Task], context: Context) -> dict[str, Outcome]:
    """Outcomes at random, of tasks and of the members that they name."""
    random, labels = np.random.RandomState(5), dict(context.images.labels)
    sizes = {task.key: task.networks for task in tasks} | {
        own_key(member): 1 for task in tasks for member in task.members
    }

    def made(networks: int) -> Outcome:
        shapes = {split: (networks, len(own)) for split, own in labels.items()}
        return Outcome(
            {split: random.randint(0, 2, shape).astype(np.uint8) for split, shape in shapes.items()},
            {split: random.rand(*shape).astype(np.float32) for split, shape in shapes.items()},
            labels,
        )

    return {key: made(size) for key, size in sizes.items()}


def measured(outcome: Outcome, split: str, what: str, at: int) -> float:
    """Error or loss of one network, image by image."""
    if what == "loss":
        return sum(map(float, outcome.losses[split][at])) / len(outcome.labels[split])
    wrong = [a != b for a, b in zip(outcome.classes[split][at], outcome.labels[split], strict=True)]
    return sum(wrong) / len(wrong)


def excess(curve: Sequence[float]) -> float:
    """Entezari's barrier."""
    last = len(curve) - 1
    return max(one - (curve[0] * (last - at) + curve[-1] * at) / last for at, one in enumerate(curve))
