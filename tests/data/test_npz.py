"""Files of arrays that are damaged, or made to do harm: always one line, and never much memory."""

import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import data
from masklab.errors import DataError
from tests.data import samples


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a readable npz file"),
        (b"hello", "is not a readable npz file"),
        (_npy(np.zeros(3)), r"is a single array \(npy\)"),
        (None, r"is not a file \(data.path\); allowed: an npz file"),
    ],
)
def test_files_that_are_not_npz(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.npz"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        samples.load(path)


def _pack(path: Path, train_images: bytes, **options: Any) -> Path:
    """A file of arrays whose training images are these bytes."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        for key, array in samples.arrays().items():
            archive.writestr(f"{key}.npy", train_images if key == "train_images" else _npy(array))
    return path


def _declaring(shape: str, dtype: str = "|u1") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(120)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (_declaring("(6, 4, 5)"), None),
        (_declaring("(6000000, 1000, 1000)"), r"declares \[6000000, 1000, 1000\] of uint8, 60000000000"),
        (_declaring("(10**9,)"), "is damaged"),
        (_declaring("(-6, -4, 5)"), "declares"),
        (_declaring("(6, 4, 4)"), "declares .* 96 bytes; the file holds 120"),
        (_declaring("(6, 4, 5)", "|O"), "holds Python objects"),
        (_declaring("()", "<U999999"), "declares"),
        (b"\x93NUMPY\x03\x00" + _declaring("(6, 4, 5)")[8:], r"npy version \(3, 0\); allowed: 1.0, 2.0"),
        (b"\x80\x04cos\nsystem\n", "is damaged"),
        (b"", "is damaged"),
    ],
)
def test_what_an_array_declares_is_compared_with_its_file(
    tmp_path: Path, entry: bytes, message: str | None
) -> None:
    path = _pack(tmp_path / "a.npz", entry)
    if message is None:
        assert samples.load(path).train_images.sum() == 0
        return
    with pytest.raises(DataError, match=message):
        samples.load(path)


def test_other_compressions_are_refused(tmp_path: Path) -> None:
    path = _pack(tmp_path / "a.npz", _declaring("(6, 4, 5)"), compression=zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match="is compressed by method 14; allowed: none or deflate"):
        samples.load(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_file_that_overstates_its_length_takes_no_memory(tmp_path: Path, compression: int) -> None:
    """Directory and npy header agree on 3 GB that the file has not; the process may have 1 GB more."""
    size = 3 * 10**9
    path = _pack(tmp_path / "a.npz", _declaring(f"({size // 20}, 4, 5)"), compression=compression)
    content = path.read_bytes()
    entry = content.index(b"PK\x01\x02")
    content = content[: entry + 24] + struct.pack("<I", size + 128) + content[entry + 28 :]
    path.write_bytes(content)
    code = (
        "import resource, sys\n"
        "from masklab import data, errors\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2)\n"
        "try:\n    data.load('arrays', sys.argv[1])\nexcept errors.DataError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert f"train_images declares {size + 128} bytes in" in done.stdout


@pytest.mark.parametrize("compressed", [False, True])
def test_every_damage_is_the_same_arrays_or_a_data_error(tmp_path: Path, compressed: bool) -> None:
    """Every third byte changed, or the last: pixels are covered by the zip file's checksums."""
    arrays = samples.arrays()
    for part in ("train", "test"):
        arrays[f"{part}_labels"] = arrays[f"{part}_labels"].astype(np.uint8)
    path = samples.save(tmp_path / "a.npz", arrays, compressed)
    whole, expected = path.read_bytes(), data.content_digest(samples.load(path))
    refused = 0
    for position in range(0, len(whole), 3):
        for damaged in (
            whole[:position],
            whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :],
        ):
            path.write_bytes(damaged)
            try:
                loaded = samples.load(path)
            except DataError as error:
                assert "\n" not in str(error)
                refused += 1
            else:
                assert len(damaged) == len(whole)
                assert data.content_digest(loaded) == expected
    assert refused > len(whole) / 3


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    arrays = {**samples.arrays(), "classes": np.array([Trap(), Trap(), Trap()], dtype=object)}
    with pytest.raises(DataError, match="classes holds Python objects; allowed: numbers"):
        samples.load(samples.save(tmp_path / "a.npz", arrays))
    assert not (tmp_path / "sprung").exists()
