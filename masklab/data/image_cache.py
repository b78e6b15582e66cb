"""Decoded images of a folder, kept on disk so that the next start need not decode them again.

One file per folder: a line of JSON (format, fingerprint of the image files, shapes, digest), then the
pixels of the training images and of the test images. It is replaced whole, checked whole when read, and
never needed: whatever is wrong with it, the images are decoded again. Files of folders that are gone stay
until somebody removes them.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from masklab.archive import files, looking
from masklab.data import locations
from masklab.errors import DataError

_FORMAT = 1
_HEADER_LIMIT = 1024  # bytes
_SETTLED_S = 2.0
"""Age in seconds from which a change of an image surely shows in its time of change."""

_log = logging.getLogger(__name__)

Split = UInt8[np.ndarray, "_images _channels _height _width"]


def read(folder: Path, fingerprint: str) -> tuple[Split, Split] | None:
    """Training and test images of a folder, or None where they must be decoded.

    Args:
        folder: The image folder.
        fingerprint: Digest of what its images were when it was looked through.
    """
    try:
        place = _place(folder)
        with place.open("rb") as file:
            return _checked(file, fingerprint)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, DataError) as error:
        _log.warning("the cache of %s cannot be used (%s); decoding its images again", folder, error)
        return None


def write(folder: Path, fingerprint: str, newest_ns: int, train: Split, test: Split) -> None:
    """Keep the images of a folder; where that fails, one warning says so.

    Args:
        folder: The image folder.
        fingerprint: Digest of what its images were before they were decoded.
        newest_ns: Latest time of change among its images, in ns; images that change within the clock's
            resolution would look unchanged, so a folder that is being written is not kept.
        train: Training images.
        test: Test images.
    """
    if looking.active() or abs(time.time() - newest_ns / 1e9) < _SETTLED_S:
        return
    header = {
        "format": _FORMAT,
        "fingerprint": fingerprint,
        "train": list(train.shape),
        "test": list(test.shape),
        "digest": _digest(fingerprint, train, test),
    }
    temporary = ""
    try:
        place = _place(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        files.sweep_temporaries(place.parent)
        # in pieces: `files.write_atomic` would need a second copy of all images in memory
        handle, temporary = tempfile.mkstemp(prefix=".masklab-", suffix=".tmp", dir=place.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(files.canonical_json(header).encode() + b"\n")
            for images in (train, test):
                file.write(_bytes(images))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(place)
    except (OSError, DataError) as error:
        _log.warning("the decoded images of %s cannot be kept (%s); every start decodes them", folder, error)
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)


def _place(folder: Path) -> Path:
    key = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return locations.cache_folder() / "images" / f"{key}.images"


def _bytes(images: Split) -> memoryview:
    return np.ascontiguousarray(images).data.cast("B")


def _digest(fingerprint: str, train: Split, test: Split) -> str:
    hasher = hashlib.sha256(repr((_FORMAT, fingerprint, train.shape, test.shape)).encode())
    for images in (train, test):
        hasher.update(_bytes(images))
    return hasher.hexdigest()


def _checked(file: BinaryIO, fingerprint: str) -> tuple[Split, Split] | None:
    """What a file holds; None when it is of another state of the folder, or of another format.

    Raises:
        ValueError: The file is damaged.
    """
    line = file.readline(_HEADER_LIMIT)
    header = json.loads(line)
    if header["format"] != _FORMAT or header["fingerprint"] != fingerprint:
        return None
    shapes = [header["train"], header["test"]]
    for shape in shapes:
        if len(shape) != 4 or any(type(length) is not int or length < 1 for length in shape):
            raise ValueError(f"shape {shape}")
    size = os.fstat(file.fileno()).st_size
    if len(line) + sum(map(math.prod, shapes)) != size:
        raise ValueError(f"{size} bytes for images of shapes {shapes}")
    train, test = (np.empty(shape, dtype=np.uint8) for shape in shapes)
    for images in (train, test):
        if file.readinto(images.data.cast("B")) != images.size:  # type: ignore[attr-defined]
            raise ValueError("the file ends early")
    if _digest(fingerprint, train, test) != header["digest"]:
        raise ValueError("its digest is not that of its content")
    return train, test
