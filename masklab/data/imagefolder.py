"""Folders of images: `train/<class>/*` and `test/<class>/*` (or `val/`), all of one size."""

import hashlib
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from masklab import parallel
from masklab.data import image_cache, locations
from masklab.data.dataset import Data
from masklab.errors import ConfigError, DataError

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
_AT_ONCE = 256
"""Images that a thread decodes before it asks for more."""


@dataclass(frozen=True)
class _Split:
    """Image files of a split, in the order of their classes and names.

    Attributes:
        folder: The split's folder.
        files: `class/name` of each image.
        stamps: Size in bytes and time of change in ns of each image.
        labels: Class of each image.
    """

    folder: Path
    files: list[str]
    stamps: list[tuple[int, int]]
    labels: Int64[np.ndarray, " images"]


def load(name: str, path: Path | None, download: bool) -> Data:
    """Decode every image of a folder to RGB (or to one channel when all are grey).

    What was decoded is kept in the user's cache, and used for as long as no image changes its name, size
    or time of change.

    Args:
        name: `"imagefolder"`.
        path: The folder that holds `train` and `test` (or `val`).
        download: False.

    Raises:
        ConfigError: No path was given.
        DataError: A folder is missing or unreadable, has no classes, a class has no training images, an
            image cannot be read, or images differ in size.
    """
    del download
    if path is None:
        raise ConfigError(f"data set {name!r} needs a path (data.path, or --data {name}:PATH)")
    train_folder = _existing(path, ("train",))
    test_folder = _existing(path, ("test", "val"))
    classes = _classes(train_folder)
    extra = sorted(set(_classes(test_folder)) - set(classes))
    if extra:
        raise DataError(f"{test_folder} has a class that {train_folder} lacks: {extra[0]!r}")
    train, test = (_listed(folder, classes) for folder in (train_folder, test_folder))
    empty = sorted(set(range(len(classes))) - set(train.labels.tolist()))
    if empty:
        raise DataError(f"{train_folder / classes[empty[0]]} holds no images (of a known ending)")
    train_images, test_images = _images(path, train, test)
    return Data(train_images, train.labels, test_images, test.labels, tuple(classes))


def _images(path: Path, train: _Split, test: _Split) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of both splits, from the cache or by decoding; equal numbers of channels."""
    fingerprint = _fingerprint(train, test)
    kept = image_cache.read(path, fingerprint)
    if kept is not None:
        return kept
    train_images, test_images = _decoded(train), _decoded(test)
    channels = max(train_images.shape[1], test_images.shape[1])
    images = _with_channels(train_images, channels), _with_channels(test_images, channels)
    if train_images.shape[2:] == test_images.shape[2:]:
        newest = max(changed for split in (train, test) for _, changed in split.stamps)
        image_cache.write(path, fingerprint, newest, *images)
    return images


def _fingerprint(train: _Split, test: _Split) -> str:
    """SHA-256 over what tells whether any image changed, and what decodes them."""
    import PIL

    hasher = hashlib.sha256(f"Pillow {PIL.__version__}".encode())
    for split in (train, test):
        hasher.update(f"\0\0{split.folder.name}".encode())
        for file, (size, changed) in zip(split.files, split.stamps, strict=True):
            hasher.update(os.fsencode(f"\0{file}\0{size}\0{changed}"))
    return hasher.hexdigest()


def _with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Images with as many channels as asked; a grey one is repeated."""
    return images if images.shape[-3] == channels else np.repeat(images, channels, axis=-3)


def _existing(path: Path, candidates: tuple[str, ...]) -> Path:
    if not locations.is_folder(path):
        raise DataError(f"{path} is not a folder (data.path)")
    for name in candidates:
        if locations.is_folder(path / name):
            return path / name
    raise DataError(
        f"{path} has no folder {' or '.join(candidates)} (expected train/<class>/ and test/<class>/)"
    )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror or error}") from error


def _classes(folder: Path) -> list[str]:
    found = [
        entry.name
        for entry in _entries(folder)
        if not entry.name.startswith(".") and locations.is_folder(folder / entry.name)
    ]
    if not found:
        raise DataError(f"{folder} has no class folders (expected {folder}/<class>/<image>)")
    for name in found:
        if not name.isprintable():  # undecodable bytes of a file name are lone surrogates
            raise DataError(f"{folder}: a class folder must have a printable UTF-8 name, got {name!r}")
    return found


def _listed(folder: Path, classes: list[str]) -> _Split:
    """Every image of a split.

    Raises:
        DataError: There is none, or one is a link to nowhere.
    """
    files, stamps, labels = [], [], []
    for label, name in enumerate(classes):
        inside = _entries(folder / name) if locations.is_folder(folder / name) else []
        for entry in inside:
            if Path(entry.name).suffix.lower() not in _SUFFIXES:
                continue
            try:
                status = entry.stat()
            except OSError as error:
                raise DataError(
                    f"{entry.path} is not a readable image ({error.strerror or error})"
                ) from error
            files.append(f"{name}/{entry.name}")
            stamps.append((status.st_size, status.st_mtime_ns))
            labels.append(label)
    if not files:
        raise DataError(f"{folder} holds no images (known endings: {', '.join(_SUFFIXES)})")
    return _Split(folder, files, stamps, np.array(labels, np.int64))


def _decoded(split: _Split) -> UInt8[np.ndarray, "images channels height width"]:
    """Pixels of a split's images, in their order; three channels as soon as one image has colours.

    Raises:
        DataError: An image cannot be read, or is not of the size of the first one.
    """
    files = [split.folder / file for file in split.files]
    first = _decode(files[0])
    images, coloured = _filled(files, first.shape)
    if coloured and len(first) == 1:
        images, _ = _filled(files, (3, *first.shape[1:]))
    return images


def _filled(files: list[Path], shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """Images with as many channels as `shape` says, and whether any of them has colours."""
    images = np.empty((len(files), *shape), np.uint8)
    coloured = np.zeros(len(files), dtype=bool)

    def fill(start: int) -> None:
        for position, file in enumerate(files[start : start + _AT_ONCE], start):
            image = _decode(file)
            if image.shape[1:] != shape[1:]:
                raise DataError(
                    f"{file} is {image.shape[2]}×{image.shape[1]}, {files[0]} is "
                    f"{shape[2]}×{shape[1]}; all images must have one size"
                )
            coloured[position] = len(image) == 3
            images[position] = image[: shape[0]]  # a grey image is repeated

    with ThreadPoolExecutor(parallel.cores()) as pool:
        list(pool.map(fill, range(0, len(files), _AT_ONCE)))
    return images, bool(coloured.any())


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
