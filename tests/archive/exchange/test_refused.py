"""Files that cannot be imported: one line each, and nothing is written."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import torch as safetensors

from masklab.archive import files, member
from masklab.archive.exchange import containers
from masklab.errors import ArchiveError, ConfigError
from tests.archive import samples as members

from . import samples
from .samples import EYE, npz_bytes, torch_bytes


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.path), "w")


def _header(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _npy(shape: str, kind: str = "|b1", data: bytes = b"\1") -> bytes:
    """An npz file with one array whose header says what the test wants."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)
    return buffer.getvalue()


def _zip(method: int, *entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def _squeezed(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return _zip(zipfile.ZIP_DEFLATED, *((name, archive.read(name)) for name in archive.namelist()))


WRONG = [0.5, 2.0, float("nan"), -1.0]

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"mask = 1\n", "no file of a known kind; allowed: torch.save, safetensors, npz"),
    "npy": (b"\x93NUMPY\x01\x00", "a single array"),
    "no tensors": (torch_bytes({}), "no arrays, so no masks in it"),
    "a list": (torch_bytes([EYE]), "holds a list; allowed: a dictionary of tensors"),
    "a tensor": (torch_bytes(EYE), "holds a Tensor; allowed: a dictionary"),
    "numbers alone": (torch_bytes({"epoch": 3}), "no arrays"),
    "names that are no text": (torch_bytes({1: EYE}), "names are no text"),
    "empty npz": (npz_bytes(), "no file of a known kind"),
    "empty safetensors": (_header({}), "no arrays"),
    "scalars": (torch_bytes({"a": torch.tensor(True)}), "no masks in it"),
    "no values": (
        npz_bytes(a=np.zeros((0, 3), dtype=bool)),
        "has no value|axis of a layer 0",
    ),
    "text in npz": (npz_bytes(a=np.array(["x"])), "'a.npy' is of <U1; allowed: booleans, integers"),
    "bytes in npz": (_npy("(1,)", "|S1"), r"'a.npy' is of \|S1; allowed"),
    "records in npz": (_npy("(1,)", "[('x', '|b1')]"), "'a.npy' is of .*; allowed|damaged npz"),
    "complex in npz": (npz_bytes(a=np.zeros(2, dtype=complex)), "'a.npy' is of complex128; allowed"),
    "nothing kept": (npz_bytes(a=np.zeros((2, 2), dtype=bool)), "keeps no weight at all"),
    "two in an integer mask": (npz_bytes(a=np.array([0, 1, 2])), "mask 'a' of int64 has the value 2"),
    "infinite weights": (npz_bytes(a=np.array([[0, np.inf]])), "'a' holds numbers that are not finite"),
    "weights beyond float32": (npz_bytes(a=np.array([[0, 1e300]])), "'a' holds numbers that are not finite"),
    "objects in npz": (npz_bytes(a=np.array([{}], dtype=object)), "holds Python objects"),
    "complex": (torch_bytes({"a": torch.zeros(2, dtype=torch.complex64)}), "sparse, quantised, complex"),
    "sparse": (torch_bytes({"a": EYE.to_sparse()}), "sparse, quantised, complex"),
    "meta": (torch_bytes({"a": torch.empty(3, device="meta")}), "without values"),
    "expanded": (torch_bytes({"a": torch.zeros(1).expand(2**40)}), "'a' of shape .1099511627776.; at most"),
    "many expanded": (
        torch_bytes({f"a{i}": torch.zeros(1).expand(2**27) for i in range(33)}),
        "tensor 'a0' is expanded; save what .contiguous",
    ),
    "overlapping": (
        torch_bytes({"a": torch.zeros(1000).as_strided((500, 500), (1, 1))}),
        r"tensors of 1000000 bytes in a file of \d+; .* \(.clone\(\)\)",
    ),
    "shared": (
        torch_bytes(dict.fromkeys(map(str, range(30)), torch.zeros(1000))),
        "tensors of 120000 bytes in a file of",
    ),
    "numbers that NumPy has not": (
        torch_bytes({"a": torch.zeros(8, dtype=torch.uint8).view(torch.bits8)}),
        "tensor 'a' is of torch.bits8; allowed: booleans",
    ),
    "compressed torch": (_squeezed(torch_bytes({"a": EYE})), "is compressed; torch.save compresses nothing"),
    "cut torch": (torch_bytes({"a": EYE})[:-40], "damaged zip file"),
    "cut legacy": (torch_bytes({"a": EYE}, _use_new_zipfile_serialization=False)[:-10], "damaged torch file"),
    "a plain pickle": (pickle.dumps({"a": 1}), r"could run code \(Unsupported operand"),
    "cut safetensors": (safetensors.save({"a": EYE})[:-1], "damaged safetensors file"),
    "a header of nothing": (_header([1]).replace(b"[", b"{", 1), "damaged safetensors file"),
    "overlong safetensors": (
        _header({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
        "damaged safetensors file",
    ),
    "npz that declares more": (_npy("(1099511627776,)"), "it holds 1 bytes"),
    "npz that declares too much": (_npy(f"({2**28},)", "|b0", b""), "numbers; at most|damaged npz"),
    "npz with a negative axis": (_npy("(-1, -1)"), "declares"),
    "npz that is none": (_zip(zipfile.ZIP_STORED, ("a.txt", b"x")), "'a.txt' is no array"),
    "npz of another method": (
        _zip(zipfile.ZIP_BZIP2, ("a.npy", b"x" * 100)),
        "is compressed by method 12",
    ),
    "npz without a header": (_zip(zipfile.ZIP_STORED, ("a.npy", b"x" * 100)), "damaged npz file"),
    "a bomb": (
        _zip(zipfile.ZIP_DEFLATED, ("a.npy", b"\0" * 10**7)).replace(
            struct.pack("<I", 10**7), struct.pack("<I", 2**31)
        ),
        "declares 2147483648 bytes|damaged npz",
    ),
    "shapes that differ": (
        torch_bytes({"a.weight_orig": EYE, "a.weight_mask": torch.ones(3)}),
        r"'a.weight_mask' has shape \[3\], 'a.weight_orig' has \[3, 3\]",
    ),
    "two of one layer": (
        npz_bytes(**{"a": np.eye(2) > 0, "a.weight": np.eye(2) > 0}),
        "two masks are",
    ),
    **{
        f"{value} in a mask": (
            torch_bytes({"a.weight_orig": EYE, "a.weight_mask": torch.full((3, 3), value)}),
            f"mask 'a.weight_mask' of float32 has the value {value}",
        )
        for value in WRONG
    },
    **{
        f"name {name!r}": (npz_bytes(**{f"x{name}": np.eye(2) > 0}), "layer name")
        for name in ("/../../etc", "\\x", "\n", "\x7f", "x" * 300)
    },
    **{
        f"parameter {name!r}": (
            torch_bytes({"a.weight": (EYE > 0), f"x{name}": torch.full((3,), 0.5)}),
            "array name .* printable characters, no slash",
        )
        for name in ("/../..", "\n", "\ud800", "x" * 300)
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(tmp_path: Path, name: str) -> None:
    data, message = REFUSED[name]
    (tmp_path / "foreign").write_bytes(data)
    with pytest.raises(ArchiveError, match=message) as caught:
        samples.take(tmp_path / "out", tmp_path / "foreign")
    assert "\n" not in str(caught.value).strip() or "layer name" in message
    assert str(tmp_path / "foreign") in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_never_run(tmp_path: Path, legacy: bool) -> None:
    data = torch_bytes({"a": EYE, "b": _Touch(tmp_path / "ran")}, _use_new_zipfile_serialization=not legacy)
    (tmp_path / "evil.pt").write_bytes(data)
    with pytest.raises(ArchiveError, match=r"could run code \(.*open.*\); save its tensors alone"):
        samples.take(tmp_path / "out", tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="nothing does not exist"):
        samples.take(tmp_path / "out", tmp_path / "nothing")
    with pytest.raises(ArchiveError, match=r"cannot read .*Is a directory"):
        samples.take(tmp_path / "out", tmp_path)
    with pytest.raises(ConfigError, match="name at least one"):
        samples.take(tmp_path / "out")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        os.truncate(file.fileno(), containers.FILE_LIMIT + 1)
    with pytest.raises(ArchiveError, match=f"bytes; at most {containers.FILE_LIMIT} are read"):
        samples.take(tmp_path / "out", tmp_path / "large")


def test_a_member_file_is_not_foreign(tmp_path: Path) -> None:
    member.write(tmp_path / "a.safetensors", members.tiny())
    with pytest.raises(ArchiveError, match="a member file of masklab, not one to import"):
        samples.take(tmp_path / "out", tmp_path / "a.safetensors")


def test_files_of_other_layers_than_the_first(tmp_path: Path) -> None:
    first = samples.save(tmp_path, "first.pth", {"a": EYE, "b": EYE})
    for number, (layers, message) in enumerate(
        [
            ({"a": EYE}, r"first.pth: 'b' is missing in it, \[3, 3\] there"),
            ({"a": EYE, "b": EYE, "c": EYE}, r"'c' is \[3, 3\] in it, missing there"),
            ({"a": EYE, "b": torch.eye(2)}, r"'b' is \[2, 2\] in it, \[3, 3\] there"),
            ({"a": EYE, "x": EYE}, "'b' is missing.*--by-order matches layers by their position"),
        ]
    ):
        other = samples.save(tmp_path, f"{number}.pth", layers)
        with pytest.raises(ArchiveError, match=message):
            samples.take(tmp_path / "out", first, other)
        assert not (tmp_path / "out").exists()


def test_files_of_two_formats(tmp_path: Path) -> None:
    network = samples.pruned()
    first = samples.save(tmp_path, "first.pth", network.state_dict())
    masks = {name: torch.from_numpy(mask).int() for name, mask in samples.module_masks(network).items()}
    second = samples.save(tmp_path, "second.pth", masks)
    message = "second.pth is of format openlth with weights known: none; .*first.pth of format prune"
    with pytest.raises(ArchiveError, match=message):
        samples.take(tmp_path / "out", first, second)


def test_wrong_names(tmp_path: Path) -> None:
    place = samples.save(tmp_path, "a.pth", {"a": EYE})
    with pytest.raises(ConfigError, match=r"--format: unknown format 'prun' \(did you mean 'prune'"):
        samples.take(tmp_path / "out", place, format="prun")
    for name in ("A", ".a", "", "a/b", "ä"):
        with pytest.raises(ConfigError, match=r"--population .*; allowed: a-z"):
            samples.take(tmp_path / "out", place, population=name)
    assert not (tmp_path / "out").exists()


def test_content_of_two_formats(tmp_path: Path) -> None:
    state = {**samples.pruned().state_dict(), "x.weight": EYE, "x.scores": EYE}
    place = samples.save(tmp_path, "a.pth", state)
    with pytest.raises(ArchiveError, match="could be hidden-networks or prune; say which with --format"):
        samples.take(tmp_path / "out", place)


def test_scores_that_cannot_be_ranked(tmp_path: Path) -> None:
    for scores, message in ((torch.full((3, 3), float("nan")), "not finite"), (torch.ones(3), "has shape")):
        place = samples.save(tmp_path, "a.pth", {"x.weight": EYE, "x.scores": scores})
        with pytest.raises(ArchiveError, match=message):
            samples.take(tmp_path / "out", place, density=0.5)


def test_out_that_is_no_directory(tmp_path: Path) -> None:
    place = samples.save(tmp_path, "a.pth", {"a": EYE})
    with pytest.raises(ArchiveError, match="is not a directory"):
        samples.take(place, place)
    (tmp_path / "out/members").mkdir(parents=True)
    with pytest.raises(ArchiveError, match=r"holds members but no study\.json"):
        samples.take(tmp_path / "out", place)


def test_a_file_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = samples.save(tmp_path, "a.pth", {"a": EYE})
    written = files.write_json

    def replacing(path: files.Location, document: object) -> None:
        written(path, document)
        samples.save(tmp_path, "a.pth", {"a": 1 - EYE})

    monkeypatch.setattr(files, "write_json", replacing)
    with pytest.raises(ArchiveError, match=r"a\.pth changed while it was imported"):
        samples.take(tmp_path / "out", place)
