"""Images on the device: the validation split, normalisation, each member's batches and augmentation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer, UInt8
from torch import Tensor

from masklab import data as datasets
from masklab import seeds
from masklab.training.counts import validation_count

_PADDING = 4


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
    images: UInt8[Tensor, "*any c h w"], mean: Float[Tensor, "c 1 1"], deviation: Float[Tensor, "c 1 1"]
) -> Float[Tensor, "*any c h w"]:
    """Intensities as float32 with mean 0 and standard deviation 1 per channel."""
    return (images.float() - mean) / deviation


def validation_split(data: datasets.Data, fraction: float, seed: int) -> Bool[np.ndarray, " train"]:
    """True for the training images that are held out; stratified, the same for every member."""
    held_out = validation_count(len(data.train_labels), fraction)
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


def on_device(data: datasets.Data, fraction: float, seed: int, device: str) -> Images:
    """Split a data set and move it to a device, images as uint8."""
    held_out = validation_split(data, fraction, seed)
    mean, deviation = map(per_channel, normalisation(data))

    def moved(images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(np.array(images)).to(device), torch.from_numpy(np.array(labels)).to(device)

    return Images(
        moved(data.train_images[~held_out], data.train_labels[~held_out]),
        moved(data.train_images[held_out], data.train_labels[held_out]),
        moved(data.test_images, data.test_labels),
        mean.to(device),
        deviation.to(device),
    )


def epoch_batches(
    images: Images, seed: int, levels: list[dict[str, int]], epoch: int, batch_size: int, augment: str
) -> Iterator[tuple[Float[Tensor, "members batch c h w"], Integer[Tensor, "members batch"]]]:
    """Normalised batches of one epoch, each member in its own order; the last batch may be smaller.

    Args:
        images: The data set on its device.
        seed: The study's seed.
        levels: Draw of each seed source, per member.
        epoch: Number of the epoch, from 0.
        batch_size: Images per step and member.
        augment: `"none"` or `"crop-flip"`.
    """
    pixels, labels = images.train
    count = len(labels)
    orders = np.stack(
        [seeds.stream(seed, "batches", level["batches"], event=epoch).permutation(count) for level in levels]
    )
    order = torch.from_numpy(orders).to(labels.device)
    moves = _moves(seed, levels, epoch, count).to(labels.device) if augment == "crop-flip" else None
    for start in range(0, count, batch_size):
        chosen = order[:, start : start + batch_size]
        if moves is None:
            batch = pixels[chosen]
        else:
            batch = _moved(pixels, chosen, moves[:, start : start + batch_size])
        yield normalise(batch, images.mean, images.deviation), labels[chosen]


def _moves(
    seed: int, levels: list[dict[str, int]], epoch: int, count: int
) -> Integer[Tensor, "members count 3"]:
    """Vertical shift, horizontal shift (0 … 2·padding) and flip (0, 1) for each image of an epoch."""
    drawn = []
    for level in levels:
        random = seeds.stream(seed, "augment", level["augment"], event=epoch)
        shifts = random.randint(0, 2 * _PADDING + 1, (count, 2))
        drawn.append(np.concatenate([shifts, random.randint(0, 2, (count, 1))], axis=1))
    return torch.from_numpy(np.stack(drawn))


def _moved(
    pixels: UInt8[Tensor, "train c h w"],
    chosen: Integer[Tensor, "members batch"],
    moves: Integer[Tensor, "members batch 3"],
) -> UInt8[Tensor, "members batch c h w"]:
    """Crop a window of the original size out of the zero-padded image, and flip it where asked."""
    _, channels, height, width = pixels.shape
    rows = moves[..., 0:1] + torch.arange(height, device=pixels.device) - _PADDING
    columns = moves[..., 1:2] + torch.arange(width, device=pixels.device) - _PADDING
    columns = torch.where(moves[..., 2:3] == 1, columns.flip(-1), columns)
    inside = ((rows >= 0) & (rows < height))[..., :, None] & ((columns >= 0) & (columns < width))[
        ..., None, :
    ]
    flat = rows.clamp(0, height - 1)[..., :, None] * width + columns.clamp(0, width - 1)[..., None, :]
    source = pixels[chosen].flatten(-2)  # [members, batch, c, h·w]
    index = flat.flatten(-2)[:, :, None].expand(-1, -1, channels, -1)
    cropped = source.gather(-1, index).unflatten(-1, (height, width))
    return cropped * inside[:, :, None]
