"""The same of every kind of place: a local folder, memory, an object store, a remote file system."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from upath import UPath

from masklab.archive import files
from masklab.errors import ArchiveError

from .conftest import Server

KINDS = ("local", "memory", "s3", "share")
REMOTE = KINDS[1:]
_numbers = count()


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> files.Location:
    """An empty place; a `share` is remote, knows folders, and is written by way of temporaries."""
    number = next(_numbers)
    if request.param == "s3":
        return files.location(f"{server.bucket(f'files-{number}')}/some/where")
    if request.param == "memory":
        return files.location(f"memory://files-{number}/where")
    return tmp_path if request.param == "local" else UPath(f"local://{tmp_path}")


every_place = pytest.mark.parametrize("place", KINDS, indirect=True)
remote_places = pytest.mark.parametrize("place", REMOTE, indirect=True)


@every_place
def test_what_is_written_is_there_whole(place: files.Location) -> None:
    stored = {"a": b"one", "b c+d.json": b"\0" * 3000, "empty": b""}
    for name, content in stored.items():
        files.write_atomic(place / "deep" / name, b"before, and longer" * 300)
        files.write_atomic(place / "deep" / name, content)
    assert {name: files.read(place / "deep" / name) for name in stored} == stored
    assert files.listing(place / "deep").keys() == stored.keys()
    files.write_json(place / "deep" / "a", {"b": [1, "é"]})
    assert files.read_json(place / "deep" / "a") == {"b": [1, "é"]}


@every_place
def test_parts_are_read_as_they_are_asked_for(place: files.Location) -> None:
    content = bytes(range(256)) * 4
    files.write_atomic(place / "file", content)
    with files.reading(place / "file") as source:
        assert source.size == 1024
        for offset, length in ((0, 1), (0, 1024), (0, 9999), (5, 0), (1000, 24), (1000, 99), (1023, 1)):
            assert source.read(offset, length) == content[offset : offset + length]


@every_place
def test_a_listing_is_of_files_and_changes_when_one_is_replaced(place: files.Location) -> None:
    assert files.listing(place / "folder") == {}
    for name in ("a", "b", "deeper/c"):
        files.write_atomic(place / "folder" / name, b"one")
    before = files.listing(place / "folder")
    assert before.keys() == {"a", "b"}
    files.write_atomic(place / "folder" / "a", b"two")
    files.remove(place / "folder" / "b")
    files.write_hint(place / "folder" / "d", b"")
    after = files.listing(place / "folder")
    assert after.keys() == {"a", "d"}
    assert after["a"] != before["a"]
    assert files.listing(place / "folder") == after
    assert files.listing(place).keys() == set()


@every_place
def test_what_is_there_exists(place: files.Location) -> None:
    for path in (place / "folder", place / "folder" / "file"):
        assert not files.exists(path)
    files.write_atomic(place / "folder" / "file", b"one")
    for path in (place / "folder", place / "folder" / "file"):
        assert files.exists(path)
    assert not files.exists(place / "folder" / "fil")
    files.remove(place / "folder" / "file")
    files.remove(place / "folder" / "file")
    assert not files.exists(place / "folder" / "file")


@every_place
def test_what_is_missing_is_named(place: files.Location) -> None:
    def part(path: files.Location) -> None:
        with files.reading(path) as source:
            source.read(0, 10)

    def size(path: files.Location) -> None:
        with files.reading(path) as source:
            assert source.size < 0

    for look in (files.read, files.read_json, part, size):
        with pytest.raises(ArchiveError, match=r"missing does not exist$") as caught:
            look(place / "missing")
        assert str(caught.value).startswith(str(place))


@remote_places
def test_a_remote_place_has_no_lock_and_no_folders_to_tidy(place: files.Location) -> None:
    with files.locked(place) as held:
        assert not held
    files.write_atomic(place / "file", b"")
    files.refuse_file(place / "file")
    files.remove_empty(place)
    assert files.exists(place / "file")


@every_place
def test_a_write_leaves_nothing_else(place: files.Location, tmp_path: Path) -> None:
    files.write_atomic(place / "file", b"one")
    files.write_atomic(place / "file", b"two")
    assert files.listing(place).keys() == {"file"}
    if not list(tmp_path.iterdir()):
        return
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


@pytest.mark.parametrize("place", ["memory", "s3"], indirect=True)
def test_object_stores_have_no_temporaries(place: files.Location) -> None:
    files.write_atomic(place / ".masklab-1.tmp", b"a file of somebody else")
    assert files.sweep_temporaries(place, older_than_s=-1e6) == 0
    assert files.exists(place / ".masklab-1.tmp")


def test_only_what_every_process_sees_has_several_workers(tmp_path: Path) -> None:
    assert files.workers(tmp_path, 4) == files.workers(files.location("s3://bucket/a"), 4) == 4
    assert files.workers(files.location("memory://a"), 4) == 1


def test_one_write_is_one_request_and_one_listing_too(server: Server) -> None:
    place = files.location(f"{server.bucket('requests')}/a")
    server.requests()

    def asked(action: Callable[[], Any]) -> list[str]:
        action()
        return [" ".join(request.split()[:2]).partition("?")[0] for request in server.requests()]

    assert asked(lambda: files.write_atomic(place / "f", b"1" * 10**5)) == ["PUT /requests/a/f"]
    assert asked(lambda: files.listing(place)) == ["GET /requests"]
    assert asked(lambda: files.exists(place / "f")) == ["HEAD /requests/a/f"]
    assert asked(lambda: files.remove(place / "f")) == ["DELETE /requests/a/f"]
    files.write_atomic(place / "f", b"1" * 10**5)
    server.requests()
    with files.reading(place / "f") as source:
        assert asked(lambda: source.read(5, 10)) == ["GET /requests/a/f"]
        assert asked(lambda: source.size) == ["HEAD /requests/a/f"]
        assert asked(lambda: source.size) == []


def test_what_another_process_wrote_is_seen(server: Server) -> None:
    place = files.location(f"{server.bucket('others')}/a")
    other = UPath(str(place), skip_instance_cache=True)
    files.write_atomic(place / "f", b"1")
    assert files.listing(place).keys() == {"f"}
    assert not files.exists(place / "g")
    files.write_atomic(other / "f", b"22")
    files.write_atomic(other / "g", b"333")
    files.listing(other)
    with files.reading(place / "f") as source:
        assert source.size == 2
    assert files.exists(place / "g")
    assert files.listing(place).keys() == {"f", "g"}
    files.remove(other / "f")
    assert not files.exists(place / "f")
    assert files.listing(place).keys() == {"g"}


ACTIONS: dict[str, Callable[[files.Location], Any]] = {
    "write": lambda place: files.write_atomic(place / "f", b"1"),
    "read": lambda place: files.read(place / "f"),
    "list": files.listing,
    "look for": lambda place: files.exists(place / "f"),
    "remove": lambda place: files.remove(place / "f"),
}


@pytest.mark.parametrize("verb", ACTIONS)
def test_a_refusal_is_one_line(server: Server, verb: str) -> None:
    bucket = f"refusing-{list(ACTIONS).index(verb)}"
    place = files.location(f"{server.bucket(bucket)}/a")
    with server.failing(refused=bucket), pytest.raises(ArchiveError) as caught:
        ACTIONS[verb](place)
    assert str(caught.value).startswith(f"cannot {verb} s3://{bucket}/a")
    assert str(caught.value).endswith(": Forbidden")


@pytest.mark.usefixtures("server")
def test_a_bucket_that_is_not_there() -> None:
    place = files.location("s3://no-such-bucket/a")
    with pytest.raises(ArchiveError, match=r"^cannot write s3://no-such-bucket/a/f: The specified bucket"):
        ACTIONS["write"](place)
    with pytest.raises(ArchiveError, match=r"^s3://no-such-bucket/a/f does not exist$"):
        ACTIONS["read"](place)


@pytest.mark.parametrize("verb", ACTIONS)
@pytest.mark.usefixtures("server")
def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    place = UPath("s3://bucket/a", skip_instance_cache=True)
    with pytest.raises(ArchiveError, match=f"^cannot {verb} s3://bucket/a.*: Unable to locate credentials"):
        ACTIONS[verb](place)


@pytest.mark.parametrize("verb", ACTIONS)
@pytest.mark.usefixtures("server")
def test_a_server_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    nobody = "http://127.0.0.1:9"
    place = UPath("s3://bucket/a", skip_instance_cache=True, endpoint_url=nobody)
    with pytest.raises(ArchiveError, match=f"^cannot {verb} s3://bucket/a.*: Could not connect .*{nobody}"):
        ACTIONS[verb](place)
    files.write_hint(place / "f", b"1")


def test_secrets_in_a_failure_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no way to\nftp://me:secret@host/a")

    monkeypatch.setattr(LocalFileSystem, "pipe_file", refuse)
    with pytest.raises(ArchiveError, match=r"^cannot write local:///a/f: no way to ftp://host/a$"):
        files.write_atomic(UPath("local:///a") / "f", b"1")


def test_a_server_that_fails_now_and_then_is_asked_again(server: Server) -> None:
    place = files.location(f"{server.bucket('failing')}/a")
    server.requests()
    with server.failing(share=0.2, seed=3):
        for number in range(12):
            files.write_json(place / f"{number}.json", [number])
        assert files.listing(place).keys() == {f"{number}.json" for number in range(12)}
        assert [files.read_json(place / f"{number}.json") for number in range(12)] == [
            [number] for number in range(12)
        ]
    failed = [request for request in server.requests() if len(request.split()) > 2]
    assert len(failed) >= 5, json.dumps(failed)
