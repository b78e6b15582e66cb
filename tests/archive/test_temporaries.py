"""Temporaries that nobody will rename any more, and those that somebody will."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from masklab.archive import files

WRITE = """
import os, signal, sys
from pathlib import Path
from masklab.archive import files
def stop(_):
    os.write(1, b"writes")
    signal.pause()
os.fsync = stop
files.write_atomic(Path(sys.argv[1]), b"new")
"""


def test_only_old_temporaries_are_swept(tmp_path: Path) -> None:
    old, recent = tmp_path / "a" / ".masklab-1.tmp", tmp_path / ".masklab-2.tmp"
    other = tmp_path / "a" / "results.tmp"
    old.parent.mkdir()
    for file in (old, recent, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (1000, 1000))
    assert files.sweep_temporaries(tmp_path) == 1
    assert not old.exists()
    assert recent.exists()
    assert other.exists()


def test_the_temporary_of_a_dead_process_goes_at_once(tmp_path: Path) -> None:
    target = tmp_path / "members" / "file"
    with subprocess.Popen([sys.executable, "-c", WRITE, str(target)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.read(6) == b"writes"
        (stray,) = target.parent.iterdir()
        assert files.sweep_temporaries(tmp_path) == 0
        assert stray.exists()
        writer.kill()
    assert files.sweep_temporaries(tmp_path) == 1
    assert list(target.parent.iterdir()) == []


def test_the_temporary_of_another_machine_stays_until_it_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchmod", lambda *_: seen.extend(tmp_path.glob(".masklab-*.tmp")))
    seen: list[Path] = []
    files.write_atomic(tmp_path / "file", b"new")
    here, number, rest = seen[0].name.removeprefix(".masklab-").split("-", 2)
    assert number == str(os.getpid())
    other = ("0" if here[0] != "0" else "1") + here[1:]
    stays = [f"{other}-{2**22 + 1}-{rest}", f"{here}-1-{rest}", f"{here}-{10**30}-{rest}", f"{here}-x-{rest}"]
    for name in [f"{here}-{2**22 + 1}-{rest}", *stays]:  # the first one's number is more than Linux gives
        (tmp_path / f".masklab-{name}").touch()
    assert files.sweep_temporaries(tmp_path) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"file", *(f".masklab-{name}" for name in stays)}
    for hours, swept in ((0.9, 0), (1.1, 4)):
        changed = time.time() - 3600 * hours
        for path in tmp_path.glob(".masklab-*"):
            os.utime(path, (changed, changed))
        assert files.sweep_temporaries(tmp_path) == swept
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_may_go_away_while_temporaries_are_swept(tmp_path: Path) -> None:
    (tmp_path / "members").mkdir()
    (tmp_path / "members" / f".masklab-other-1-{'x' * 8}.tmp").touch()
    made, ended = 0, threading.Event()

    def come_and_go() -> None:
        nonlocal made
        while not ended.is_set():
            for number in range(20):
                (tmp_path / f"checkpoints-{number}" / "deeper").mkdir(parents=True)
            for number in range(20):
                shutil.rmtree(tmp_path / f"checkpoints-{number}")
            made += 1

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        while made < 50 and thread.is_alive():
            assert files.sweep_temporaries(tmp_path) == 0
    finally:
        ended.set()
        thread.join()
    assert made >= 50
    assert files.sweep_temporaries(tmp_path, older_than_s=-1.0) == 1


def _refuse(number: int) -> Any:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EACCES])
def test_sweeping_that_fails_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / ".masklab-1.tmp").touch()
    for function in ("os.scandir", "pathlib.Path.stat", "pathlib.Path.unlink"):
        with monkeypatch.context() as patch:
            patch.setattr(function, _refuse(number))
            assert files.sweep_temporaries(tmp_path, older_than_s=-1.0) == 0
    assert files.sweep_temporaries(tmp_path, older_than_s=-1.0) == 1


def test_temporaries_have_the_names_that_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(tmp_path.glob(".masklab-*.tmp")))
    files.write_atomic(tmp_path / "file", b"new")
    assert len(seen) == 1
