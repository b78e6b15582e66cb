"""Files made to take memory or time: each is refused or read within bounds that no file can move.

All checksums fit. One process reads them all, under a limit of its address space.
"""

import hashlib
import json
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from masklab.archive import container, encoding
from masklab.errors import ArchiveError

from . import changed, samples

ADDRESS_SPACE = 3 * 2**30
PEAK = 2**30
"""Bytes that reading may take at its highest; a header of 16 MiB in many small pieces takes the most."""

TIMEOUT_S = 100.0


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def _member(layers: list[dict[str, Any]], frames: dict[str, bytes], **facts: Any) -> bytes:
    """A file of layers without known weights, and of any facts."""
    bare = {"gain": None, "origin": {"kind": "absent", "width": 0}, "codec": "bitmap", "kept": 0}
    digest = hashlib.sha256(facts.pop("packed", b"")).hexdigest()
    document = {
        **{"format": 2, "reader": "0.1.0", "population": "p", "index": 0, "base": None},
        **{"digest": digest, "layers": [{**bare, **layer} for layer in layers]},
        "tensors": {
            "prediction/class": {"dtype": "U8", "shape": [0]},
            "prediction/probability": {"dtype": "F16", "shape": [0, 0]},
        },
        **facts,
    }
    tensors = {"prediction/class": b"", "prediction/probability": b"", **frames}
    return changed.forged(document, tensors)


def _layer(size: int, frame: bytes, packed: bytes = b"", **changes: Any) -> bytes:
    """A file of one layer; `packed` is the mask that its digest covers."""
    return _member([{"name": "fc", "shape": [size], **changes}], {"mask/fc": frame}, packed=packed)


def _zeros(count: int) -> bytes:
    """A small frame that declares `count` zero bytes and unpacks to them."""
    return _zstd(b"\0" * count)


def _window(exponent: int) -> bytes:
    """A frame of two bytes that asks for a window of 2 ** (10 + exponent) bytes."""
    return bytes.fromhex("28b52ffd80") + bytes([exponent << 3]) + b"\2\0\0\0" + b"\x11\0\0" + b"\0\0"


