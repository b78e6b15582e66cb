import errno
import inspect
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.archive import files
from masklab.errors import ArchiveError


def _refuse(number: int) -> Any:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def test_a_file_appears_whole_with_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file"
    files.write_atomic(target, b"one")
    files.write_atomic(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_atomic(tmp_path / "file", b"one")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


FAILURES = [
    ("os.fsync", errno.ENOSPC, "No space left on device"),
    ("os.fsync", errno.EIO, "Input/output error"),
    ("pathlib.Path.replace", errno.EACCES, "Permission denied"),
    ("tempfile.mkstemp", errno.EROFS, "Read-only file system"),
    ("os.fchmod", errno.EPERM, "Operation not permitted"),
]


@pytest.mark.parametrize(("function", "number", "message"), FAILURES)
def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, message: str
) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    monkeypatch.setattr(function, _refuse(number))
    with pytest.raises(ArchiveError, match=f"cannot write {target}: {message}"):
        files.write_atomic(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_data_is_on_the_disk_before_the_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("fsync"), fsync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda path, to: (order.append("replace"), replace(path, to))[1])
    files.write_atomic(tmp_path / "file", b"new")
    assert order == ["fsync", "replace", "fsync"]  # the data, the name, the folder that holds the name


def test_an_interrupt_leaves_no_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomic(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"no folder")
    with pytest.raises(ArchiveError, match="cannot write"):
        files.write_atomic(tmp_path / "folder" / "file", b"new")


def test_everything_public_is_listed() -> None:
    public = {
        name
        for name, thing in vars(files).items()
        if inspect.isfunction(thing) and thing.__module__ == files.__name__ and not name.startswith("_")
    }
    assert public <= set(files.__all__)
    assert all(hasattr(files, name) for name in files.__all__)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(documents)
def test_canonical_json_is_one_text_per_document(document: Any) -> None:
    text = files.canonical_json(document)
    assert json.loads(text) == document
    assert files.canonical_json(json.loads(text)) == text
    if isinstance(document, dict):
        assert files.canonical_json(dict(reversed(document.items()))) == text


def test_canonical_json_is_sorted_and_dense() -> None:
    assert (
        files.canonical_json({"b": [1, 2.5, None], "a": {"é": True}}) == '{"a":{"é":true},"b":[1,2.5,null]}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_undefined_is_never_a_number(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical_json([value])
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "file.json", [value])
    assert list(tmp_path.iterdir()) == []


def test_documents_for_people_keep_their_order_and_any_file_name(tmp_path: Path) -> None:
    document = {"b": 1, "a": [os.fsdecode(b"caf\xe9"), "café"]}
    files.write_json(tmp_path / "file.json", document)
    assert files.read_json(tmp_path / "file.json") == document
    assert (tmp_path / "file.json").read_text(encoding="utf-8") == (
        '{\n "b": 1,\n "a": [\n  "caf\\udce9",\n  "café"\n ]\n}\n'
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [(None, "does not exist"), (b"", "is not JSON"), (b"{", "is not JSON"), (b"[" * 10**5, "is not JSON")],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, data: bytes | None, message: str) -> None:
    file = tmp_path / "file.json"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ArchiveError, match=f"{file} {message}"):
        files.read_json(file)
    with pytest.raises(ArchiveError, match=f"cannot read {tmp_path}: Is a directory"):
        files.read_json(tmp_path)


def test_a_listing_follows_links_and_leaves_out_what_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"one")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "nowhere").symlink_to("missing")
    (tmp_path / "elsewhere").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")  # whoever opened it would wait for ever
    found = files.listing(tmp_path)
    assert found.keys() == {"file", "link"}
    assert found["file"] == found["link"]
    before = (tmp_path / "file").stat()
    files.write_atomic(tmp_path / "file", b"two")
    os.utime(tmp_path / "file", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files.listing(tmp_path)["file"] != found["file"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    files.refuse_file(tmp_path)
    files.refuse_file(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match=f"{tmp_path / 'file'} is not a directory"):
        files.refuse_file(tmp_path / "file")
    with pytest.raises(ArchiveError, match=f"cannot list {tmp_path / 'file'}: Not a directory"):
        files.listing(tmp_path / "file")


def test_only_empty_folders_are_removed(tmp_path: Path) -> None:
    for name in ("empty", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").touch()
    for name in ("empty", "full", "missing"):
        files.remove_empty(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize(
    ("function", "verb", "call"),
    [
        ("os.scandir", "list", files.listing),
        ("pathlib.Path.exists", "look for", files.exists),
        ("pathlib.Path.unlink", "remove", files.remove),
        ("pathlib.Path.read_bytes", "read", files.read),
    ],
)
def test_what_the_system_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, verb: str, call: Any
) -> None:
    monkeypatch.setattr(function, _refuse(errno.EACCES))
    with pytest.raises(ArchiveError, match=f"^cannot {verb} {tmp_path}: Permission denied$"):
        call(tmp_path)


def test_a_hint_that_cannot_be_written_is_nobodys_concern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_hint(tmp_path / "folder" / "hint", b"1/2")
    monkeypatch.setattr("pathlib.Path.write_bytes", _refuse(errno.ENOSPC))
    files.write_hint(tmp_path / "folder" / "hint", b"2/2")
    assert (tmp_path / "folder" / "hint").read_bytes() == b"1/2"
