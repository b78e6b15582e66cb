"""Writers that are killed, and file systems that are full: a member is whole, as it was, or absent.

A helper process without threads forks one writer after the other and kills it at a random moment.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab.archive import Content, Member, encoding, files, member
from masklab.errors import ArchiveError

from . import samples

KILLS = 60
SHAPES = {"fc": (100, 200)}


def _content(index: int, version: int) -> Content:
    """A member of about 85 kB; every version differs."""
    number = 1000 * index + version
    plain = samples.content("p", index, samples.masks(number, 0.3, SHAPES), version=version)
    scores = np.random.RandomState(number).standard_normal(SHAPES["fc"]).astype(np.float32)
    return replace(plain, scores={"fc": scores})


def _path(folder: Path, index: int) -> Path:
    return folder / "members" / "p" / f"{index:04d}.safetensors"


def _write_until_killed(folder: Path, versions: dict[int, int], seed: int, told: int) -> None:
    """Write members for ever, some of them again, and tell before and after each."""
    draw = random.Random(seed)  # noqa: S311
    while True:
        index = draw.randrange(len(versions) + 1) if draw.random() < 0.6 else len(versions)
        version = versions.get(index, 0) + 1
        os.write(told, f"begin {index} {version}\n".encode())
        member.write(_path(folder, index), _content(index, version))
        os.write(told, f"end {index} {version}\n".encode())
        versions[index] = version


def _killed(folder: Path, versions: dict[int, int], seed: int, delay_s: float) -> list[str]:
    """What a writer told before it was killed."""
    reading, told = os.pipe()
    number = os.fork()
    if number == 0:
        try:
            _write_until_killed(folder, versions, seed, told)
        finally:
            os._exit(1)  # an error, and not the signal, ended it
    os.close(told)
    time.sleep(delay_s)
    os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    if not os.WIFSIGNALED(status):
        raise AssertionError("the writer ended by itself")
    with os.fdopen(reading) as pipe:
        return pipe.read().splitlines()


def _check(folder: Path, known: dict[int, bytes]) -> None:
    """Every member has its bytes and verifies, and there is no other."""
    found = {int(path.stem): path for path in folder.rglob("*.safetensors")}
    if set(found) != set(known):
        raise AssertionError(f"members {sorted(found)}, not {sorted(known)}")
    for index, path in found.items():
        if path.read_bytes() != known[index]:
            raise AssertionError(f"{path} has other bytes")
        Member(path).verify()


def _torture(folder: Path, seed: int) -> dict[str, Any]:
    """Kill writers; how many, how many inside a write, and how many of those were then whole."""
    draw = random.Random(seed)  # noqa: S311
    versions: dict[int, int] = {}
    known: dict[int, bytes] = {}
    counts = {"kills": 0, "inside": 0, "strays": 0, "whole": 0}
    deadline = time.monotonic() + 60
    while counts["kills"] < KILLS or counts["strays"] < 3:
        if time.monotonic() > deadline:
            raise AssertionError(f"too slow: {counts}")
        told = _killed(folder, dict(versions), draw.randrange(2**32), draw.expovariate(1 / 0.012))
        counts["kills"] += 1
        for line in told:
            verb, *numbers = line.split()
            index, version = map(int, numbers)
            if verb == "end":
                versions[index], known[index] = version, encoding.encode(_content(index, version))
        if told and told[-1].startswith("begin"):
            counts["inside"] += 1
            _, index, version = told[-1].split()
            whole = encoding.encode(_content(int(index), int(version)))
            path = _path(folder, int(index))
            if path.exists() and path.read_bytes() == whole:  # killed after the rename
                versions[int(index)], known[int(index)] = int(version), whole
                counts["whole"] += 1
        _check(folder, known)
        strays = len(list(folder.rglob(".masklab-*")))
        if strays > 1 or files.sweep_temporaries(folder, older_than_s=0) != strays:
            raise AssertionError(f"{strays} temporaries of one kill, or they stay")
        if list(folder.rglob(".masklab-*")):
            raise AssertionError("temporaries stay")
        counts["strays"] += strays
    return counts | {"members": len(known), "written": sum(versions.values())}


def test_a_killed_writer_leaves_whole_members_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.archive.test_kill", str(tmp_path), "1"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    counts = json.loads(done.stdout)
    assert counts["kills"] >= KILLS
    assert counts["inside"] >= counts["strays"] >= 3
    assert counts["written"] > counts["members"] > 1  # some were overwritten


@contextmanager
def _largest_file(length: int) -> Iterator[None]:
    """No file may grow beyond `length` bytes: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("length", [0, 1, 4096, 80_000])
def test_a_file_that_cannot_grow_is_not_there(tmp_path: Path, length: int) -> None:
    member.write(_path(tmp_path, 0), _content(0, 1))
    before = _path(tmp_path, 0).read_bytes()
    for index in (0, 1):
        with _largest_file(length), pytest.raises(ArchiveError, match=r"cannot write .*: File too large"):
            member.write(_path(tmp_path, index), _content(index, 2))
    assert _path(tmp_path, 0).read_bytes() == before
    assert [path.name for path in _path(tmp_path, 0).parent.iterdir()] == ["0000.safetensors"]


@pytest.fixture(name="mounted")
def _mounted(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "masklab-test", str(folder)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system takes rights that these tests do not have")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, capture_output=True)


def test_a_full_file_system_keeps_what_it_has(mounted: Path) -> None:
    written = 0
    with pytest.raises(ArchiveError, match=r"cannot write .*: No space left on device"):
        for index in range(10):
            member.write(_path(mounted, index), _content(index, 1))
            written += 1
    assert 1 <= written < 10
    with pytest.raises(ArchiveError, match="No space left on device"):
        member.write(_path(mounted, 0), replace(_content(0, 2), buffers={"x": np.ones(40_000, np.float32)}))
    _check(mounted, {index: encoding.encode(_content(index, 1)) for index in range(written)})
    assert not list(mounted.rglob(".masklab-*"))


def test_a_read_only_file_system_is_told(mounted: Path) -> None:
    member.write(_path(mounted, 0), _content(0, 1))
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True, capture_output=True)
    for index in (0, 1):
        with pytest.raises(ArchiveError, match=r"cannot write .*: Read-only file system"):
            member.write(_path(mounted, index), _content(index, 2))
    _check(mounted, {0: encoding.encode(_content(0, 1))})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_torture(Path(sys.argv[1]), int(sys.argv[2]))))
