"""The safetensors container, written in one canonical way.

The library's writer orders the metadata by hash, so equal members would differ in bytes; masklab writes
the header itself and accepts only the header that it would have written. Any safetensors reader can
read the files.

Source: the safetensors format description (8 bytes little-endian header length, JSON header, data).
"""

import hashlib
import math
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from masklab.archive import files
from masklab.errors import ArchiveError

DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "U16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "U8": np.dtype("u1"),
}
"""Tensor types that a member file may hold."""

HEADER_LIMIT = 16 * 2**20
"""Bytes that a header may have; a larger one is refused before it is read."""

AXES_LIMIT, _TENSOR_LIMIT = 32, 2**40
"""Axes and bytes that a tensor of any file may have; those of member files have less."""

FORMATS = (1, 2)
"""Format versions that are read; the last one is written."""

_CHECKSUM = re.compile(r"[0-9a-f]{64}")

_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}")


_HEADER_GUESS = 2**15  # most headers are read with one call


def digest(data: bytes | memoryview) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _dtype_name(array: np.ndarray) -> str:
    for name, dtype in DTYPES.items():
        if array.dtype == dtype:
            return name
    raise ArchiveError(f"a member file cannot hold tensors of type {array.dtype}")


def describe(tensors: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Type, shape and checksum of each tensor, for the document that goes beside them."""
    return {
        name: {
            "dtype": _dtype_name(array),
            "shape": list(array.shape),
            "checksum": digest(np.ascontiguousarray(array).data.cast("B") if array.size else b""),
        }
        for name, array in tensors.items()
    }


def _storage_order(described: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Widest type first, then by name: every tensor is aligned, as in the library's own files."""
    return sorted(described, key=lambda name: (-DTYPES[described[name]["dtype"]].itemsize, name))


def _byte_count(name: str, entry: Mapping[str, Any]) -> int:
    shape, width = entry["shape"], DTYPES[entry["dtype"]].itemsize
    if type(shape) is not list or any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"shape {shape!r:.40}")
    if (
        len(shape) > AXES_LIMIT
        or max(shape, default=0) > _TENSOR_LIMIT  # a product of longer numbers would take long
        or math.prod(length or 1 for length in shape) * width > _TENSOR_LIMIT
    ):
        raise ArchiveError(
            f"tensor {name!r:.80} of shape {shape!r:.80}; a tensor has at most {AXES_LIMIT} axes and "
            f"{_TENSOR_LIMIT} bytes"
        )
    return math.prod(shape) * width


Spans = dict[str, tuple[int, int]]
"""Tensor name → where its bytes begin and end, in storage order."""


def _spans(described: Mapping[str, Mapping[str, Any]]) -> Spans:
    spans, end = {}, 0
    for name in _storage_order(described):
        begin, end = end, end + _byte_count(name, described[name])
        spans[name] = (begin, end)
    return spans


def header_bytes(document: Mapping[str, Any]) -> bytes:
    """The one header that belongs to a document (whose `tensors` describe the data).

    Raises:
        ArchiveError: It is larger than `HEADER_LIMIT`, or JSON cannot say what the document holds.
    """
    try:
        data = _header(files.canonical_json(document), document["tensors"], _spans(document["tensors"]))
    except (ValueError, TypeError) as error:
        raise ArchiveError(f"description that no member file can hold: {error}") from error
    if len(data) > HEADER_LIMIT:
        raise ArchiveError(
            f"description of {len(data)} bytes; a member file takes {HEADER_LIMIT} (fewer snapshots?)"
        )
    return data


def _header(text: str, described: Mapping[str, Mapping[str, Any]], spans: Spans) -> bytes:
    """Header around the text of a document."""
    from pydantic_core import to_json

    header: dict[str, Any] = {"__metadata__": {"checksum": digest(text.encode()), "masklab": text}}
    for name, (begin, end) in spans.items():
        entry = described[name]
        header[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "data_offsets": [begin, end]}
    encoded = to_json(header)  # without blanks or escapes of letters, as `json.dumps` would
    encoded += b" " * (-len(encoded) % 8)
    return struct.pack("<Q", len(encoded)) + encoded


