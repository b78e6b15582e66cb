"""Locks between processes, and what happens where there can be none."""

import contextlib
import errno
import fcntl
import math
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from masklab.archive import files, local
from masklab.errors import ArchiveError

CLAIM = """
import sys
from pathlib import Path
from masklab.archive import files
print("asks", flush=True)
with files.claimed(Path(sys.argv[1]), wait=True) as mine:
    print(mine, flush=True)
    sys.stdin.readline()
"""

Process = subprocess.Popen[bytes]


@contextlib.contextmanager
def _claiming(lock: Path) -> Iterator[Process]:
    """A process that has asked for a claim and, once it has it, keeps it until it is told to end."""
    command = [sys.executable, "-c", CLAIM, str(lock)]
    with subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert _line(process) == "asks"
            yield process
        finally:
            process.kill()


def _line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def _is_silent(process: Process) -> bool:
    """Whether a process that has asked is kept waiting; were it not, it would say so at once."""
    assert process.stdout is not None
    return not select.select([process.stdout], [], [], 0.2)[0]


def test_whoever_does_not_wait_is_told_of_another_process(tmp_path: Path) -> None:
    lock = tmp_path / "checkpoints" / "a.lock"
    with _claiming(lock) as other:
        assert _line(other) == "True"
        with files.claimed(lock, wait=False) as mine:
            assert not mine
        with files.claimed(lock.with_name("b.lock"), wait=False) as mine:
            assert mine
        other.communicate(b"\n")
        assert other.returncode == 0
    with files.claimed(lock, wait=False) as mine:
        assert mine


def test_whoever_waits_gets_the_claim_of_a_killed_process(tmp_path: Path) -> None:
    lock = tmp_path / "checkpoints" / "a.lock"
    with _claiming(lock) as first, contextlib.ExitStack() as stack:
        assert _line(first) == "True"
        waiting = stack.enter_context(_claiming(lock))
        assert _is_silent(waiting)
        first.send_signal(signal.SIGKILL)
        assert _line(waiting) == "True"
        assert first.wait() == -signal.SIGKILL
        with files.claimed(lock, wait=False) as mine:
            assert not mine


def test_a_folder_has_one_lock(tmp_path: Path) -> None:
    with files.locked(tmp_path / "new") as held, _claiming(tmp_path / "new" / ".lock") as other:
        assert held
        assert _is_silent(other)


def _refusing(failure: BaseException) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> None:
        raise failure

    return refuse


LOCKLESS = [
    OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)),
    OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP)),
    OSError(errno.EPERM, os.strerror(errno.EPERM)),
    NotImplementedError(),
]


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("failure", LOCKLESS, ids=repr)
def test_where_nothing_can_be_locked_work_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, wait: bool
) -> None:
    monkeypatch.setattr(fcntl, "flock", _refusing(failure))
    with local.locked(tmp_path / "a.lock", wait) as hold:
        assert hold is local.Hold.IMPOSSIBLE
    with files.claimed(tmp_path / "a.lock", wait=wait) as mine:
        assert mine
    with files.locked(tmp_path) as held:
        assert not held


def _opening(monkeypatch: pytest.MonkeyPatch, before: Callable[[str], None]) -> None:
    """Let something happen before a lock's file is opened."""
    opened = os.open

    def instead(path: Any, *arguments: Any, **options: Any) -> int:
        if os.fspath(path).endswith("lock"):
            before(os.fspath(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", instead)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_read_only_folder_without_a_lock_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    _opening(monkeypatch, _refusing(OSError(number, os.strerror(number))))
    with files.locked(tmp_path) as held:
        assert not held
    with files.claimed(tmp_path / "a.lock", wait=False) as mine:
        assert mine


def test_a_lock_that_fails_otherwise_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", _refusing(OSError(errno.EIO, os.strerror(errno.EIO))))
    with pytest.raises(ArchiveError) as caught, files.claimed(tmp_path / "a.lock", wait=True):
        pass
    assert str(caught.value) == f"cannot lock {tmp_path / 'a.lock'}: Input/output error"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(ArchiveError, match=f"^cannot make {folder}: "), files.locked(folder):
            pass


def _removing(monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """Let another process remove a lock's empty folder so many times, each time before the lock is opened."""
    left = times

    def remove(path: str) -> None:
        nonlocal left
        if left:
            left -= 1
            Path(path).parent.rmdir()

    _opening(monkeypatch, remove)


@pytest.mark.parametrize("times", [1, 20])
def test_a_folder_that_goes_away_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    _removing(monkeypatch, times)
    lock = tmp_path / "checkpoints" / "a.lock"
    with files.claimed(lock, wait=True) as mine:
        assert mine
        assert lock.exists()


def test_a_folder_that_never_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _removing(monkeypatch, math.inf)
    lock = tmp_path / "checkpoints" / "a.lock"
    with pytest.raises(ArchiveError) as caught, files.claimed(lock, wait=True):
        pass
    assert str(caught.value) == f"cannot lock {lock}: its folder goes away again and again"


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_a_lock_is_made_for_those_whom_the_umask_allows(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with files.locked(tmp_path), files.claimed(tmp_path / "a.lock", wait=True):
            assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}
    finally:
        os.umask(before)


BOTH = """
import sys
from pathlib import Path
from masklab.archive import files
from masklab.errors import ArchiveError
folder = Path(sys.argv[1])
for lock in (lambda: files.locked(folder), lambda: files.claimed(folder / "a.lock", wait=False)):
    try:
        with lock() as held:
            print(held)
    except ArchiveError as error:
        print(error)
"""


def _without_privileges() -> list[str]:
    """What to start a program with, so that permissions bind it."""
    if os.geteuid() != 0:
        return []
    drop = ["setpriv", "--bounding-set", "-dac_override"]
    if shutil.which("setpriv") is None or subprocess.run([*drop, "true"], check=False).returncode:
        pytest.skip("root takes no notice of permissions, and setpriv cannot change that here")
    return drop


def test_a_lock_that_may_not_be_opened_is_an_error(tmp_path: Path) -> None:
    def told() -> list[str]:
        command = [*_without_privileges(), sys.executable, "-c", BOTH, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert told() == ["True", "True"]
    locks = [tmp_path / ".lock", tmp_path / "a.lock"]
    for lock in locks:
        lock.chmod(0o444)
    reason = "another user made it, and it may not be written; let its owner make it writable for the group"
    wanted = [f"cannot lock {lock}: {reason} (chmod g+w), or remove it when nobody uses it" for lock in locks]
    assert told() == wanted
    for lock in locks:
        lock.unlink()
    tmp_path.chmod(0o555)
    try:
        assert told() == ["False", "True"]
    finally:
        tmp_path.chmod(0o755)
