"""The member file, byte by byte: format 1 in full, and every way of damaging it."""

import copy
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab.archive import Content, Member, container, encoding
from masklab.errors import ArchiveError

from . import samples

GOLDEN_DOCUMENT = (
    '{"base":{"factor":0.5,"init":"kaiming-normal","level":1,"refresh_level":2,"seed":5},'
    '"digest":"7cfde0b0c627f487a5a7eae25b15a54250c7e327da608469b5b3c719d3d3a798","format":1,'
    '"index":3,"layers":[{"codec":"bitmap","gain":0.25,"kept":4,"name":"fc","origin":null,'
    '"shape":[2,4]}],"population":"p",'
    '"tensors":{"mask/fc":{"checksum":"8ed87357c0a84178bf1d608fe405b6d92820cd77a22db03c364c7c892cf849a0",'
    '"dtype":"U8","shape":[10]},'
    '"prediction/class":{"checksum":"99be5efb88ca2013bd8e4eb035fd42d5245468fe9afa70d8ba9c1c419a48c4e8",'
    '"dtype":"U8","shape":[2]},'
    '"prediction/probability":{"checksum":"1ee92086553f681aa659b09e09378023cc519e2c05fd52af4f6f1eca007af63d",'
    '"dtype":"F16","shape":[2,3]}}}'
)

GOLDEN_FILE = "5d933094cbdbe4ef83588aacce25672eb020144b56fea35c4d394b0125faac2c"

GOLDEN_DATA = "00000034003a003c0000000028b52ffd2001090000390200"

GOLDEN_FILE_WITH_EVERYTHING = "193984bc98604bd638e25e93889d05dadd9e6c1612f201d21e8a5cdad9b8a510"

GOLDEN_DATA_WITH_EVERYTHING = (
    "0000003f000000c0000080bf6edb36bfb76ddbbe254912be2549123eb76ddb3e6edb363f0000803f0000404000000034003a003c"
    "0000000028b52ffd200109000039020028b52ffd2001090000c628b52ffd200109000063"
)


@pytest.fixture(name="file", params=[samples.tiny, samples.tiny_with_everything])
def _file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    content: Content = request.param()
    (tmp_path / "member").write_bytes(encoding.encode(content))
    return tmp_path / "member"


def _header(data: bytes) -> tuple[int, dict[str, Any]]:
    (length,) = struct.unpack("<Q", data[:8])
    return 8 + length, json.loads(data[8 : 8 + length])


def test_bytes_of_a_member_never_change() -> None:
    data = encoding.encode(samples.tiny())
    start, header = _header(data)
    assert start % 8 == 0
    assert header.pop("__metadata__") == {
        "checksum": container.digest(GOLDEN_DOCUMENT.encode()),
        "masklab": GOLDEN_DOCUMENT,
    }
    assert header == {
        "prediction/probability": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
        "mask/fc": {"dtype": "U8", "shape": [10], "data_offsets": [12, 22]},
        "prediction/class": {"dtype": "U8", "shape": [2], "data_offsets": [22, 24]},
    }
    assert data[start:].hex() == GOLDEN_DATA
    assert container.digest(data) == GOLDEN_FILE


def test_bytes_of_a_member_with_everything_never_change() -> None:
    data = encoding.encode(samples.tiny_with_everything())
    start, header = _header(data)
    document = json.loads(header.pop("__metadata__")["masklab"])
    golden = json.loads(GOLDEN_DOCUMENT)
    assert set(document) - set(golden) == {"snapshots"}
    assert document["snapshots"] == [
        {"epoch": 0, "layers": [{"codec": "bitmap", "kept": 4}]},
        {"epoch": 2, "layers": [{"codec": "bitmap", "kept": 4}]},
    ]
    assert document["layers"] == [{**golden["layers"][0], "origin": {"kind": "trained", "width": 0}}]
    assert {
        name: (entry["dtype"], entry["shape"], entry["data_offsets"]) for name, entry in header.items()
    } == {
        "buffer/norm.running_mean": ("F32", [2], [0, 8]),
        "parameter/fc.weight": ("F32", [2, 4], [8, 40]),
        "parameter/scale": ("F32", [], [40, 44]),
        "prediction/probability": ("F16", [2, 3], [44, 56]),
        "mask/fc": ("U8", [10], [56, 66]),
        "prediction/class": ("U8", [2], [66, 68]),
        "snapshot/0/fc": ("U8", [10], [68, 78]),
        "snapshot/2/fc": ("U8", [10], [78, 88]),
    }
    assert data[start:].hex() == GOLDEN_DATA_WITH_EVERYTHING
    assert container.digest(data) == GOLDEN_FILE_WITH_EVERYTHING


def _is_refused(file: Path) -> bool:
    try:
        Member(file).verify()
    except ArchiveError:
        return True
    return False


