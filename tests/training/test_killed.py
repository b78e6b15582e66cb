"""A killed run goes on where it stopped, with the same bytes, and leaves no worker behind."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from masklab.archive import container
from tests.conftest import member_bytes

STUDY = """
[data]
name = "digits"
[network]
name = "mlp"
width = 0.1
[training]
epochs = 30
batch_size = 32
[[population]]
pruner = "biprop+recycle"
density = 0.5
members = 8
[[population]]
pruner = "edge-popup+iterand"
density = 0.3
members = 8
"""


def start(study: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "masklab_cli.app", "train", str(study), "--out", str(out), "--jobs", "2"]
    command += ["--engine", "vmap", "--checkpoint", "0"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def epochs_done(out: Path) -> int:
    texts = [file.read_text() for file in out.glob("checkpoints/*.progress")]
    return sum(int(text.partition("/")[0]) for text in texts if text)


def wait_for(condition: object, process: subprocess.Popen[bytes], limit_s: float = 60.0) -> bool:
    """Poll until the condition holds; False when the process ended first."""
    assert callable(condition)
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.01)
    raise AssertionError("the condition never held")


def workers_of(marker: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "study.toml").write_text(STUDY)
    process = start(folder / "study.toml", folder / "out")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return folder / "study.toml", member_bytes(folder / "out")


def saved_epochs(out: Path) -> dict[str, int]:
    """Cohort → epochs done in its checkpoint."""
    found = {}
    for path in out.glob("checkpoints/*.checkpoint"):
        found[path.stem] = container.Reader(path).document["epoch"]
    return found


def first_reports(out: Path, cohorts: dict[str, int], process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Cohort → epochs done when it is seen for the first time."""
    seen: dict[str, int] = {}

    def look() -> bool:
        for cohort in cohorts:
            path = out / f"checkpoints/{cohort}.progress"
            with contextlib.suppress(OSError, ValueError):
                seen.setdefault(cohort, int(path.read_text().partition("/")[0]))
        return len(seen) == len(cohorts)

    assert wait_for(look, process)
    return seen


def test_three_kills_at_random_moments_change_no_byte(
    whole: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    study, expected = whole
    moments = random.Random(20)  # noqa: S311
    saved: dict[str, int] = {}
    for low, high in (
        (3, 8),
        (10, 15),
        (18, 23),
    ):  # epochs of the cohort that is ahead, of 30; events fire too
        for file in tmp_path.glob("checkpoints/*.progress"):
            file.unlink()
        process = start(study, tmp_path)
        for cohort, epochs in first_reports(tmp_path, saved, process).items():
            assert epochs > saved[cohort]  # it went on, and did not begin again
        target = moments.randint(low, high)
        assert wait_for(
            lambda target=target: max(saved_epochs(tmp_path).values(), default=0) >= target, process
        )
        os.killpg(process.pid, signal.SIGKILL)  # workers as well, as when the machine is lost
        process.communicate(timeout=60)
        saved = saved_epochs(tmp_path)
        assert max(saved.values()) >= target
    stored = member_bytes(tmp_path)
    assert stored.items() <= expected.items()
    assert len(stored) < len(expected)
    for file in tmp_path.glob("checkpoints/*.progress"):
        file.unlink()
    process = start(study, tmp_path)
    first = first_reports(tmp_path, saved, process)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert member_bytes(tmp_path) == expected
    assert all(first[cohort] > epochs for cohort, epochs in saved.items())
    assert not list(tmp_path.glob("checkpoints/*.checkpoint"))


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_no_worker_outlives_a_killed_run(
    whole: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = f"MASKLAB_TEST_RUN={os.getpid()}-{tmp_path.name}"
    monkeypatch.setenv(*marker.split("=", 1))
    process = start(whole[0], tmp_path)
    monkeypatch.delenv("MASKLAB_TEST_RUN")
    assert wait_for(lambda: epochs_done(tmp_path) >= 2, process)
    assert len(workers_of(marker)) >= 3
    process.kill()
    process.communicate(timeout=60)
    end = time.monotonic() + 30
    while workers_of(marker) and time.monotonic() < end:
        time.sleep(0.1)
    assert workers_of(marker) == []


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(
    whole: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    study, expected = whole
    process = start(study, tmp_path)
    assert wait_for(lambda: epochs_done(tmp_path) >= 3, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert b"interrupted" in err
    process = start(study, tmp_path)
    process.communicate(timeout=120)
    assert member_bytes(tmp_path) == expected


def test_two_processes_at_once_train_every_member_once(
    whole: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    study, expected = whole
    both = [start(study, tmp_path), start(study, tmp_path)]
    trained = []
    for process in both:
        out, err = process.communicate(timeout=180)
        assert process.returncode == 0, err
        counts = re.search(rb"(\d+) members trained, (\d+) already there", out)
        assert counts is not None, out
        trained.append(int(counts[1]))
        assert int(counts[1]) + int(counts[2]) == len(expected)
    assert sum(trained) == len(expected)
    assert all(trained)  # they worked side by side
    assert member_bytes(tmp_path) == expected
    assert not (tmp_path / "checkpoints").exists()


def test_two_processes_that_grow_one_study_both_keep_their_population(tmp_path: Path) -> None:
    first, _ = STUDY.rsplit("[[population]]", 1)
    (tmp_path / "a.toml").write_text(first + "name = 'a'\n")
    (tmp_path / "b.toml").write_text(first + "name = 'b'\n")
    both = [start(tmp_path / file, tmp_path / "out") for file in ("a.toml", "b.toml")]
    for process in both:
        _, err = process.communicate(timeout=180)
        assert process.returncode == 0, err
    names = {path.split("/")[1] for path in member_bytes(tmp_path / "out")}
    record = json.loads((tmp_path / "out/study.json").read_text())
    plan = json.loads((tmp_path / "out/plan.json").read_text())
    assert {population["name"] for population in record["populations"]} == names == {"a", "b"}
    assert {cohort["population"] for cohort in plan["cohorts"]} == names
