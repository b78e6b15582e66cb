"""The scripts for Slurm, run by bash with what Slurm would set, and a `scontrol` that takes calls down."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import member_bytes

from .conftest import FLAGS, MEMBERS, Example
from .processes import Program
from .test_signals import begun, steps, went_on

SCRIPTS = Path(__file__).parents[2] / "docs" / "slurm"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


class Array:
    """An array job of two tasks.

    Args:
        folder: Where it works.
        study: What it trains.
    """

    def __init__(self, folder: Path, study: Path) -> None:
        self.out, self.calls = folder / "out", folder / "calls"
        self._folder, self._study = folder, study
        self.calls.touch()
        (folder / "bin").mkdir()
        for name, text in {
            "masklab": f'exec "{sys.executable}" -m masklab_cli.app "$@"',
            "scontrol": f'echo "$@" >>"{self.calls}"',
        }.items():
            program = folder / "bin" / name
            program.write_text(f"#!/bin/bash\n{text}\n")
            program.chmod(0o755)

    def job(self, command: list[object], log: str, **settings: str) -> Program:
        """Start a script."""
        path = f"{self._folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "SLURM_CPUS_PER_TASK": "1", **settings}
        return Program(["bash", *command], self._folder / log, environment)

    def task(self, number: int, log: str, *command: object) -> Program:
        """Start one task of a script, by default of training."""
        training = (SCRIPTS / "train.sbatch", self._study, "--out", self.out, *FLAGS)
        settings = {"JOB_ID": "71", "TASK_ID": str(number), "TASK_COUNT": "2"}
        array = {f"SLURM_ARRAY_{name}": value for name, value in settings.items()}
        return self.job(list(command or training), log, **array)


def test_a_part_whose_time_is_up_is_queued_again_and_all_parts_make_the_study(
    example: Example, tmp_path: Path
) -> None:
    array, before = Array(tmp_path, example.file), {}
    for name, send, code, asked in (
        ("SIGTERM", os.killpg, 143, ""),  # to the script and all that it started, so that masklab has two
        ("SIGUSR1", os.kill, 138, "requeue 71_1\n"),  # to the script alone
    ):
        with array.task(1, name) as task:
            task.wait_for(lambda: begun(array.out))
            send(task.process.pid, signal.Signals[name])
            assert task.end() == code, task.said
            assert task.leaves_nothing()
        assert f"stopped by {name}" in task.said
        assert array.calls.read_text() == asked
        after = steps(array.out)
        assert after
        assert went_on(before, after)
        before = after
        for file in array.out.glob("checkpoints/*.progress"):
            file.unlink()
    trained = []
    for number in (2, 1):
        with array.task(number, f"part{number}") as task:
            assert task.end() == 0, task.said
        trained.append(len(member_bytes(array.out)))
    assert 0 < trained[0] < trained[1] == MEMBERS
    assert member_bytes(array.out) == example.members
    assert array.calls.read_text() == "requeue 71_1\n"


def test_an_error_is_the_code_of_the_script(tmp_path: Path) -> None:
    array = Array(tmp_path, tmp_path / "none.toml")
    with array.task(1, "log") as task:
        assert task.end() == 2
    assert "none.toml" in task.said
    assert array.calls.read_text() == ""


def test_parts_of_an_analysis_and_their_merge(example: Example, tmp_path: Path) -> None:
    out = shutil.copytree(example.file.with_name("out"), tmp_path / "study")
    array = Array(tmp_path, example.file)
    command = (SCRIPTS / "analyze.sbatch", out, "--budget", 2000)
    with array.task(1, "part1", *command) as task:
        assert task.end() == 0, task.said
    assert "shard 1/2 computed" in task.said
    with array.job(list(command), "merge") as merge:
        assert merge.end() == 1, merge.said
    assert "run the shards that are missing" in merge.said


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.sbatch")))
def test_bash_reads_the_script(script: str) -> None:
    subprocess.run(["bash", "-n", SCRIPTS / script], check=True)
