"""Places that are written by way of a temporary that is moved, and what their systems may do wrong.

A `share` is fsspec's local file system, which is treated as remote; its methods behave as those of others.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from upath import UPath

from masklab.archive import files
from masklab.errors import ArchiveError


@pytest.fixture
def place(tmp_path: Path) -> UPath:
    """An empty share."""
    return UPath(f"local://{tmp_path}")


def _refuse(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("method", ["pipe_file", "mv", "makedirs"])
def test_a_failed_write_leaves_what_was_there(
    place: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    files.write_atomic(place / "file", b"old")
    monkeypatch.setattr(LocalFileSystem, method, _refuse)
    with pytest.raises(ArchiveError, match=f"^cannot write {place / 'file'}: No space left on device$"):
        files.write_atomic(place / "file", b"new")
    files.write_hint(place / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


SIZES = [5, 10**5]
"""Of files that are read again as a whole, and of those whose length alone is looked at."""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("told", [False, True])
def test_a_place_whose_moves_do_not_replace_says_so(
    place: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, told: bool
) -> None:
    def move(_: object, old: str, new: str) -> None:
        if not Path(new).exists():
            Path(old).rename(new)
        elif told:  # as SMB does; WebHDFS answers `false`, which its client does not look at
            raise OSError(errno.EEXIST, "NtStatus 0xc0000035")

    monkeypatch.setattr(LocalFileSystem, "mv", move)
    files.write_atomic(place / "file", b"1" * size)
    with pytest.raises(ArchiveError) as caught:
        files.write_atomic(place / "file", b"2" * size)
    reason = "it is there already, and a move does not replace a file at this place"
    assert str(caught.value) == f"cannot write {place / 'file'}: {reason}"
    assert (tmp_path / "file").read_bytes() == b"1" * size
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


MOVES: list[tuple[int, Callable[[bytes], bytes | None], str]] = [
    (5, lambda data: data[:-1], "4 bytes are there after the move, not the 5 bytes written"),
    (10**5, lambda data: data[:-1], "99999 bytes are there after the move, not the 100000 bytes written"),
    (10**5, lambda _: None, "nothing is there after the move, not the 100000 bytes written"),
    (5, lambda data: data[::-1], "another content is there after the move than was written"),
]


@pytest.mark.parametrize(("size", "spoil", "message"), MOVES)
def test_what_a_move_leaves_is_looked_at(
    place: UPath,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    spoil: Callable[[bytes], bytes | None],
    message: str,
) -> None:
    def move(_: object, old: str, new: str) -> None:
        spoilt = spoil(Path(old).read_bytes())
        Path(old).unlink()
        if spoilt is not None:
            Path(new).write_bytes(spoilt)

    monkeypatch.setattr(LocalFileSystem, "mv", move)
    with pytest.raises(ArchiveError) as caught:
        files.write_atomic(place / "file", b"12345" * (size // 5))
    assert str(caught.value) == f"cannot write {place / 'file'}: {message}"
    assert not list(tmp_path.rglob(".masklab-*"))


def test_a_move_may_be_a_copy(place: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalFileSystem, "mv", AbstractFileSystem.mv)
    for size in SIZES:
        for content in (b"1", b"2"):
            files.write_atomic(place / "file", content * size)
            assert (tmp_path / "file").read_bytes() == content * size
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_a_system_says_with_a_number_is_missing(place: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    class StatusError(OSError):
        """Not a `FileNotFoundError` whatever its number, as with SMB."""

    number = errno.ENOENT

    def info(*_: object, **__: object) -> None:
        raise StatusError(number, "NtStatus 0xc0000034")

    monkeypatch.setattr(LocalFileSystem, "info", info)
    assert not files.exists(place / "file")
    with files.reading(place / "file") as source, pytest.raises(ArchiveError, match=r"file does not exist$"):
        assert source.size < 0
    number = errno.EACCES
    with pytest.raises(ArchiveError, match=r"^cannot look for .*/file: NtStatus 0xc0000034$"):
        files.exists(place / "file")


@pytest.mark.parametrize(
    ("said", "telling"),
    [
        ({}, None),
        ({"size": 3}, None),
        ({"size": 3, "ino": 5, "mode": 33188, "mtime": None}, None),
        ({"mtime": 17.5}, "mtime"),
        ({"size": 3, "modificationTime": 1700000000000}, "modificationTime"),
        ({"size": 3, "ETag": '"1b2cf535f27731c974343645a3985328"'}, "ETag"),
        ({"size": 3, "version": 2}, "version"),
    ],
)
def test_where_nothing_but_a_size_is_told_every_listing_differs(
    place: UPath, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], telling: str | None
) -> None:
    entry = {"name": place.path + "/file", "type": "file", **said}
    monkeypatch.setattr(LocalFileSystem, "ls", lambda *_, **__: [entry])
    seen = [files.listing(place)["file"] for _ in range(5)]
    assert len(set(seen)) == (5 if telling is None else 1)
    if telling is not None:
        entry[telling] = f"{said[telling]}1"
        assert files.listing(place)["file"] != seen[0]


@pytest.mark.parametrize("method", ["find", "modified", "rm_file"])
@pytest.mark.parametrize("failure", [NotImplementedError, OSError, RuntimeError])
def test_sweeping_that_fails_ends_nothing(
    place: UPath,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    failure: type[Exception],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure("not here")

    (tmp_path / ".masklab-1.tmp").touch()
    os.utime(tmp_path / ".masklab-1.tmp", (1000, 1000))
    monkeypatch.setattr(LocalFileSystem, method, fail)
    assert files.sweep_temporaries(place) == 0
    monkeypatch.undo()
    assert files.sweep_temporaries(place) == 1


def test_old_temporaries_are_swept_where_there_are_any(place: UPath, tmp_path: Path) -> None:
    names = (".masklab-1.tmp", "a/.masklab-2.tmp", "a/.masklab-3.tmp", "a/results.tmp", ".masklab-4")
    (tmp_path / "a").mkdir()
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    (tmp_path / names[2]).touch()
    assert files.sweep_temporaries(place) == 2
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == sorted(
        {*names} - {*names[:2]}
    )
    assert files.sweep_temporaries(place / "none") == 0
