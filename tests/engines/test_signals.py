"""SIGUSR1 and SIGTERM, as schedulers send them before they end a job; with one job, see `test_slurm`."""

import signal
import time
from pathlib import Path

import pytest

from masklab.archive import container
from tests.conftest import member_bytes

from . import processes
from .conftest import FLAGS, Example
from .processes import Program


def training(example: Example, folder: Path, jobs: int, log: str) -> Program:
    """A training that writes no checkpoint unless it is asked to stop."""
    options = ("--out", folder / "out", "--jobs", jobs, *FLAGS[:-1], 1000)
    return Program(processes.masklab("train", example.file, *options), folder / log)


def begun(out: Path) -> bool:
    """Whether a cohort is in the middle of its training."""
    return any(_epochs(file) >= 3 for file in out.glob("checkpoints/*.progress"))


def _epochs(progress: Path) -> int:
    try:
        return int(progress.read_text().partition("/")[0])
    except (OSError, ValueError):  # it has gone, or is half written
        return 0


def went_on(before: dict[str, int], after: dict[str, int]) -> bool:
    """Whether no cohort that is still in training began again."""
    return all(after[cohort] > done for cohort, done in before.items() if cohort in after)


def steps(out: Path) -> dict[str, int]:
    """Cohort → steps done in its checkpoint."""
    return {
        file.stem: container.Reader(file).document["steps"] for file in out.glob("checkpoints/*.checkpoint")
    }


def test_a_signal_saves_and_the_same_command_goes_on(example: Example, tmp_path: Path) -> None:
    out, before = tmp_path / "out", {}
    for name, code in (("SIGUSR1", 138), ("SIGTERM", 143)):
        for file in out.glob("checkpoints/*.progress"):
            file.unlink()
        with training(example, tmp_path, 2, name) as run:
            run.wait_for(lambda: begun(out))
            sent = time.time()
            run.process.send_signal(signal.Signals[name])
            assert run.end() == code, run.said
            assert run.leaves_nothing()
        last = [line for line in run.said.splitlines() if "stopped" in line]
        assert last == [f"masklab: stopped by {name}; the same command goes on where it stopped"]
        assert "Traceback" not in run.said
        saved = [file for file in out.glob("checkpoints/*.checkpoint") if file.stat().st_mtime >= sent]
        after = steps(out)
        assert saved
        assert went_on(before, after)
        before = after
    with training(example, tmp_path, 2, "last") as run:
        assert run.end() == 0, run.said
    assert member_bytes(out) == example.members
    assert not (out / "checkpoints").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_second_signal_ends_it_at_once(example: Example, tmp_path: Path, jobs: int) -> None:
    with training(example, tmp_path, jobs, "log") as run:
        run.wait_for(lambda: begun(tmp_path / "out"))
        workers = [number for number in run.numbers() if number != run.process.pid]
        assert (len(workers) >= 2) == (jobs == 2)
        run.process.send_signal(signal.SIGUSR1)
        run.process.send_signal(signal.SIGTERM)
        assert run.end(20) == 143, run.said
        assert run.leaves_nothing()
    assert "Traceback" not in run.said
