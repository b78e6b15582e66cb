"""Reading arrays out of an npz file that may be anybody's: nothing is unpickled, nothing outgrows its file.

An npz file is a zip file of npy files, each a header (type, shape) and then the numbers.
"""

import contextlib
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
from numpy.lib import format as npy

from masklab.data import locations
from masklab.errors import DataError

_DAMAGED = (
    OSError, EOFError, ValueError, TypeError, SyntaxError, OverflowError, RecursionError, NotImplementedError,
    RuntimeError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # what zipfile and NumPy raise on damaged files, depending on the damage # fmt: skip
_DEFLATE_LIMIT = 1032
"""Largest factor by which deflate can shrink anything."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """An npz file.

    Raises:
        DataError: It is missing, unreadable or not an npz file.
    """
    if not locations.is_file(path):
        raise DataError(f"{path} is not a file (data.path); allowed: an npz file")
    try:
        with path.open("rb") as file:
            if file.read(6) == npy.MAGIC_PREFIX:
                raise DataError(f"{path} is a single array (npy); allowed: an npz file with named arrays")
        archive = zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise DataError(f"{path} is not a readable npz file ({_line(error)})") from error
    with archive:
        yield archive


def keys(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays."""
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def array(archive: zipfile.ZipFile, key: str) -> np.ndarray:
    """One array; its memory is taken only when the file is long enough to fill it.

    Raises:
        DataError: The array is damaged, holds objects, or declares more than its file can hold.
    """
    where = f"{archive.filename}: {key}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # headers that Python 2 wrote
            with _entry(archive, key, where) as file:
                shape, dtype = _header(file)
                header_bytes = file.tell()
            if dtype.hasobject:
                raise DataError(f"{where} holds Python objects; allowed: numbers")
            declared = math.prod(shape) * dtype.itemsize
            held = archive.getinfo(f"{key}.npy").file_size - header_bytes
            if declared != held or min(shape, default=0) < 0:
                raise DataError(
                    f"{where} declares {list(shape)} of {dtype}, {declared} bytes; the file holds {held}"
                )
            with _entry(archive, key, where) as file:
                return npy.read_array(file, allow_pickle=False)
    except _DAMAGED as error:
        raise DataError(f"{where} is damaged ({_line(error)})") from error


@contextlib.contextmanager
def _entry(archive: zipfile.ZipFile, key: str, where: str) -> Iterator[zipfile.ZipExtFile]:
    """An entry of the zip file, if it can be as long as it says.

    Raises:
        DataError: It cannot, or it is compressed in a way in which NumPy compresses nothing.
    """
    entry = archive.getinfo(f"{key}.npy")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{where} is compressed by method {entry.compress_type}; allowed: none or deflate")
    length = Path(str(archive.filename)).stat().st_size
    factor = 1 if entry.compress_type == zipfile.ZIP_STORED else _DEFLATE_LIMIT
    if entry.compress_size > length or entry.file_size > factor * entry.compress_size:
        raise DataError(
            f"{where} declares {entry.file_size} bytes in {entry.compress_size} of a file of {length}"
        )
    with cast(zipfile.ZipExtFile, archive.open(entry)) as file:
        yield file


def _header(file: zipfile.ZipExtFile) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"npy version {version}; allowed: 1.0, 2.0")
    shape, _, dtype = readers[version](file)
    return shape, dtype


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