def encode(document: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> bytes:
    """Bytes of a file: header, then the tensors in storage order."""
    parts: Iterable[bytes] = (
        np.ascontiguousarray(tensors[name]).tobytes() for name in _storage_order(document["tensors"])
    )
    return header_bytes(document) + b"".join(parts)


class Reader:
    """A checked container: its document, and its tensors one by one.

    Opening reads and checks the header and the file's length; a tensor's bytes are checked when they are
    read, so one layer can be read and trusted alone.
    """

    def __init__(self, path: files.Location) -> None:
        self.path = path
        with files.reading(path) as source:
            try:
                head = _read_header(source)
                self.document, self._text, self._spans = _checked_document(head)
            except ArchiveError as error:
                raise ArchiveError(f"{path}: {error}") from error
            length = source.size
        self._start = len(head)
        expected = self._start + max((end for _, end in self._spans.values()), default=0)
        if length != expected:
            raise ArchiveError(f"{path} has {length} bytes; its header promises {expected}")

    def tensor(self, name: str) -> np.ndarray:
        """One tensor, its checksum verified; shape as described.

        Raises:
            ArchiveError: No such tensor, or its bytes are damaged.
        """
        begin, length, checksum = self.place(name)
        with files.reading(self.path) as source:
            data = source.read(begin, length)
        if digest(data) != checksum:
            raise ArchiveError(f"{self.path}: tensor {name!r} is damaged (its checksum differs)")
        entry = self.document["tensors"][name]
        return np.frombuffer(data, dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])

    def place(self, name: str) -> tuple[int, int, str]:
        """Where a tensor's bytes begin in the file, how many they are, and their checksum.

        Raises:
            ArchiveError: No such tensor.
        """
        if name not in self._spans:
            raise ArchiveError(f"{self.path} has no tensor {name!r}")
        (begin, end), checksum = self._spans[name], self.document["tensors"][name].get("checksum")
        if not isinstance(checksum, str) or not _CHECKSUM.fullmatch(checksum):
            raise ArchiveError(f"{self.path}: tensor {name!r} has no SHA-256 checksum")
        return self._start + begin, end - begin, checksum

    def names(self) -> list[str]:
        """Names of all tensors, in storage order."""
        return list(self._spans)

    def check(self) -> None:
        """Read every tensor, and hold the document against its canonical form.

        Raises:
            ArchiveError: A tensor is damaged, or the document is written in another way than masklab's.
        """
        try:
            canonical = files.canonical_json(self.document) == self._text
        except (ValueError, RecursionError):  # a number beyond float64, or nested too deeply
            canonical = False
        if not canonical:
            raise ArchiveError(f"{self.path}: its description is not in canonical form")
        for name in self._spans:
            self.tensor(name)


def _read_header(source: files.Source) -> bytes:
    first = source.read(0, _HEADER_GUESS)
    if len(first) < 8:
        raise ArchiveError(f"file of {len(first)} bytes is not a member file")
    (length,) = struct.unpack("<Q", first[:8])
    if length > HEADER_LIMIT:
        raise ArchiveError(f"header of {length} bytes; at most {HEADER_LIMIT} are allowed")
    if 8 + length > source.size:
        raise ArchiveError("file ends inside its header")
    return (first + source.read(len(first), 8 + length - len(first)) if 8 + length > len(first) else first)[
        : 8 + length
    ]


def _checked_document(head: bytes) -> tuple[dict[str, Any], str, Spans]:
    """Document of a header, its text, and where the tensors lie."""
    try:
        text = _parsed(head[8:])["__metadata__"]["masklab"]
        document = _parsed(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveError(
            "not a masklab member file (no readable masklab document in its header)"
        ) from error
    if not isinstance(document, dict) or type(document.get("format")) is not int:
        raise ArchiveError("not a masklab member file (its document names no format)")
    if document["format"] not in FORMATS:
        raise ArchiveError(_unknown_format(document))
    if not isinstance(document.get("tensors"), dict):
        raise ArchiveError("damaged header (its document describes no tensors)")
    try:
        spans = _spans(document["tensors"])
        same = _header(text, document["tensors"], spans) == head
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ArchiveError(f"damaged header ({type(error).__name__} in its description)") from error
    if not same:
        raise ArchiveError("damaged header (it is not the one that belongs to its document)")
    return document, text, spans


def _parsed(text: str | bytes) -> Any:
    """JSON, three times as fast as the standard library.

    Of a name that stands twice the last value counts, as everywhere; `Reader.check` refuses such a document.
    """
    from pydantic_core import from_json

    return from_json(text, allow_inf_nan=False)


def _unknown_format(document: Mapping[str, Any]) -> str:
    """What to install for a format that is not known here, as far as the file says it."""
    known = f"this masklab reads formats {', '.join(map(str, FORMATS))}"
    reader = document.get("reader")
    if isinstance(reader, str) and _VERSION.fullmatch(reader):
        return (
            f"format {document['format']} needs masklab {reader} or newer (pip install 'masklab>={reader}'); "
            f"{known}"
        )
    return f"format {document['format']!r:.40} is not known here; {known}"