def test_every_single_bit_flip_is_found(file: Path) -> None:
    whole = file.read_bytes()
    assert len(whole) < 2500
    assert not _is_refused(file)
    with file.open("r+b", buffering=0) as damaged:
        for at, byte in enumerate(whole):
            for bit in range(8):
                damaged.seek(at)
                damaged.write(bytes([byte ^ 1 << bit]))
                assert _is_refused(file), f"bit {bit} of byte {at}"
            damaged.seek(at)
            damaged.write(bytes([byte]))
    assert not _is_refused(file)


def test_every_truncation_and_every_extension_is_found(file: Path) -> None:
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert _is_refused(file), f"{length} bytes"
    for more in (b"\0", b"\n", whole):
        file.write_bytes(whole + more)
        with pytest.raises(ArchiveError, match="its header promises"):
            Member(file)


def _places(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield from _places(value, (*place, key))


def _replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    changed = copy.deepcopy(document)
    node = changed
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return changed


STRANGE: list[Any] = [
    *(None, True, -1, 0, 3, 3.5, 1e308, 2**40, 10**400, "", "x", "../x", "\ud800"),
    *(
        [],
        {},
        [1],
        [[1]],
        [-1, -2],
        [-2, -4],
        [2.0],
        [2.0, 4.0],
        [2**31, 2**31],
        {"a": 1},
        "gaps",
        "F32",
        "BF16",
    ),
    *({"kind": "event", "width": 1}, {"kind": "position", "width": 3}, {"kind": [], "width": 1}),
]


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: repr(value)[:40])
def test_a_consistent_file_with_a_foreign_description_is_read_or_refused(file: Path, value: Any) -> None:
    """Checksums all fit here, as in a file that someone made on purpose."""
    whole = file.read_bytes()
    start, _ = _header(whole)
    document = Member(file).facts
    tried = 0
    for place in _places(document):
        changed = _replaced(document, place, value)
        try:
            file.write_bytes(container.header_bytes(changed) + whole[start:])
        except (TypeError, KeyError, ValueError, AttributeError):
            continue  # no header belongs to such a document
        tried += 1
        try:
            read = Member(file)
            read.verify()
            read.scores()
            read.buffers()
            read.parameters()
        except ArchiveError:
            continue
        assert changed["layers"][0]["shape"] == [2, 4]
    assert tried or value == "\ud800"


def test_a_missing_part_is_named(file: Path) -> None:
    whole = file.read_bytes()
    start, _ = _header(whole)
    document = Member(file).facts
    for key in ("layers", "base", "population", "index"):
        changed = {name: value for name, value in document.items() if name != key}
        file.write_bytes(container.header_bytes(changed) + whole[start:])
        with pytest.raises(ArchiveError, match=rf"incomplete description \(KeyError: '{key}'\)"):
            Member(file)


HEADERS = [
    (b"", "file of 0 bytes is not a member file"),
    (b"\0" * 7, "file of 7 bytes is not a member file"),
    (struct.pack("<Q", 0), "not a masklab member file"),
    (struct.pack("<Q", 2) + b"{}", "no readable masklab document"),
    (struct.pack("<Q", 2) + b"[]", "no readable masklab document"),
    (struct.pack("<Q", 10**5) + b"[" * 10**5, "no readable masklab document"),
    (struct.pack("<Q", 2**63) + b"{}", "header of 9223372036854775808 bytes; at most 67108864"),
    (struct.pack("<Q", container.HEADER_LIMIT) + b"{}", "file ends inside its header"),
]


@pytest.mark.parametrize(("data", "message"), HEADERS)
def test_another_header_is_refused(file: Path, data: bytes, message: str) -> None:
    file.write_bytes(data)
    with pytest.raises(ArchiveError, match=message):
        Member(file)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"format": 2, "tensors": {}}, r"format 2 is not known here; known: 1 \(a newer masklab reads it\)"),
        ({"tensors": {}}, "its document names no format"),
        ({"format": 1, "tensors": {}}, "incomplete description"),
    ],
)
def test_another_document_is_refused(file: Path, document: dict[str, Any], message: str) -> None:
    file.write_bytes(container.header_bytes(document))
    with pytest.raises(ArchiveError, match=message):
        Member(file)


def test_a_file_of_the_library_itself_is_foreign(file: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"mask/fc": np.zeros(3, dtype=np.uint8)}, file)
    with pytest.raises(ArchiveError, match="no readable masklab document"):
        Member(file)


@pytest.mark.parametrize(
    ("name", "message"), [("no", "does not exist"), ("", "cannot read .*Is a directory")]
)
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        Member(tmp_path / name)


def test_types_outside_the_closed_list_cannot_be_written() -> None:
    with pytest.raises(ArchiveError, match="cannot hold tensors of type float64"):
        container.describe({"score/fc": np.zeros(3)})
