"""Files that someone made on purpose: their checksums fit, what they say does not."""

import copy
import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab.archive import Content, Member, container, description, encoding
from masklab.errors import ArchiveError

from . import changed, samples


@pytest.fixture(name="file", params=[samples.tiny, samples.tiny_with_everything])
def _file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    content: Content = request.param()
    (tmp_path / "member").write_bytes(encoding.encode(content))
    return tmp_path / "member"


def _body(data: bytes) -> bytes:
    return data[8 + struct.unpack("<Q", data[:8])[0] :]


def _places(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield from _places(value, (*place, key))


_GONE = object()


def _replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place, or without that place."""
    if not place:
        return {} if value is _GONE else value
    changed_document = copy.deepcopy(document)
    node = changed_document
    for key in place[:-1]:
        node = node[key]
    if value is _GONE:
        del node[place[-1]]
    else:
        node[place[-1]] = value
    return changed_document


STRANGE: list[Any] = [
    *(_GONE, None, True, -1, 0, 3, 3.5, 1e308, float("inf"), float("nan"), 2**40, 10**400),
    *("", "x", "../x", "\0", "\ud800", "gaps", "golomb", "F32", "BF16"),
    *([], {}, [1], [[1]], [-1, -2], [-2, -4], [2.0], [2.0, 4.0], [2**31, 2**31], [0, 2**70], [1] * 100),
    *({"a": 1}, {"kind": "event", "width": 1}, {"kind": "position", "width": 3}, {"kind": [], "width": 1}),
    *({"kind": "absent", "width": 0}, {"kind": "stored", "width": 0}),
]


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: "gone" if value is _GONE else repr(value)[:40])
def test_a_consistent_file_with_a_foreign_description_is_read_or_refused(file: Path, value: Any) -> None:
    whole = file.read_bytes()
    body, document = _body(whole), Member(file).facts
    for place in _places(document):
        described = _replaced(document, place, value)
        file.write_bytes(changed.header(described) + body)
        try:
            changed.read_everything(file)
        except ArchiveError:
            continue
        assert described["layers"][0]["shape"] == [2, 4]
        assert described["layers"][0]["kept"] == 4


def test_forged_files_of_sound_documents_are_read(file: Path) -> None:
    """Otherwise the other tests here would show nothing."""
    whole = file.read_bytes()
    assert changed.header(Member(file).facts) + _body(whole) == whole
    assert changed.forged(*changed.parts(whole)) == whole


def test_a_missing_part_is_named(file: Path) -> None:
    body, document = _body(file.read_bytes()), Member(file).facts
    for key in ("layers", "base", "population", "index"):
        described = {name: value for name, value in document.items() if name != key}
        file.write_bytes(changed.header(described) + body)
        with pytest.raises(ArchiveError, match=rf"incomplete description \(KeyError: '{key}'\)"):
            Member(file)


HEADERS = [
    (b"", "file of 0 bytes is not a member file"),
    (b"\0" * 7, "file of 7 bytes is not a member file"),
    (struct.pack("<Q", 0), "not a masklab member file"),
    (struct.pack("<Q", 2) + b"{}", "no readable masklab document"),
    (struct.pack("<Q", 2) + b"[]", "no readable masklab document"),
    (struct.pack("<Q", 3) + b'"\xff"', "no readable masklab document"),
    (struct.pack("<Q", 10**5) + b"[" * 10**5, "no readable masklab document"),
    (struct.pack("<Q", 2**63) + b"{}", "header of 9223372036854775808 bytes; at most 16777216"),
    (struct.pack("<Q", container.HEADER_LIMIT + 1) + b"{}", "header of 16777217 bytes; at most 16777216"),
    (struct.pack("<Q", container.HEADER_LIMIT) + b"{}", "file ends inside its header"),
]


@pytest.mark.parametrize(("data", "message"), HEADERS)
def test_another_header_is_refused(file: Path, data: bytes, message: str) -> None:
    file.write_bytes(data)
    with pytest.raises(ArchiveError, match=message):
        Member(file)


NEWER = r"format 3 needs masklab 0\.2\.0 or newer \(pip install 'masklab>=0\.2\.0'\); .* reads formats 1, 2$"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"format": 3, "reader": "0.2.0", "tensors": {}}, NEWER),
        ({"format": 3, "tensors": {}}, "format 3 is not known here; this masklab reads formats 1, 2$"),
        ({"format": 0, "reader": "0.2.0; rm", "tensors": {}}, "format 0 is not known here"),
        ({"format": 3, "reader": ["0.2.0"], "tensors": {}}, "format 3 is not known here"),
        ({"format": True, "tensors": {}}, "its document names no format"),
        ({"format": "2", "tensors": {}}, "its document names no format"),
        ({"tensors": {}}, "its document names no format"),
        ({"format": 1, "tensors": {}}, "incomplete description"),
        ({"format": 2, "tensors": {}}, "incomplete description"),
        ({"format": 2, "tensors": {"mask/fc": {"dtype": "I64", "shape": []}}}, "damaged header"),
        ({"format": 2}, "damaged header"),
        ({"format": 2, "tensors": [1]}, "damaged header"),
        ([], "its document names no format"),
        ("x", "its document names no format"),
    ],
)
def test_another_document_is_refused(file: Path, document: Any, message: str) -> None:
    file.write_bytes(changed.header(document))
    with pytest.raises(ArchiveError, match=message):
        Member(file)


def _text(file: Path) -> str:
    return changed.text_of(Member(file).facts)


TEXTS = {
    "not a number": lambda text: text.replace('"index":3', '"index":3,"more":NaN'),
    "a text that never ends": lambda text: text[:-1] + ',"x":"',
    "something behind": lambda text: text + "{}",
    "deep": lambda text: text.replace('"index":3', '"index":3,"more":' + "[" * 400 + "]" * 400),
    "half a pair": lambda text: text.replace('"population":"p"', '"population":"\\ud800"'),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_not_one_document_is_refused(file: Path, name: str) -> None:
    whole, text = file.read_bytes(), _text(file)
    assert TEXTS[name](text) != text
    file.write_bytes(changed.header(Member(file).facts, TEXTS[name](text)) + _body(whole))
    with pytest.raises(ArchiveError, match="no readable masklab document"):
        Member(file)


TWICE = {
    "a name twice": lambda text: text.replace('"index":3', '"index":4,"index":3'),
    "spaced": lambda text: text.replace('"index":3', '"index" :4,"index":3'),
    "one more spaced": lambda text: text.replace('"index":3', '"index":4,"index":3,"more" :1'),
    "in a layer": lambda text: text.replace('"kept":4', '"kept":5,"kept":4', 1),
    "once escaped": lambda text: text.replace('"index":3', '"\\u0069ndex":4,"index":3'),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_name_that_stands_twice_is_found(file: Path, name: str) -> None:
    """The last one counts, as for every other reader, and verifying refuses the file."""
    whole, text = file.read_bytes(), _text(file)
    file.write_bytes(changed.header(Member(file).facts, TWICE[name](text)) + _body(whole))
    stored = Member(file)
    assert (stored.facts["index"], stored.layers[0].kept) == (3, 4)
    with pytest.raises(ArchiveError, match="description is not in canonical form"):
        stored.verify()


@pytest.mark.parametrize("more", ['"x": 1', '"x":1e999', '"x":1.50', '"x":"\\u0061"', '"x":" :\\":"'])
def test_a_text_in_another_form_is_found(file: Path, more: str) -> None:
    whole, text = file.read_bytes(), _text(file)
    described = Member(file).facts
    file.write_bytes(changed.header(described, text[:-1] + "," + more + "}") + _body(whole))
    stored = Member(file)
    assert list(stored.mask()) == ["fc"]
    if more.endswith('":"'):  # a value that looks like names is none
        stored.verify()
        assert stored.facts["x"] == ' :":'
        return
    with pytest.raises(ArchiveError, match="description is not in canonical form"):
        stored.verify()


def test_two_tensors_of_one_name_or_one_place_are_refused(file: Path) -> None:
    whole = file.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    own = whole[8 : 8 + length].rstrip(b" ")
    entry = json.loads(own)["prediction/class"]
    again = json.dumps({"prediction/class": entry}, separators=(",", ":")).encode()[1:-1]
    begin, end = (str(offset).encode() for offset in entry["data_offsets"])
    moved = again.replace(b"[%b,%b]" % (begin, end), b"[0,2]")
    for other in (own[:-1] + b"," + again + b"}", own.replace(again, moved)):
        assert other != own
        padded = other + b" " * (-len(other) % 8)
        file.write_bytes(struct.pack("<Q", len(padded)) + padded + whole[8 + length :])
        with pytest.raises(ArchiveError, match="damaged header"):
            Member(file)


CONTENTS: list[tuple[dict[str, Any], str]] = [
    ({"population": "../x"}, "population '../x'; allowed: a-z 0-9"),
    ({"population": ".x"}, "population '.x'; allowed"),
    ({"population": 3}, "population 3 is not str"),
    ({"index": -1}, "index -1 is not a whole number from 0"),
    ({"index": 10**9}, "index 1000000000 is more than 999999999"),
    ({"events": 3}, "events 3 is not list"),
    ({"history": {"loss": [float("nan")]}}, "description that no member file can hold"),
    ({"history": {"loss": {1, 2}}}, "description that no member file can hold"),
    ({"note": "\ud800"}, "description that no member file can hold"),
    ({"note": "x" * container.HEADER_LIMIT}, "description of .* bytes; a member file takes 16777216"),
]


@pytest.mark.parametrize(("facts", "message"), CONTENTS, ids=[message for _, message in CONTENTS])
def test_facts_that_no_file_can_hold_are_not_written(facts: dict[str, Any], message: str) -> None:
    content = samples.tiny()
    with pytest.raises(ArchiveError, match=message):
        encoding.encode(replace(content, facts={**content.facts, **facts}))


def _of_shape(shape: tuple[int, ...], name: str = "fc") -> Content:
    drawn = {name: np.zeros(shape, dtype=bool)}
    return Content(facts={"population": "p", "index": 0}, recipe=None, masks=drawn, gains={}, base={})


LAYERS: list[tuple[Content, str]] = [
    (_of_shape((2, 0)), "axis of a layer 0 is not a whole number from 1"),
    (_of_shape((1,) * 33), "layer of 33 axes; at most 32"),
    (_of_shape((2,), "a/b"), "layer name 'a/b'; 1 to 255 characters, no slash or control character"),
    (_of_shape((2,), "a\nb"), r"layer name 'a\\nb'"),
    (_of_shape((2,), ""), "layer name ''"),
    (_of_shape((2,), "x" * 256), "layer name 'xxx"),
    (replace(_of_shape((2,)), base={"fc": np.zeros(2, dtype=np.float32)}), "'fc' has base weights from a"),
]


@pytest.mark.parametrize(("content", "message"), LAYERS, ids=[message for _, message in LAYERS])
def test_members_that_no_reader_would_take_are_not_written(content: Content, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        encoding.encode(content)


def test_types_outside_the_closed_list_cannot_be_written() -> None:
    with pytest.raises(ArchiveError, match="cannot hold tensors of type float64"):
        container.describe({"score/fc": np.zeros(3)})


def test_a_tensor_that_no_file_holds_is_refused() -> None:
    limit = 2**40
    for dtype, shape in (("U8", [limit + 1]), ("F32", [2**20, 2**20]), ("U8", [0, 2**70]), ("U8", [1] * 33)):
        document = {"format": 2, "tensors": {"buffer/x": {"dtype": dtype, "shape": shape}}}
        with pytest.raises(ArchiveError, match=r"tensor 'buffer/x' of shape .* at most 32 axes"):
            container.header_bytes(document)
    container.header_bytes({"format": 2, "tensors": {"buffer/x": {"dtype": "U8", "shape": [limit]}}})


def test_a_tensor_beyond_the_limit_of_members_is_refused(tmp_path: Path) -> None:
    (tmp_path / "member").write_bytes(encoding.encode(samples.tiny()))
    document = Member(tmp_path / "member").facts
    limit = description.TENSOR_LIMIT
    for dtype, shape in (("F32", [2**14, 2**13 + 1]), ("F32", [limit // 4 + 1])):
        entry = {"dtype": dtype, "shape": shape, "checksum": "0" * 64}
        with pytest.raises(ValueError, match=f"tensor 'buffer/x' of more than {limit} bytes"):
            description.read({**document, "tensors": {**document["tensors"], "buffer/x": entry}})
