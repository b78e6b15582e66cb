"""npz files from anywhere: nothing is unpickled, nothing outgrows its file; and written ones."""

import io
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.lib import format as npy

from masklab.archive import description
from masklab.errors import ArchiveError

_DAMAGED = (
    OSError, EOFError, ValueError, TypeError, SyntaxError, OverflowError, RecursionError, NotImplementedError,
    RuntimeError, KeyError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # what zipfile and NumPy raise on damaged files, depending on the damage # fmt: skip
_DEFLATE_LIMIT = 1032
"""Largest factor by which deflate can shrink anything."""

_FREE, _FACTOR = 2**28, 128
"""Bytes that arrays may have in a file of any size, and how many more for each of its bytes.

A mask that keeps one weight in a hundred shrinks to a sixtieth.
"""


def read(data: bytes) -> dict[str, np.ndarray]:
    """Arrays of an npz file, in its order.

    Raises:
        ArchiveError: It is damaged, holds objects, or declares more than it can hold or is allowed.
    """
    found: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # headers that Python 2 wrote
            total, most = 0, min(_FREE + _FACTOR * len(data), 8 * description.NETWORK_LIMIT)
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if name == entry.filename:
                    raise ArchiveError(f"{name!r:.80} is no array; an npz file holds arrays alone")
                if name in found:
                    raise ArchiveError(f"the name {name!r} stands twice")
                total += _declared(archive, entry)
                if total > most:
                    raise ArchiveError(
                        f"arrays of {total} bytes or more in {len(data)}; at most {most} are unpacked"
                    )
                with archive.open(entry) as file:
                    found[name] = npy.read_array(file, allow_pickle=False)
    except _DAMAGED as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise ArchiveError(f"damaged npz file ({why})") from error
    return found


def _declared(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """How many bytes of numbers an entry declares; everything about it is checked without reading them."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"{entry.filename!r} is compressed by method {entry.compress_type}")
    if entry.file_size > _DEFLATE_LIMIT * max(entry.compress_size, 1):
        raise ArchiveError(f"{entry.filename!r} declares {entry.file_size} bytes in {entry.compress_size}")
    with archive.open(entry) as file:
        version = npy.read_magic(file)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise ArchiveError(f"{entry.filename!r} has npy version {version}; allowed: 1.0, 2.0")
        shape, _, dtype = readers[version](file)
        held = entry.file_size - file.tell()
    if dtype.hasobject:
        raise ArchiveError(f"{entry.filename!r} holds Python objects; allowed: numbers")
    if dtype.kind not in "biuf":
        raise ArchiveError(
            f"{entry.filename!r} is of {dtype}; allowed: booleans, integers, floating-point numbers"
        )
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize != held:
        raise ArchiveError(f"{entry.filename!r} declares {list(shape)} of {dtype}; it holds {held} bytes")
    if count > description.LAYER_LIMIT:
        raise ArchiveError(f"{entry.filename!r} has {count} numbers; at most {description.LAYER_LIMIT}")
    return held


def write(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Bytes of a compressed npz file; equal arrays give equal bytes, and every name is allowed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # its date is fixed
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                npy.write_array(file, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    return buffer.getvalue()
