"""Folders of images: `train/<class>/*` and `test/<class>/*` (or `val/`), all of one size."""

import struct
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
        DataError: A folder is missing, has no classes, a class has no training images, an image cannot
            be read, or images differ in size.
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
    empty = sorted(set(range(len(classes))) - set(train_labels.tolist()))
    if empty:
        raise DataError(f"{train_folder / classes[empty[0]]} holds no images (of a known ending)")
    channels = max(train_images.shape[1], test_images.shape[1])
    return Data(
        _with_channels(train_images, channels),
        train_labels,
        _with_channels(test_images, channels),
        test_labels,
        tuple(classes),
    )


def _with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Images with as many channels as asked; a grey one is repeated."""
    return images if images.shape[-3] == channels else np.repeat(images, channels, axis=-3)


def _existing(path: Path, candidates: tuple[str, ...]) -> Path:
    if not path.is_dir():
        raise DataError(f"{path} is not a folder (data.path)")
    for name in candidates:
        if (path / name).is_dir():
            return path / name
    raise DataError(
        f"{path} has no folder {' or '.join(candidates)} (expected train/<class>/ and test/<class>/)"
    )


def _classes(folder: Path) -> list[str]:
    found = sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if not found:
        raise DataError(f"{folder} has no class folders (expected {folder}/<class>/<image>)")
    for name in found:
        if not name.isprintable():  # undecodable bytes of a file name are lone surrogates
            raise DataError(f"{folder}: a class folder must have a printable UTF-8 name, got {name!r}")
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
        if image.shape[1:] != decoded[0].shape[1:]:
            raise DataError(
                f"{file} is {image.shape[2]}×{image.shape[1]}, {files[0]} is "
                f"{decoded[0].shape[2]}×{decoded[0].shape[1]}; all images must have one size"
            )
    channels = max(len(image) for image in decoded)
    return np.stack([_with_channels(image, channels) for image in decoded]), np.array(labels, np.int64)


def _decode(file: Path) -> UInt8[np.ndarray, "channels height width"]:
    from PIL import Image

    # what Pillow raises on damaged files, depending on the format
    damaged = (OSError, EOFError, SyntaxError, TypeError, ValueError, struct.error)
    try:
        with Image.open(file) as image:
            if image.mode in ("I", "F"):
                raise DataError(f"{file} has pixels of 32 bits; allowed: 8 or 16 bits per channel")
            if image.mode.startswith("I;16"):  # Pillow's own conversion would clip at 255
                pixels = (np.asarray(image) >> 8).astype(np.uint8)
            else:
                pixels = np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    except (*damaged, Image.DecompressionBombError) as error:
        raise DataError(f"{file} is not a readable image ({error})") from error
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
