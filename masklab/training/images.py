"""Images on the device: the validation split, normalisation, each member's batches and augmentation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer, Shaped, UInt8
from torch import Tensor

from masklab import data as datasets
from masklab import seeds
from masklab.training import augment as augmenting
from masklab.training import counts


def normalisation(data: datasets.Data) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over the training images, in intensity units."""
    mean = data.train_images.mean(axis=(0, 2, 3), dtype=np.float64)
    deviation = data.train_images.std(axis=(0, 2, 3), dtype=np.float64)
    deviation[deviation == 0] = 1.0  # a constant channel carries nothing; leave it at zero
    return [float(value) for value in mean], [float(value) for value in deviation]


def per_channel(values: list[float]) -> Float[Tensor, "c 1 1"]:
    """One float32 per channel, in the shape that broadcasts over images."""
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)


def normalise(
    images: Shaped[Tensor, "*any c h w"], mean: Float[Tensor, "c 1 1"], deviation: Float[Tensor, "c 1 1"]
) -> Float[Tensor, "*any c h w"]:
    """Intensities (uint8 or float32) as float32 with mean 0 and standard deviation 1 per channel."""
    return images.to(torch.float32, copy=True).sub_(mean).div_(deviation)


def validation_split(data: datasets.Data, fraction: float, seed: int) -> Bool[np.ndarray, " train"]:
    """True for the training images that are held out; stratified, the same for every member."""
    held_out = counts.validation_count(len(data.train_labels), fraction)
    return datasets.stratified(data.train_labels, held_out, seeds.stream(seed, "split"))


@dataclass(frozen=True)
class Images:
    """A data set on its device.

    Attributes:
        train: Images to train on, uint8, and their labels.
        validation: Held-out images and labels.
        test: Test images and labels.
        mean: Normalisation, see `normalise`.
        deviation: Normalisation.
    """

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    mean: Float[Tensor, "c 1 1"]
    deviation: Float[Tensor, "c 1 1"]


def _own(values: np.ndarray) -> np.ndarray:
    """An array that torch may share: a copy of what cannot be written to."""
    return values if values.flags.writeable else values.copy()


def on_device(data: datasets.Data, fraction: float, seed: int, device: str) -> Images:
    """Split a data set and move it to a device, images as uint8."""
    held_out = validation_split(data, fraction, seed)
    mean, deviation = map(per_channel, normalisation(data))

    def moved(images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(_own(images)).to(device), torch.from_numpy(_own(labels)).to(device)

    return Images(
        moved(data.train_images[~held_out], data.train_labels[~held_out]),
        moved(data.train_images[held_out], data.train_labels[held_out]),
        moved(data.test_images, data.test_labels),
        mean.to(device),
        deviation.to(device),
    )


def epoch_batches(
    images: Images,
    seed: int,
    levels: list[dict[str, int]],
    epoch: int,
    batch_size: int,
    augment: str,
    *,
    dtype: torch.dtype = torch.float32,
    start: int = 0,
) -> Iterator[tuple[Float[Tensor, "members batch c h w"], Integer[Tensor, "members batch"]]]:
    """Normalised batches of one epoch, each member in its own order; the last batch may be smaller.

    Members of equal levels share the work, and see equal numbers.

    Args:
        images: The data set on its device.
        seed: The study's seed.
        levels: Draw of each seed source, per member.
        epoch: Number of the epoch, from 0.
        batch_size: Images per step and member.
        augment: A name of `masklab.data.augmentations`.
        dtype: Type of the batches; they are normalised in float32.
        start: First step to yield; those before it are skipped, and nothing else changes.

    Raises:
        ConfigError: Unknown augmentation; when the first batch is asked for.
    """
    augmentation = augmenting.find(augment)
    pixels, labels = images.train
    keys = [(level["batches"], level["augment"] if augmentation else 0) for level in levels]
    distinct = list(dict.fromkeys(keys))
    member = torch.tensor([distinct.index(key) for key in keys], device=labels.device)
    drawn = _drawn(augmentation, seed, distinct, epoch, pixels)
    order = _order(seed, distinct, epoch, labels)
    for first in range(start * batch_size, len(labels), batch_size):
        chosen = order[:, first : first + batch_size]
        batch = pixels.index_select(0, chosen.flatten())
        if augmentation:
            batch = augmentation.apply(batch, drawn[:, first : first + batch_size].flatten(0, 1))
        normal = normalise(batch, images.mean, images.deviation).to(dtype).unflatten(0, chosen.shape)
        truth = labels[chosen]
        yield (normal, truth) if len(distinct) == len(keys) else (normal[member], truth[member])


def _order(
    seed: int, keys: list[tuple[int, int]], epoch: int, labels: Integer[Tensor, " train"]
) -> Integer[Tensor, "keys train"]:
    """Order of the images in an epoch, for each (level of batches, level of augment)."""
    found = {
        level: seeds.stream(seed, "batches", level, event=epoch).permutation(len(labels))
        for level in dict.fromkeys(batches for batches, _ in keys)
    }
    return torch.from_numpy(np.stack([found[batches] for batches, _ in keys])).to(labels.device)


def _drawn(
    augmentation: augmenting.Augmentation | None,
    seed: int,
    keys: list[tuple[int, int]],
    epoch: int,
    pixels: UInt8[Tensor, "train c h w"],
) -> Integer[Tensor, "keys train numbers"]:
    """What happens to the image at each place of an epoch's order; no numbers without augmentation."""
    count, _, height, width = pixels.shape
    if augmentation is None:
        return torch.empty(len(keys), count, 0, dtype=torch.int64)
    found = {
        level: augmentation.draw(seeds.stream(seed, "augment", level, event=epoch), count, height, width)
        for level in dict.fromkeys(augment for _, augment in keys)
    }
    return torch.from_numpy(np.stack([found[augment] for _, augment in keys])).to(pixels.device)
