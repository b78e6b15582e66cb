"""Sizes are checked before memory is taken, and damage is told in one line."""

import io
import math
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import torch as safetensors
from torch import _utils

from masklab.archive import description
from masklab.archive.exchange import containers, npz
from masklab.errors import ArchiveError, MasklabError

from . import samples
from .samples import EYE, npz_bytes, torch_bytes


def test_a_layer_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "LAYER_LIMIT", 8)
    for name, data in {
        "a.npz": npz_bytes(a=np.eye(3) > 0),
        "a.pt": torch_bytes({"a": EYE}),
        "a.safetensors": safetensors.save({"a": EYE}),
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ArchiveError, match="at most 8"):
            samples.take(tmp_path / "out", tmp_path / name)


def test_a_network_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "NETWORK_LIMIT", 8)
    (tmp_path / "a.npz").write_bytes(npz_bytes(a=np.eye(8) > 0, b=np.zeros(1)))
    with pytest.raises(ArchiveError, match=r"arrays of 72 bytes or more in \d+; at most 64 are unpacked"):
        samples.take(tmp_path / "out", tmp_path / "a.npz")
    (tmp_path / "a.pt").write_bytes(torch_bytes({"a": EYE}))
    with pytest.raises(ArchiveError, match="layers of more than 8 weights together"):
        samples.take(tmp_path / "out", tmp_path / "a.pt")


def _zeros(dtype: str, shape: tuple[int, ...], arrays: int = 1) -> bytes:
    """A compressed npz file of zeros, made without them."""
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    size, buffer = math.prod(shape) * np.dtype(dtype).itemsize, io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(arrays):
            with archive.open(f"a{number}.npy", "w", force_zip64=True) as file:
                file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
                for start in range(0, size, 2**20):
                    file.write(bytes(min(2**20, size - start)))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("dtype", "shape", "arrays", "message"),
    [
        ("|S30000000", (2,), 1, r"'a0\.npy' is of \|S30000000; allowed"),
        ("|V30000000", (2,), 1, r"'a0\.npy' is of \|V30000000; allowed"),
        ("<f8", (2**22, 2), 2, r"arrays of 67108864 bytes or more in \d+; at most \d+ are unpacked"),
        ("<f8", (2**22, 2), 5, r"arrays of 67108864 bytes or more in \d+; at most \d+ are unpacked"),
    ],
)
def test_an_npz_file_does_not_grow_without_limit(
    monkeypatch: pytest.MonkeyPatch, dtype: str, shape: tuple[int, ...], arrays: int, message: str
) -> None:
    monkeypatch.setattr(npz, "_FREE", 2**20)
    data = _zeros(dtype, shape, arrays)
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match=message):
            npz.read(data)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_sparse_masks_are_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "_FREE", 0)
    mask = np.random.RandomState(0).random_sample((1000, 1000)) < 0.01
    assert np.array_equal(npz.read(npz_bytes(a=mask))["a"], mask)


class _Call:
    """Calls a function with arguments when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


_EXPANDED = torch.zeros(1).expand(2**27)


_SMALL: dict[str, tuple[object, str]] = {
    "expanded": ({"a": _EXPANDED, "b": _EXPANDED}, "tensor 'a' is expanded"),
    "bytes": ({"a": EYE, "b": _Call(bytearray, 2**29)}, "calls bytearray; allowed: a dictionary"),
    "converted": (
        {"a": _Call(_utils._rebuild_device_tensor_from_cpu_tensor, _EXPANDED, torch.float64, "cpu", False)},
        "calls _rebuild_device_tensor_from_cpu_tensor; allowed: a dictionary",
    ),
}


@pytest.mark.parametrize("legacy", [False, True])
def test_a_small_torch_file_takes_little_memory(tmp_path: Path, legacy: bool) -> None:
    """In a process of its own: the largest size that one ever had says nothing of later files."""
    samples.save(tmp_path, "good.pt", {"a": EYE})
    for name, (document, _) in _SMALL.items():
        torch.save(document, tmp_path / f"{name}.pt", _use_new_zipfile_serialization=not legacy)
        assert (tmp_path / f"{name}.pt").stat().st_size < 5000
    code = (
        "import pathlib, resource, sys\n"
        "from masklab import errors\n"
        "from masklab.archive.exchange import containers\n"
        "folder, *names = sys.argv[1:]\n"
        "containers.read(pathlib.Path(folder, 'good.pt'))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for name in names:\n"
        "    try:\n        containers.read(pathlib.Path(folder, f'{name}.pt'))\n"
        "    except errors.ArchiveError as error:\n        print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), *_SMALL]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *said, kilobytes = done.stdout.splitlines()
    assert len(said) == len(_SMALL)
    for line, (name, (_, message)) in zip(said, _SMALL.items(), strict=True):
        assert line.startswith(f"{tmp_path / name}.pt: {message}")
    assert int(kilobytes) < 100 * 1024


_VALID = [
    torch_bytes({"a.weight_orig": EYE, "a.weight_mask": EYE, "b": torch.ones(2)}),
    torch_bytes({"a": EYE.int()}, _use_new_zipfile_serialization=False),
    safetensors.save({"a.weight": EYE > 0}),
    npz_bytes(a=np.eye(3) > 0),
]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(_VALID), st.data())
def test_damage_is_an_error_of_one_line_or_another_mask(
    tmp_path: Path, valid: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "foreign").write_bytes(bytes(damaged[: data.draw(st.integers(1, len(damaged)))]))
    try:
        foreign, _ = containers.read(tmp_path / "foreign")
    except MasklabError as error:
        assert "\n" not in str(error)
    else:
        assert all(array.size <= 2**20 for array in foreign.arrays.values())
