"""Opening foreign files: torch's, safetensors, npz. No code in them runs, and sizes are checked first."""

import hashlib
import io
import json
import math
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from masklab.archive import description, files
from masklab.archive.exchange import npz
from masklab.archive.exchange.source import Source
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    from torch import Tensor

FILE_LIMIT = 2**35
"""Bytes that a foreign file may have; a larger one is refused before it is read."""

ORDER = "layers"
"""Key in a safetensors file's metadata under which our own files list their layers in order."""

_STATES = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which checkpoints keep their tensors."""

_WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that DataParallel and torch.compile put before every name."""

_ALLOCATING = (b"\nbytearray\n", b"\n_rebuild_device_tensor_from_cpu_tensor\n")
"""What torch lets a file call that makes as many bytes as it says; names as they stand in a pickle."""

_REASON = re.compile(
    r"(?:GLOBAL|Unsupported|Can only|Cannot|Only persistent_load|Trying to) [^.\n]*(?:\.\w[^\s]*)?"
)
"""The part of what torch says that tells which content it refuses."""

_TEXT_AT_MOST, _REPORTED_AT_MOST = 200, 50

_REFUSED = (
    pickle.UnpicklingError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    EOFError, OSError, OverflowError, AssertionError, MemoryError, struct.error, zipfile.BadZipFile,
)  # what torch.load raises on damaged or refused files, depending on the damage # fmt: skip


def read(place: files.Location) -> tuple[Source, str]:
    """A foreign file and the SHA-256 of its bytes.

    Raises:
        ArchiveError: It is missing, empty, damaged, too large, of no known kind, or would run code.
    """
    with files.reading(place) as opened:
        size = opened.size
        if size > FILE_LIMIT:
            raise ArchiveError(f"{place} has {size} bytes; at most {FILE_LIMIT} are read")
        data = opened.read(0, size)
    if not data:
        raise ArchiveError(f"{place} is empty")
    try:
        return _opened(str(place), data), hashlib.sha256(data).hexdigest()
    except ArchiveError as error:
        text = str(error)
        raise ArchiveError(text if text.startswith(str(place)) else f"{place}: {text}") from error


def _opened(place: str, data: bytes) -> Source:
    if data.startswith(b"PK\x03\x04"):
        names = _zip_names(data)
        if any(name.endswith("/data.pkl") for name in names):
            return _torch(place, data)
        return Source(place, "npz", _unwrapped(npz.read(data)))
    if data[8:9] == b"{":
        return Source(place, "safetensors", _unwrapped(_safetensors(data)))
    if data.startswith(b"\x80"):
        return _torch(place, data)
    if data.startswith(b"\x93NUMPY"):
        raise ArchiveError("a single array (npy); allowed: an npz file with named arrays")
    raise ArchiveError("no file of a known kind; allowed: torch.save, safetensors, npz")


def _zip_names(data: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error) as error:
        raise ArchiveError(f"damaged zip file ({error})") from error
    names = [entry.filename for entry in entries]
    if any(name.endswith("/data.pkl") for name in names):
        squeezed = next((one.filename for one in entries if one.compress_type != zipfile.ZIP_STORED), "")
        if squeezed or sum(entry.file_size for entry in entries) > len(data):
            raise ArchiveError(
                f"its entry {squeezed!r} is compressed; torch.save compresses nothing"
                if squeezed
                else "its entries declare more bytes than it has"
            )
    return names


def _safetensors(data: bytes) -> dict[str, np.ndarray]:
    import safetensors
    from safetensors import torch as reader

    try:
        tensors = reader.load(data)
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ArchiveError(f"damaged safetensors file ({_line(error)})") from error
    if {"masklab", "checksum"} <= set(header.get("__metadata__") or {}):
        raise ArchiveError(
            "a member file of masklab, not one to import; `masklab export` makes such a file of a member"
        )
    _check_sizes(tensors, len(data))
    order = _listed(header)
    names = sorted(tensors, key=lambda name: order.get(name, len(order)))
    return {name: _array(name, tensors[name]) for name in names}


