"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100 in the files in which they are published, by torchvision.

Source: LeCun et al., Gradient-based learning applied to document recognition (1998); Xiao et al.,
Fashion-MNIST (2017); Krizhevsky, Learning multiple layers of features from tiny images (2009).
"""

import contextlib
import http.client
import io
import logging
import pickle
import tarfile
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from masklab.archive import files
from masklab.data import locations
from masklab.data.dataset import Data
from masklab.errors import ArchiveError, DataError

NAMES = ("cifar10", "cifar100", "fashion-mnist", "mnist")
DOWNLOADS = True

_CLASSES = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "fashion-mnist": "FashionMNIST", "mnist": "MNIST"}
_DAMAGED = (
    OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AssertionError, EOFError,
    pickle.UnpicklingError,
)  # what torchvision raises on damaged files, depending on the damage # fmt: skip
_UNREACHABLE = (OSError, RuntimeError, EOFError, http.client.HTTPException, zlib.error, tarfile.TarError)

_log = logging.getLogger(__name__)


def load(name: str, path: Path | None, download: bool) -> Data:
    """A published data set.

    Args:
        name: One of `NAMES`.
        path: Folder that holds torchvision's folder of the data set (its `root`); default
            `locations.data_folder()`.
        download: Fetch the files if any is missing.

    Raises:
        DataError: Files are missing and `download` is false, the download failed, or files are damaged.
    """
    from torchvision import datasets

    source = getattr(datasets, _CLASSES[name])
    root = path or locations.data_folder()
    folder, expected = _layout(source)
    if download and not _complete(root / folder, expected):
        _download(name, source, root)
    for file in expected:
        if not locations.is_file(root / folder / file):
            raise DataError(
                f"{name}: there is no {root / folder / file}; set data.download = true (or --set "
                f"data.download=true), or data.path = folder that holds {folder}"
            )
    try:
        with _quiet_unpickling():
            splits = [source(root, train=train) for train in (True, False)]
        (train_images, train_labels), (test_images, test_labels) = map(_arrays, splits)
        classes = tuple(str(label) for label in splits[0].classes)
        return Data(train_images, train_labels, test_images, test_labels, classes)
    except (*_DAMAGED, DataError) as error:
        raise DataError(
            f"{name}: {root / folder} is damaged ({_line(error)}); remove it, and set data.download = true"
        ) from error


def _layout(source: Any) -> tuple[str, list[str]]:
    """Folder below the root, and the files in it that are read."""
    if hasattr(source, "resources"):
        return f"{source.__name__}/raw", [Path(archive).stem for archive, _ in source.resources]
    listed = [file for file, _ in (*source.train_list, *source.test_list)]
    return source.base_folder, [*listed, source.meta["filename"]]


def _complete(folder: Path, expected: list[str]) -> bool:
    return all(locations.is_file(folder / file) for file in expected)


def _download(name: str, source: Any, root: Path) -> None:
    """Fetch files; another process that wants the same waits, and then finds them."""
    _log.info("downloading %s into %s", name, root)
    silence = io.StringIO()
    try:
        with files.locked(root), contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
            source(root, download=True)
    except (*_UNREACHABLE, ArchiveError) as error:
        raise DataError(f"{name}: cannot download into {root} ({_line(error)})") from error


@contextlib.contextmanager
def _quiet_unpickling() -> Any:
    """CIFAR's files are Python 2 pickles of NumPy 1 arrays, about which NumPy 2 warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        yield


def _arrays(
    split: Any,
) -> tuple[UInt8[np.ndarray, "images channels height width"], Int64[np.ndarray, " images"]]:
    pixels = np.asarray(split.data)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or pixels.dtype != np.uint8:
        raise DataError(f"images are {pixels.dtype} {list(pixels.shape)}; allowed: uint8 [n, h, w] or RGB")
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), np.asarray(split.targets, dtype=np.int64)


def _line(error: Exception) -> str:
    """A message on one line, even where there is none."""
    return " ".join(str(error).split()) or type(error).__name__
