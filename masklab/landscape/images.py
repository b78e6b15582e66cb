"""The images on which networks of the landscape are evaluated: the same for all of them, on the device."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from masklab import data as datasets
from masklab import seeds
from masklab.archive import Archive
from masklab.errors import DataError
from masklab.training import images as imaging

SPLITS = ("test", "train")

_LEAST_BATCHES = 2
"""Batches from which running statistics are re-estimated at least."""


@dataclass(frozen=True, eq=False)
class Images:
    """Normalised images, split by split.

    Attributes:
        pixels: Split → images.
        labels: Split → their classes.
        chosen: Split → places of the images in the whole split, ascending.
        of: Split → images that there are; for `train` those that were trained on.
        statistics: Training images from which running statistics are re-estimated, batch by batch.
    """

    pixels: Mapping[str, Float[Tensor, "images c h w"]]
    labels: Mapping[str, Integer[np.ndarray, " images"]]
    chosen: Mapping[str, Integer[np.ndarray, " images"]]
    of: Mapping[str, int]
    statistics: tuple[Float[Tensor, "batch c h w"], ...]

    def number(self, split: str) -> int:
        """Images of a split."""
        return len(self.labels[split])

    def channels_last(self) -> "Images":
        """The same, laid out as convolutions are fastest on a CPU."""
        pixels = {
            split: own.contiguous(memory_format=torch.channels_last) for split, own in self.pixels.items()
        }
        batches = tuple(own.contiguous(memory_format=torch.channels_last) for own in self.statistics)
        return replace(self, pixels=pixels, statistics=batches)

    def fewer(self, share: float, least: int) -> "Images":
        """A part of these, of each split at least `least` as far as there are so many, and of the batches."""
        keep = {
            split: _evenly(labels, min(len(labels), max(least, int(len(labels) * share))))
            for split, labels in self.labels.items()
        }
        return replace(
            self,
            pixels={split: pixels[torch.from_numpy(keep[split])] for split, pixels in self.pixels.items()},
            labels={split: labels[keep[split]] for split, labels in self.labels.items()},
            chosen={split: chosen[keep[split]] for split, chosen in self.chosen.items()},
            statistics=self.statistics[: max(_LEAST_BATCHES, int(len(self.statistics) * share))],
        )


def load(archive: Archive, most: int, batches: int, device: str, data: datasets.Data | None = None) -> Images:
    """A stratified sample of a study's test images, half as many training images, and statistics batches.

    Args:
        archive: The study.
        most: Most test images.
        batches: Training batches for running statistics; 0 where the network has none.
        device: Where the images go.
        data: The data set, where it is in memory.

    Raises:
        DataError: The data set is missing, or not the one that the members were trained on.
    """
    study = archive.study
    data = data or datasets.load(study["data"]["name"], study["data"]["path"])
    if datasets.content_digest(data) != study["data"]["digest"]:
        raise DataError(
            f"data set {study['data']['name']!r} is not the one that {archive.directory} was trained on"
        )
    trained = np.flatnonzero(
        ~imaging.validation_split(data, study["data"]["validation_fraction"], study["seeds"]["study"])
    )
    test = _sample(data.test_labels, most, archive.seed, "test")
    half = _sample(data.train_labels[trained], max(1, len(test) // 2), archive.seed, "train")
    chosen = {"test": test, "train": trained[half]}
    mean, deviation = (imaging.per_channel(values).to(device) for values in imaging.normalisation(data))

    def ready(pixels: np.ndarray) -> Tensor:
        return imaging.normalise(torch.from_numpy(pixels.copy()).to(device), mean, deviation)

    sources = {"test": (data.test_images, data.test_labels), "train": (data.train_images, data.train_labels)}
    order = trained[
        seeds.stream(archive.seed, "split", layer="landscape/statistics").permutation(len(trained))
    ]
    size = study["training"]["batch_size"]
    return Images(
        {split: ready(sources[split][0][places]) for split, places in chosen.items()},
        {split: sources[split][1][places].astype(np.int64) for split, places in chosen.items()},
        chosen,
        {"test": len(data.test_labels), "train": len(trained)},
        tuple(
            ready(data.train_images[places])
            for start in range(0, min(batches * size, len(order)), size)
            if len(places := order[start : start + size]) > 1
        ),
    )


def _sample(labels: np.ndarray, most: int, seed: int, split: str) -> Integer[np.ndarray, " images"]:
    """Places of at most so many images, each class in proportion, ascending."""
    if len(labels) <= most:
        return np.arange(len(labels))
    taken: Bool[np.ndarray, " images"] = datasets.stratified(
        labels, most, seeds.stream(seed, "split", layer=f"landscape/{split}")
    )
    return np.flatnonzero(taken)


def _evenly(labels: np.ndarray, number: int) -> Integer[np.ndarray, " images"]:
    """So many places of a sample, classes in proportion, the same ones each time."""
    order = np.argsort(labels, kind="stable")
    return np.sort(order[np.linspace(0, len(order), number, endpoint=False).astype(np.int64)])
