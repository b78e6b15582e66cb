"""Member files that are consistent in themselves, but were changed on purpose."""

import copy
import hashlib
import json
import math
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from masklab.archive import Member, container

Change = Callable[[dict[str, Any], dict[str, np.ndarray]], object]


def rewrite(path: Path, change: Change) -> None:
    """Change the document and tensors of a file; header and checksums fit the result."""
    document = copy.deepcopy(Member(path).facts)
    reader = container.Reader(path)
    tensors = {name: reader.tensor(name) for name in reader.names()}
    change(document, tensors)
    document["tensors"] = container.describe(tensors)
    path.write_bytes(container.encode(document, tensors))


WIDTHS = {"F32": 4, "U16": 2, "F16": 2, "U8": 1}


def text_of(document: Any) -> str:
    """The canonical text of a document, infinities and all."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def header(document: Any, text: str | None = None) -> bytes:
    """The header that belongs to any document, sensible or not, written without masklab.

    Args:
        document: What the tensors' places are computed from.
        text: What stands in the file for the document, if not its canonical text.
    """
    text = text_of(document) if text is None else text
    checksum = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    whole: dict[str, Any] = {"__metadata__": {"checksum": checksum, "masklab": text}}
    described = document.get("tensors") if isinstance(document, dict) else None
    entries = described if isinstance(described, dict) else {}
    end = 0
    for name in sorted(entries, key=lambda name: (-_width(entries[name]), name)):
        entry = entries[name] if isinstance(entries[name], dict) else {}
        begin, end = end, end + _size(entry)
        whole[name] = {
            "dtype": entry.get("dtype"),
            "shape": entry.get("shape"),
            "data_offsets": [begin, end],
        }
    encoded = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
    encoded += b" " * (-len(encoded) % 8)
    return struct.pack("<Q", len(encoded)) + encoded


def _width(entry: Any) -> int:
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    return WIDTHS.get(dtype, 1) if isinstance(dtype, str) else 1


def _size(entry: dict[str, Any]) -> int:
    shape = entry.get("shape")
    if not isinstance(shape, list) or not all(isinstance(length, int) for length in shape):
        return 0
    if len(shape) > 100 or max(shape, default=0) > 10**300:  # their product would take minutes
        return 0
    return math.prod(shape) * _width(entry)


def parts(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Document of a sound file, and the bytes of its tensors."""
    (length,) = struct.unpack("<Q", data[:8])
    entries, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    document = json.loads(entries.pop("__metadata__")["masklab"])
    return document, {name: body[slice(*entry["data_offsets"])] for name, entry in entries.items()}


def forged(document: dict[str, Any], tensors: Mapping[str, bytes]) -> bytes:
    """A file of any document and any tensors; lengths of flat tensors and all checksums fit."""
    described = {}
    for name, data in tensors.items():
        entry = dict(document["tensors"].get(name, {"dtype": "U8", "shape": [0]}))
        if len(entry["shape"]) == 1:
            entry["shape"] = [len(data) // WIDTHS[entry["dtype"]]]
        described[name] = {**entry, "checksum": hashlib.sha256(data).hexdigest()}
    order = sorted(described, key=lambda name: (-WIDTHS[described[name]["dtype"]], name))
    return header({**document, "tensors": described}) + b"".join(tensors[name] for name in order)


def read_everything(path: Path) -> Member:
    """Use all that a member file offers; whatever the file, this returns or raises `ArchiveError`."""
    stored = Member(path)
    stored.verify()
    stored.mask()
    stored.scores()
    stored.buffers()
    stored.parameters()
    stored.origins()
    stored.prediction()
    stored.probability()
    for epoch in stored.snapshots:
        stored.snapshot(epoch)
    if stored.has_weights:
        stored.weights()
    return stored
