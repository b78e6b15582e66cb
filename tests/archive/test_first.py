"""Files that only the first of several processes writes."""

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import upath

from masklab.archive import files, first
from masklab.errors import ArchiveError


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> files.Location:
    if request.param == "local":
        return tmp_path / "deep" / "plan.json"
    return files.location(f"memory://{tmp_path.name}/plan.json")


def test_the_second_leaves_what_is_there(place: files.Location) -> None:
    assert first.write_json(place, {"a": 1})
    assert not first.write_json(place, {"a": 2})
    assert files.read_json(place) == {"a": 1}


def test_of_many_at_once_one_writes(tmp_path: Path) -> None:
    path, wrote, ready = tmp_path / "plan.json", [], threading.Barrier(8)

    def write(number: int) -> None:
        ready.wait()
        if first.write_json(path, {"by": number}):
            wrote.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrote == [files.read_json(path)["by"]]
    assert [own.name for own in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_places_without_links_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    assert first.write_json(tmp_path / "plan.json", [1])
    assert not first.write_json(tmp_path / "plan.json", [2])
    assert files.read_json(tmp_path / "plan.json") == [1]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ArchiveError, match=r"cannot write .*plan\.json: No space left on device"):
        first.write_json(tmp_path / "plan.json", [1])
    assert list(tmp_path.iterdir()) == []


def test_stores_without_conditions_are_written_all_the_same_and_failures_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = files.location(f"memory://{tmp_path.name}/plan.json")
    assert isinstance(place, upath.UPath)
    really = type(place.fs).pipe_file

    def unconditional(*given: Any, **options: Any) -> None:
        if options:
            raise TypeError("unexpected keyword argument 'mode'")
        really(*given)

    monkeypatch.setattr(type(place.fs), "pipe_file", unconditional)
    assert first.write_json(place, [1])
    assert not first.write_json(place, [2])
    assert files.read_json(place) == [1]

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no\nroom")

    monkeypatch.setattr(type(place.fs), "pipe_file", refuse)
    with pytest.raises(ArchiveError, match=r"cannot write memory://.*: no room"):
        first.write_json(place.parent / "other.json", [1])
