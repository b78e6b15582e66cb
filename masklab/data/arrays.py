"""Images and labels in one npz file, under the names that Keras or MedMNIST use.

`train_images`, `train_labels`, `test_images`, `test_labels` (or `x_train`, `y_train`, `x_test`, `y_test`),
and optionally `classes`, the names of the classes. Other arrays are ignored.
"""

import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from masklab.data import npz
from masklab.data.dataset import Data
from masklab.errors import ConfigError, DataError

_KEYS = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}
"""Key → its other name."""
_CLASS_LIMIT = 65_536  # stored predictions are 16-bit numbers at most
_IMAGE_SHAPES = "uint8 [n, h, w], [n, c, h, w] or [n, h, w, c] with 1 or 3 channels"


def load(name: str, path: Path | None, download: bool) -> Data:
    """The arrays of an npz file.

    Args:
        name: `"arrays"`.
        path: The file.
        download: False.

    Raises:
        ConfigError: No path was given.
        DataError: The file is missing, damaged, not an npz file, or an array is missing or not what it
            should be.
    """
    del download
    if path is None:
        raise ConfigError(f"data set {name!r} needs a path (data.path, or --data {name}:FILE.npz)")
    with npz.opened(path) as archive:
        found = {key: _key(archive, key, other) for key, other in _KEYS.items()}
        read = {key: npz.array(archive, there) for key, there in found.items()}
        names = npz.array(archive, "classes") if "classes" in npz.keys(archive) else None
    where = {key: f"{path}: {there}" for key, there in found.items()}
    train_images, test_images = (_images(read[key], where[key]) for key in ("train_images", "test_images"))
    train_labels, test_labels = (_labels(read[key], where[key]) for key in ("train_labels", "test_labels"))
    classes = _classes(names, int(max(train_labels.max(), test_labels.max())) + 1, f"{path}: classes")
    try:
        return Data(train_images, train_labels, test_images, test_labels, classes)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _key(archive: zipfile.ZipFile, key: str, other: str) -> str:
    """Which of two names an array has.

    Raises:
        DataError: Neither, or both.
    """
    known = npz.keys(archive)
    found = [candidate for candidate in (key, other) if candidate in known]
    if len(found) == 1:
        return found[0]
    got = "both" if found else f"only {', '.join(map(repr, known[:8])) or 'nothing'}"
    raise DataError(f"{archive.filename}: there must be an array {key} or {other}; got {got}")


def _images(images: np.ndarray, where: str) -> UInt8[np.ndarray, "images channels height width"]:
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(f"{where} must be {_IMAGE_SHAPES}; got {images.dtype} {list(images.shape)}")
    if images.size == 0:
        raise DataError(f"{where} is empty: {list(images.shape)}")
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[1] not in (1, 3):
        if images.shape[3] not in (1, 3):
            raise DataError(f"{where} must be {_IMAGE_SHAPES}; got {list(images.shape)}")
        images = images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images)


def _labels(labels: np.ndarray, where: str) -> Int64[np.ndarray, " images"]:
    if labels.dtype.kind not in "iu" or labels.ndim not in (1, 2) or labels.shape[1:] not in ((), (1,)):
        raise DataError(
            f"{where} must be whole numbers [n] or [n, 1]; got {labels.dtype} {list(labels.shape)}"
        )
    if labels.size == 0:
        raise DataError(f"{where} is empty")
    if labels.min() < 0 or labels.max() >= _CLASS_LIMIT:
        raise DataError(f"{where} must lie in 0 … {_CLASS_LIMIT - 1}; got {labels.min()} … {labels.max()}")
    return labels.reshape(-1).astype(np.int64)


def _classes(names: np.ndarray | None, needed: int, where: str) -> tuple[str, ...]:
    """Names of the classes; their numbers where the file has none."""
    if names is None:
        return tuple(map(str, range(needed)))
    if names.dtype.kind != "U" or names.ndim != 1:
        raise DataError(f"{where} must be text [classes]; got {names.dtype} {list(names.shape)}")
    found = tuple(map(str, names))
    if len(found) < needed:
        raise DataError(f"{where} has {len(found)} names, but labels reach {needed - 1}")
    for name in found:
        if not name.isprintable() or not name:
            raise DataError(f"{where} must be printable names, got {name!r}")
    if len(set(found)) < len(found):
        raise DataError(f"{where} must be distinct, got {', '.join(found)}")
    return found