def _listed(header: Mapping[str, Any]) -> dict[str, int]:
    """Name → place of what our own files list in order; empty for others."""
    text = (header.get("__metadata__") or {}).get(ORDER, "")
    try:
        names = json.loads(text) if isinstance(text, str) and text.startswith("[") else []
    except (ValueError, RecursionError):
        names = []  # somebody else's key of that name
    return {name: place for place, name in enumerate(names) if isinstance(name, str)}


def _torch(place: str, data: bytes) -> Source:
    import torch

    called = next((name for name in _ALLOCATING if name in data), None)
    if called is not None:
        raise ArchiveError(
            f"calls {called.decode().strip()}; allowed: a dictionary of tensors and plain values"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it warns of pickles that it then refuses or reads
            document = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except _REFUSED as error:
        raise ArchiveError(_refusal(error)) from error
    if not isinstance(document, Mapping):
        raise ArchiveError(f"holds a {type(document).__name__}; allowed: a dictionary of tensors")
    key = next((key for key in _STATES if isinstance(document.get(key), Mapping)), None)
    state = document if key is None else document[key]
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if any(not isinstance(name, str) for name in tensors):
        raise ArchiveError("tensors whose names are no text")
    _check_sizes(tensors, len(data))
    arrays = {name: _array(name, tensor) for name, tensor in tensors.items()}
    return Source(place, "torch", _unwrapped(arrays), dict(_reported(document)))


def _refusal(error: Exception) -> str:
    """What torch says, in a line: its own text recommends to run the code."""
    if not isinstance(error, pickle.UnpicklingError):
        return f"damaged torch file ({_line(error)})"
    found = _REASON.search(str(error))
    why = " ".join(found[0].split()) if found else _line(error)
    return (
        f"holds more than tensors and plain values, and opening it could run code ({why:.120}); save its "
        "tensors alone: torch.save(model.state_dict(), …)"
    )


def _line(error: Exception) -> str:
    return f"{' '.join(str(error).split()) or type(error).__name__:.200}"


def _check_sizes(tensors: Mapping[str, "Tensor"], held: int) -> None:
    """Check that tensors are dense and hold what they claim: an expanded one has few bytes in its file.

    Args:
        tensors: Name → tensor.
        held: Bytes of the file.

    Raises:
        ArchiveError: A tensor is of another kind or larger than a layer may be, or all together are larger
            than the file.
    """
    import torch

    total = 0
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta or tensor.is_complex():
            raise ArchiveError(f"tensor {name!r} is sparse, quantised, complex or without values")
        total += tensor.numel() * tensor.element_size()
        if tensor.numel() > description.LAYER_LIMIT:
            raise ArchiveError(
                f"tensor {name!r} of shape {list(tensor.shape)}; at most {description.LAYER_LIMIT} numbers"
            )
        if any(step == 0 and length > 1 for length, step in zip(tensor.shape, tensor.stride(), strict=True)):
            raise ArchiveError(f"tensor {name!r} is expanded; save what .contiguous() makes of it")
    if total > held:
        raise ArchiveError(
            f"tensors of {total} bytes in a file of {held}; tensors that share their values are to be saved "
            "as copies (.clone())"
        )


def _array(name: str, tensor: "Tensor") -> np.ndarray:
    import torch

    plain = tensor.detach().resolve_neg().contiguous()
    if plain.is_floating_point() and plain.dtype not in (torch.float16, torch.float32, torch.float64):
        plain = plain.float()  # NumPy has no bfloat16; float32 holds it exactly
    try:
        return plain.numpy()
    except TypeError as error:
        raise ArchiveError(
            f"tensor {name!r} is of {plain.dtype}; allowed: booleans, integers, floating-point numbers"
        ) from error


def _unwrapped(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays without the prefixes that every name shares."""
    for prefix in _WRAPPERS * 2:
        if arrays and all(name.startswith(prefix) and name != prefix for name in arrays):
            arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
    return arrays


def _reported(document: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Plain values of a checkpoint, as found."""
    found = 0
    for key, value in document.items():
        plain = isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value))
        text = isinstance(key, str) and key.isprintable() and len(key) <= _TEXT_AT_MOST
        if not text or not plain or (isinstance(value, int) and abs(value) >= 2**63):
            continue
        if isinstance(value, str) and not (value.isprintable() and len(value) <= _TEXT_AT_MOST):
            continue
        if found < _REPORTED_AT_MOST:
            yield key, value
        found += 1
