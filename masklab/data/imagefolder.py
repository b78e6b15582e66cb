"""Folders of images: `train/<class>/*` and `test/<class>/*` (or `val/`), all of one size."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from masklab import parallel
from masklab.data.dataset import Data
from masklab.errors import ConfigError, DataError

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def load(path: Path | None) -> Data:
    """Decode every image of a folder to RGB (or to one channel when all are grey).

    Args:
        path: The folder that holds `train` and `test` (or `val`).

    Raises:
        ConfigError: No path was given.
        DataError: A folder is missing, has no classes or no images, or images differ in size.
    """
    if path is None:
        raise ConfigError("data set 'imagefolder' needs a path (data.path, or --data imagefolder:PATH)")
    train_folder = _existing(path, ("train",))
    test_folder = _existing(path, ("test", "val"))
    classes = _classes(train_folder)
    extra = sorted(set(_classes(test_folder)) - set(classes))
    if extra:
        raise DataError(f"{test_folder} has a class that {train_folder} lacks: {extra[0]!r}")
    train_images, train_labels = _read(train_folder, classes)
    test_images, test_labels = _read(test_folder, classes)
    if train_images.shape[1] != test_images.shape[1]:
        raise DataError(f"{path}: one of train and test is grey, the other in colour")
    return Data(train_images, train_labels, test_images, test_labels, tuple(classes))


def _existing(path: Path, candidates: tuple[str, ...]) -> Path:
    if not path.is_dir():
        raise DataError(f"{path} is not a folder (data.path)")
    for name in candidates:
        if (path / name).is_dir():
            return path / name
    raise DataError(f"{path} has no folder {' or '.join(candidates)} (expected train/<class>/ and test/<class>/)")


def _classes(folder: Path) -> list[str]:
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not found:
        raise DataError(f"{folder} has no class folders (expected {folder}/<class>/<image>)")
    return found


def _read(
    folder: Path, classes: list[str]
) -> tuple[UInt8[np.ndarray, "images channels height width"], Int64[np.ndarray, " images"]]:
    files, labels = [], []
    for label, name in enumerate(classes):
        inside = folder / name
        found = sorted(inside.iterdir()) if inside.is_dir() else []
        images = [file for file in found if file.suffix.lower() in _SUFFIXES]
        files += images
        labels += [label] * len(images)
    if not files:
        raise DataError(f"{folder} holds no images (known endings: {', '.join(_SUFFIXES)})")
    with ThreadPoolExecutor(parallel.cores()) as pool:
        decoded = list(pool.map(_decode, files))
    for file, image in zip(files, decoded, strict=True):
        if image.shape != decoded[0].shape:
            raise DataError(
                f"{file} is {image.shape[2]}×{image.shape[1]} with {image.shape[0]} channels, {files[0]} is "
                f"{decoded[0].shape[2]}×{decoded[0].shape[1]} with {decoded[0].shape[0]}; all images must agree"
            )
    return np.stack(decoded), np.array(labels, dtype=np.int64)


def _decode(file: Path) -> UInt8[np.ndarray, "channels height width"]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            grey = image.mode in ("1", "L", "I;16")
            pixels = np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise DataError(f"{file} is not a readable image ({error})") from error
    return np.ascontiguousarray(pixels[None] if grey else pixels.transpose(2, 0, 1))
