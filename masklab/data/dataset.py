"""What a data set is, and how one is split."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from masklab.errors import DataError


@dataclass(frozen=True)
class Data:
    """Images and labels of a classification data set; that its arrays fit each other is checked here.

    Attributes:
        train_images: uint8 intensities.
        train_labels: Class numbers from 0.
        test_images: Held-out images; never used for training or selection.
        test_labels: Their class numbers.
        classes: Name of each class.

    Raises:
        DataError: Empty, or arrays that do not belong together.
    """

    train_images: UInt8[np.ndarray, "_train _channels _height _width"]
    train_labels: Integer[np.ndarray, " _train"]
    test_images: UInt8[np.ndarray, "_test _channels _height _width"]
    test_labels: Integer[np.ndarray, " _test"]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise DataError(f"a data set needs at least 2 classes, got {len(self.classes)}")
        for name, images, labels in (
            ("training", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            if len(images) == 0:
                raise DataError(f"the data set has no {name} images")
            if len(images) != len(labels):
                raise DataError(f"{len(images)} {name} images but {len(labels)} labels")
            if labels.min() < 0 or labels.max() >= len(self.classes):
                raise DataError(f"{name} labels reach {labels.max()}; there are {len(self.classes)} classes")
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                f"training images are {self.train_images.shape[1:]}, test images {self.test_images.shape[1:]}"
            )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width of an image."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width


def stratified(
    labels: Integer[np.ndarray, " images"], held_out: int, random: np.random.RandomState
) -> Bool[np.ndarray, " images"]:
    """Choose `held_out` images so that every class has its share, largest remainders first.

    Args:
        labels: Class of each image.
        held_out: Number of images to choose.
        random: Stream that chooses within the classes.

    Returns:
        True where an image is held out.

    Examples:
        >>> chosen = stratified(np.array([0] * 6 + [1] * 4), 5, np.random.RandomState(0))
        >>> int(chosen[:6].sum()), int(chosen[6:].sum())
        (3, 2)
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * held_out / len(labels)
    quota = np.floor(shares).astype(int)
    largest = np.argsort(quota - shares, kind="stable")
    quota[largest[: held_out - quota.sum()]] += 1
    chosen = np.zeros(len(labels), dtype=bool)
    for label, number in zip(classes, quota, strict=True):
        members = np.flatnonzero(labels == label)
        chosen[members[random.permutation(len(members))[:number]]] = True
    return chosen
