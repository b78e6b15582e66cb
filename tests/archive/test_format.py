"""The member file, byte by byte: format 2 in full, format 1 as it was, and every way of damaging them."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab.archive import Content, Member, container, encoding
from masklab.errors import ArchiveError

from . import changed, formats, samples

GOLDEN_DOCUMENT = (
    '{"base":{"factor":0.5,"init":"kaiming-normal","level":1,"refresh_level":2,"seed":5},'
    '"digest":"7cfde0b0c627f487a5a7eae25b15a54250c7e327da608469b5b3c719d3d3a798","format":2,'
    '"index":3,"layers":[{"codec":"bitmap","gain":0.25,"kept":4,"name":"fc","origin":null,'
    '"shape":[2,4]}],"population":"p","reader":"0.1.0",'
    '"tensors":{"mask/fc":{"checksum":"8ed87357c0a84178bf1d608fe405b6d92820cd77a22db03c364c7c892cf849a0",'
    '"dtype":"U8","shape":[10]},'
    '"prediction/class":{"checksum":"99be5efb88ca2013bd8e4eb035fd42d5245468fe9afa70d8ba9c1c419a48c4e8",'
    '"dtype":"U8","shape":[2]},'
    '"prediction/probability":{"checksum":"1ee92086553f681aa659b09e09378023cc519e2c05fd52af4f6f1eca007af63d",'
    '"dtype":"F16","shape":[2,3]}}}'
)

GOLDEN_FILE = "d6fd25c748881e0486c6554ae39f45c0e4c2ba368f17fb54f759632d257f5510"

GOLDEN_DATA = "00000034003a003c0000000028b52ffd2001090000390200"

GOLDEN_FILE_WITH_EVERYTHING = "a66ca45d0a9feb70b89882ca69ea332ed8234258134376acebbb8a3a9ea96082"

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
    with file.open("r+b", buffering=0) as damaged:
        for length in reversed(range(len(whole))):
            damaged.truncate(length)
            assert _is_refused(file), f"{length} bytes"
    for more in (b"\0", b"\n", whole):
        file.write_bytes(whole + more)
        with pytest.raises(ArchiveError, match="its header promises"):
            Member(file)


def _every_hundredth() -> Content:
    drawn = {"fc": (np.arange(4096) % 100 == 0).reshape(64, 64)}
    return replace(samples.tiny(), masks=drawn, base=samples.base(drawn))


WRITTEN_1 = {
    "tiny": samples.tiny(),
    "everything": samples.tiny_with_everything(),
    "gaps": _every_hundredth(),
}


@pytest.mark.parametrize("name", formats.FORMAT_1)
def test_files_of_format_1_stay_readable(tmp_path: Path, name: str) -> None:
    path, content = tmp_path / "member", WRITTEN_1[name]
    path.write_bytes(formats.format_1(name))
    stored = changed.read_everything(path)
    assert stored.facts["format"] == 1
    assert "reader" not in stored.facts
    assert stored.id == "p/0003"
    assert stored.recipe == content.recipe
    assert stored.snapshots == sorted(content.snapshots)
    assert stored.layers[0].codec == ("gaps" if name == "gaps" else "bitmap")
    for found, written in (
        (stored.mask(), content.masks),
        (stored.weights(), content.base),
        (stored.buffers(), content.buffers),
        (stored.parameters(), content.parameters),
        *((stored.snapshot(epoch), masks) for epoch, masks in content.snapshots.items()),
    ):
        assert list(found) == list(written)
        for key, values in written.items():
            np.testing.assert_array_equal(found[key], values)
    np.testing.assert_array_equal(stored.prediction(), content.prediction)
    np.testing.assert_array_equal(stored.probability(), content.probability)


def test_format_2_differs_from_format_1_in_its_description_alone(tmp_path: Path) -> None:
    for name, content in WRITTEN_1.items():
        old, new = formats.format_1(name), encoding.encode(content)
        (document, tensors), (newer, same) = changed.parts(old), changed.parts(new)
        assert newer == {**document, "format": 2, "reader": encoding.READER}
        assert tensors == same


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