def _origin(kind: str, frame: bytes, width: int, size: int = 8) -> bytes:
    """A member of one layer whose base weights came from elsewhere."""
    document, tensors = changed.parts(encoding.encode(samples.tiny()))
    layer = {"shape": [size], "kept": 0, "origin": {"kind": kind, "width": width}}
    document["layers"][0] |= layer
    tensors |= {"origin/fc": frame, "mask/fc": _zeros((size + 7) // 8)}
    return changed.forged(document, tensors)


def _with_snapshot(frame: bytes) -> bytes:
    document, tensors = changed.parts(encoding.encode(samples.tiny_with_everything()))
    return changed.forged(document, {**tensors, "snapshot/2/fc": frame})


def _sparse(length: int) -> bytes:
    """The header of a file that goes on for `length` zero bytes."""
    document, _ = changed.parts(_member([], {}))
    document["tensors"]["buffer/x"] = {"dtype": "F32", "shape": [length // 4], "checksum": "0" * 64}
    return changed.header(document)


def _filled(piece: str) -> bytes:
    """A sound member whose description is filled up to the limit with an entry of many pieces."""
    document, tensors = changed.parts(_layer(8, _zeros(1), b"\0"))
    escaped = len(json.dumps(piece)) - 2
    pieces = [piece] * ((container.HEADER_LIMIT - 5000) // (escaped + 1))
    text = changed.text_of({**document, "zz": 0})[:-2] + f"[{','.join(pieces)}]}}"
    order = sorted(tensors, key=lambda name: (name == "mask/fc", name))
    return changed.header(document, text) + b"".join(tensors[name] for name in order)


def _snapshots_of_nothing() -> bytes:
    entries = [{"epoch": epoch, "layers": []} for epoch in range(300_000)]
    return _member([], {}, snapshots=entries)


BIG = 2**27
BITMAP = _zeros(BIG // 8)
EVENTS = np.arange(2**20, dtype="<u4")

FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a layer beyond the limit": (lambda: _layer(BIG + 1, BITMAP), "is more than 134217728"),
    "a layer of 2^54 weights": (
        lambda: _member([{"name": "fc", "shape": [BIG, BIG]}], {"mask/fc": BITMAP}),
        "of 1.801e+16 weights",
    ),
    "a layer of 1000 axes": (
        lambda: _member([{"name": "fc", "shape": [1] * 1000}], {"mask/fc": b""}),
        "layer of 1000 axes; at most 32",
    ),
    "an axis of 4000 digits": (lambda: _layer(10**4000, BITMAP), "more than 134217728"),
    "a tensor of many axes of 4000 digits": (
        lambda: changed.header({"format": 2, "tensors": _long_axes()}),
        "a tensor has at most 32 axes",
    ),
    "layers that are too large together": (
        lambda: _member(
            [{"name": str(at), "shape": [BIG]} for at in range(9)],
            {f"mask/{at}": BITMAP for at in range(9)},
        ),
        "layers of more than 1073741824 weights together",
    ),
    "the largest layer": (lambda: _layer(BIG, BITMAP, b"\0" * (BIG // 8)), ""),
    "a mask that unpacks to a gigabyte": (lambda: _layer(8, _zeros(10**9)), "declares 1000000000 bytes"),
    "gaps that unpack to a gigabyte": (
        lambda: _layer(8, _zeros(10**9), codec="gaps"),
        "declares 1000000000 bytes",
    ),
    "a snapshot that unpacks to a gigabyte": (lambda: _with_snapshot(_zeros(10**9)), "declares 10000000"),
    "an origin that unpacks to a gigabyte": (
        lambda: _origin("event", _zeros(10**9), 1),
        "declares 1000000000 bytes",
    ),
    "a window of 128 MiB": (lambda: _layer(16, _window(17), b"\0\0"), ""),
    "a window of 2 TiB": (lambda: _layer(16, _window(31)), "damaged frame"),
    "half of the weights listed": (
        lambda: _layer(2**23, _zeros(2**22), b"\xff" * 2**19 + b"\0" * 2**19, codec="gaps", kept=2**22),
        "",
    ),
    "a golomb parameter of 2^32 - 1": (
        lambda: _layer(1000, b"\xff" * 4 + b"\1", codec="golomb", kept=1),
        "without a parameter from 1 to",
    ),
    "a golomb parameter of 2^31": (
        lambda: _layer(1000, b"\0\0\0\x80" + b"\0" * 31 + b"\1", b"\1" + b"\0" * 124, codec="golomb", kept=1),
        "",
    ),
    "gaps that add up beyond 64 bits": (
        lambda: _layer(1000, b"\0\0\0\x80" + b"\0" * 31 + b"\0" * 2**22 + b"\1", codec="golomb", kept=1),
        "goes on after its last gap",
    ),
    "2^20 events": (
        lambda: _origin("event", _planes(EVENTS), 4, 2**20),
        "events drew more than 8589934592 values",
    ),
    "an event of 2^32 - 1": (lambda: _origin("event", _planes(np.full(8, 2**32 - 1)), 4), "stored digest"),
    "a position of 2^32 - 1": (
        lambda: _origin("position", _planes(np.full(8, 2**32 - 1)), 4),
        "points at weight 4294967295 of 8",
    ),
    "300000 snapshots of no layer": (_snapshots_of_nothing, ""),
    "millions of lists": (lambda: _filled("[]"), ""),
    "millions of names": (lambda: _filled('{"a":1}'), ""),
    "millions of texts that look like names": (lambda: _filled('"\\":"'), ""),
    "deep": (lambda: _filled("[" * 10**6 + "]" * 10**6), "no readable masklab document"),
    "a header that is not UTF-8": (lambda: struct.pack("<Q", 3) + b'"\xff"', "no readable masklab docum"),
    "a file of a tebibyte": (lambda: _sparse(2**40), "'buffer/x' of more than 536870912 bytes"),
    "a path for a layer": (
        lambda: _member([{"name": "../../x", "shape": [8]}], {"mask/../../x": _zeros(1)}),
        "no slash or control character",
    ),
    "a path for a population": (lambda: _member([], {}, population="../x"), "population '../x'; allowed"),
}


def _long_axes() -> dict[str, Any]:
    return {"buffer/x": {"dtype": "U8", "shape": [10**4000] * 1000, "checksum": "0" * 64}}


def _planes(values: np.ndarray) -> bytes:
    return _zstd(values.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes())


def _outcomes(folder: Path) -> dict[str, Any]:
    """What becomes of each file, and the highest memory at that time."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    found: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        Path("/proc/self/clear_refs").write_text("5")  # the highest memory is that from here
        try:
            changed.read_everything(path)
            said = ""
        except ArchiveError as error:
            said = str(error)
        status = Path("/proc/self/status").read_text()
        found[path.name] = [said, 1024 * int(status.partition("VmHWM:")[2].split()[0])]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the highest memory of a process is read from /proc")
def test_hostile_files_are_refused_or_read_in_bounded_memory(tmp_path: Path) -> None:
    for name, (make, _) in FILES.items():
        path = tmp_path / name
        path.write_bytes(make())
        if name == "a file of a tebibyte":
            os.truncate(path, path.stat().st_size + 2**40)
    done = subprocess.run(
        [sys.executable, "-m", "tests.archive.test_limits", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    outcomes = json.loads(done.stdout)
    assert set(outcomes) == set(FILES)
    for name, (_, message) in FILES.items():
        said, peak = outcomes[name]
        assert (message in said) if message else said == "", (name, said[:300])
        assert len(said) < 500, name
        assert peak < PEAK, (name, peak)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_outcomes(Path(sys.argv[1]))))
