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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab.archive import Content, Member, encoding, files, member
from masklab.errors import ArchiveError
from tests.conftest import Cli, member_bytes

from . import samples

INSIDE = 50
"""How many kills must fall inside a write, however fast or slow the disk is."""

KILLS = 2000
"""After how many kills it is given up."""

SHAPES = {"fc": (100, 200)}
MEMBERS = 8
VERSIONS = 3
"""How many contents a member has in turn."""


def _content(index: int, version: int) -> Content:
    """A member of about 85 kB; every version differs."""
    number = 1000 * index + version
    plain = samples.content("p", index, samples.masks(number, 0.3, SHAPES), version=version)
    scores = np.random.RandomState(number).standard_normal(SHAPES["fc"]).astype(np.float32)
    return replace(plain, scores={"fc": scores})


def _path(folder: Path, index: int) -> Path:
    return folder / "members" / "p" / f"{index:04d}.safetensors"


@cache
def _encoded(index: int, version: int) -> bytes:
    return encoding.encode(_content(index, version))


def _write_until_killed(folder: Path, versions: dict[int, int], seed: int, told: int) -> None:
    """Write members for ever, most of them again, and tell before and after each."""
    draw = random.Random(seed)  # noqa: S311
    while True:
        index = draw.randrange(min(len(versions) + 1, MEMBERS))
        version = versions.get(index, 0) + 1
        data = _encoded(index, version % VERSIONS)
        os.write(told, f"begin {index} {version}\n".encode())
        files.write_atomic(_path(folder, index), data)
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
    for index, version in product(range(MEMBERS), range(VERSIONS)):
        _encoded(index, version)  # now, so that writers do nothing but write
    while counts["inside"] < INSIDE or counts["strays"] < 3:
        if counts["kills"] == KILLS:
            raise AssertionError(f"too few kills inside a write: {counts}")
        told = _killed(folder, dict(versions), draw.randrange(2**32), draw.expovariate(1 / 0.012))
        counts["kills"] += 1
        for line in told:
            verb, *numbers = line.split()
            index, version = map(int, numbers)
            if verb == "end":
                versions[index], known[index] = version, _encoded(index, version % VERSIONS)
        if told and told[-1].startswith("begin"):
            counts["inside"] += 1
            _, index, version = told[-1].split()
            whole = _encoded(int(index), int(version) % VERSIONS)
            path = _path(folder, int(index))
            if path.exists() and path.read_bytes() == whole:  # killed after the rename
                versions[int(index)], known[int(index)] = int(version), whole
                counts["whole"] += 1
        _check(folder, known)
        strays = len(list(folder.rglob(".masklab-*")))
        if strays > 1 or files.sweep_temporaries(folder) != strays:  # young ones, whose writer is dead
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
    assert counts["kills"] >= counts["inside"] >= INSIDE
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
            ["mount", "-t", "tmpfs", "-o", "size=1m", "masklab-test", str(folder)],
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
        for index in range(20):
            member.write(_path(mounted, index), _content(index, 1))
            written += 1
    assert 5 <= written < 20
    with pytest.raises(ArchiveError, match="No space left on device"):
        member.write(_path(mounted, 0), replace(_content(0, 2), buffers={"x": np.ones(300_000, np.float32)}))
    _check(mounted, {index: encoding.encode(_content(index, 1)) for index in range(written)})
    assert not list(mounted.rglob(".masklab-*"))


def test_a_read_only_file_system_is_told(mounted: Path) -> None:
    member.write(_path(mounted, 0), _content(0, 1))
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True, capture_output=True)
    for index in (0, 1):
        with pytest.raises(ArchiveError, match=r"cannot write .*: Read-only file system"):
            member.write(_path(mounted, index), _content(index, 2))
    _check(mounted, {0: encoding.encode(_content(0, 1))})


STUDY = """
[data]
name = "digits"
[network]
name = "mlp"
[training]
epochs = 1
batch_size = 500
[[population]]
pruner = "edge-popup"
density = 0.5
"""


Growing = Callable[[Path, int], tuple[int, str, str]]


@pytest.fixture(name="growing")
def _growing(tmp_path: Path, cli: Cli) -> Growing:
    """Function that lets `masklab train` grow a study of members of 200 kB in one folder to so many."""

    def grow(out: Path, members: int) -> tuple[int, str, str]:
        (tmp_path / "study.toml").write_text(f"{STUDY}members = {members}\n")
        options = ("--jobs", 1, "--device", "cpu", "--engine", "vmap")
        return cli("train", tmp_path / "study.toml", "--out", out, *options)

    return grow


def _check_refused(ran: tuple[int, str, str], out: Path, reason: str) -> None:
    """One line and exit code 2, whole members and nothing half-written."""
    code, said, err = ran
    assert (code, said) == (2, "")
    (line,) = [line for line in err.splitlines() if line.startswith("masklab: ")]
    assert line.startswith(f"masklab: cannot write {out}/")
    assert line.endswith(f": {reason}")
    assert err.endswith(f"{line}\n")
    assert "Traceback" not in err
    for path in out.glob("members/*/*.safetensors"):
        Member(path).verify()
    assert not list(out.rglob(".masklab-*"))


def test_training_into_a_full_file_system(mounted: Path, growing: Growing) -> None:
    out = mounted / "out"
    assert growing(out, 1)[0] == 0
    before = member_bytes(out)
    _check_refused(growing(out, 12), out, "No space left on device")
    after = member_bytes(out)
    assert 1 < len(after) < 12
    assert before.items() <= after.items()


def test_training_into_a_read_only_file_system(mounted: Path, growing: Growing) -> None:
    out = mounted / "out"
    assert growing(out, 1)[0] == 0
    before = member_bytes(out)
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True, capture_output=True)
    assert growing(out, 1)[:2] == (0, f"{out}: 0 members trained, 1 already there\n")
    _check_refused(growing(out, 2), out, "Read-only file system")
    assert member_bytes(out) == before


def test_training_where_a_file_cannot_grow(tmp_path: Path, growing: Growing) -> None:
    out = tmp_path / "out"
    assert growing(out, 1)[0] == 0
    before = member_bytes(out)
    with _largest_file(2**16):
        refused = growing(out, 2)
    _check_refused(refused, out, "File too large")
    assert member_bytes(out) == before
    assert growing(out, 2)[:2] == (0, f"{out}: 1 members trained, 1 already there\n")
    assert before.items() < member_bytes(out).items()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_torture(Path(sys.argv[1]), int(sys.argv[2]))))
