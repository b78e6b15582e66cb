"""Accuracy of a cohort's members as they are, and the running statistics that belong to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from masklab.training import engines, randomness
from masklab.training import images as imaging

if TYPE_CHECKING:
    from masklab.training.cohort import Trainer

_FORWARD_AT_ONCE = 4096
"""Most members × images in one evaluation."""

_STATISTICS_BATCHES = 200
"""Batches from which the running statistics of a mask that was not trained are taken."""


def accuracy(trainer: "Trainer", images: Tensor, labels: Tensor) -> list[float]:
    """Accuracy of each member on images (uint8), in the precision of the training.

    Batches are at most twice those of the training, so that an evaluation takes no more memory than a step.
    """
    correct = torch.zeros(len(trainer.cohort.levels), dtype=torch.int64, device=labels.device)
    with torch.no_grad():
        for rows in trainer.groups(trainer.engine == "vmap"):
            tensors = trainer.cohort.tensors(trainer.dtype, rows)
            most = min(_FORWARD_AT_ONCE // tensors.members, 2 * trainer.cohort.training.batch_size)
            batch = max(1, most)
            for pixels, truth in zip(images.split(batch), labels.split(batch), strict=True):
                normal = imaging.normalise(pixels, trainer.images.mean, trainer.images.deviation)
                outputs = engines.logits(trainer.engine, trainer.network, tensors, normal.to(trainer.dtype))
                correct[rows] += (outputs.argmax(2) == truth).sum(1)
    return [right / len(labels) for right in correct.tolist()]


def estimate_statistics(trainer: "Trainer") -> None:
    """Take the running statistics of the masks as they are from the training images.

    For masks that were not trained as such: the untrained controls, and dense weights that are pruned
    afterwards. They are plain means over the batches of one epoch, so that nothing is left of what stood
    there before. Member by member, with each member's own draws where a network makes some.
    """
    cohort, recipe, pixels = trainer.cohort, trainer.cohort.training, trainer.images
    few = imaging.normalise(pixels.train[0][:2], pixels.mean, pixels.deviation).to(trainer.dtype)
    random = randomness.draws(trainer.network, cohort.tensors(trainer.dtype, slice(0, 1)), few)
    with torch.no_grad(), torch.random.fork_rng(enabled=random), averaging(trainer.network) as count:
        for member, level in enumerate(cohort.levels):
            batches = imaging.epoch_batches(
                pixels, cohort.seed, [level], 0, recipe.batch_size, recipe.augment, dtype=trainer.dtype
            )
            rows = slice(member, member + 1)
            tensors, start = cohort.tensors(trainer.dtype, rows), randomness.start(cohort.seed, level, 0)
            for step, (images, _) in zip(range(_STATISTICS_BATCHES), batches, strict=False):
                count(step)
                if random:
                    randomness.seed(start + step, images.device)
                engines.logits("loop", trainer.network, tensors, images, training=True)


def normalising(network: nn.Module) -> list[nn.modules.batchnorm._NormBase]:
    """The parts of a network that have running statistics."""
    return [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._NormBase)]


@contextmanager
def averaging(network: nn.Module) -> Iterator[Callable[[int], None]]:
    """Function to be called with the number of each batch, for running statistics that are plain means."""
    norms = normalising(network)
    before = [norm.momentum for norm in norms]

    def count(batch: int) -> None:
        for norm in norms:
            norm.momentum = 1 / (batch + 1)

    try:
        yield count
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum


@contextmanager
def statistics_of_final_masks(trainer: "Trainer") -> Iterator[None]:
    """Evaluate pruned members with statistics of their own while their weights are still trained densely."""
    buffers = trainer.cohort.surroundings.buffers
    if not (buffers and trainer.cohort.pruner.trains_weights and trainer.cohort.density < 1):
        yield
        return
    kept = {name: values.clone() for name, values in buffers.items()}
    estimate_statistics(trainer)
    yield
    for name, values in kept.items():
        buffers[name].copy_(values)
