"""What is interrupted goes on: outcomes and budgets are kept until an analysis is written, and no longer."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from masklab.archive import Archive, files
from masklab.errors import ArchiveError, MasklabError
from masklab.landscape import budget, journal, plan, planning, run
from masklab.progress import Silent
from tests.landscape import contexts


def rows(found: Any) -> Any:
    return found.rows, found.tables, {name: values.tolist() for name, values in found.arrays.items()}


def test_results_do_not_depend_on_threads_nor_on_the_run(stored: Path) -> None:
    limit = budget.Budget(evaluations=40_000)
    once = run.measure(contexts.made(stored, budget=limit))
    assert rows(run.measure(contexts.made(stored, budget=limit, threads=3))) == rows(once)
    work = once.rows["landscape_work"][0]
    assert work["stored_predictions"]["differing"] == 0 and work["stored_predictions"]["members"] > 3


class _StopError(Exception):
    pass


class _Interrupted(Silent):
    """Stops after so many evaluations."""

    def __init__(self, most: int) -> None:
        self.most, self.advanced = most, [0]

    def advance(self, done: int) -> None:
        self.advanced.append(done)
        if done > self.most:
            raise _StopError


def test_what_is_interrupted_goes_on(stored: Path, tmp_path: Path) -> None:
    folder, limit = tmp_path / "landscape", budget.Budget(evaluations=40_000)
    plans = [contexts.made(stored, budget=limit) for _ in range(2)]
    for own in plans:
        own.evaluator.at_once = 6
    expected = run.measure(plans[0])
    with pytest.raises(_StopError):
        run.measure(plans[0], folder, _Interrupted(20_000))
    kept = [path for path in folder.iterdir() if path.suffix == ".npz"]
    assert len(kept) == 1
    second = _Interrupted(10**9)
    found = run.measure(plans[1], folder, second)
    assert second.advanced[1] > 15_000  # it began where the other one stopped
    assert rows(found) == rows(expected)
    kept[0].write_bytes(kept[0].read_bytes()[:-40])
    again = _Interrupted(10**9)
    assert rows(run.measure(plans[1], folder, again)) == rows(expected)
    assert again.advanced[1] == 0  # what is damaged is evaluated again
    journal.clear(folder, plans[1].key)
    assert not folder.exists()


def test_another_plan_takes_nothing(stored: Path, tmp_path: Path) -> None:
    """Another budget, or as many networks in a call as another machine has memory for, is another plan."""
    first = contexts.made(stored, budget=budget.Budget(evaluations=40_000))
    with pytest.raises(_StopError):
        run.measure(first, tmp_path / "kept", _Interrupted(20_000))
    others = [contexts.made(stored, budget=budget.Budget(evaluations=number)) for number in (60_000, 40_000)]
    others[1].evaluator.at_once = 7
    for other in others:
        assert other.key != first.key
        listener = _Interrupted(10**9)
        run.measure(other, tmp_path / "kept", listener)
        assert listener.advanced[1] == 0
        journal.clear(tmp_path / "kept", other.key)
    assert list((tmp_path / "kept").iterdir())  # that of the first, which may be at work
    old = next(iter((tmp_path / "kept").iterdir()))
    os.utime(old, (0, 0))
    journal.clear(tmp_path / "kept", "none")
    assert not (tmp_path / "kept").exists()


def test_seconds_are_converted_once_for_one_request(stored: Path, tmp_path: Path) -> None:
    def planned(seconds: float, folder: Path | None) -> plan.Plan:
        options = plan.Options(budget.Budget(seconds=seconds), device="cpu")
        found = planning.make(Archive(stored), options, folder)
        assert found is not None
        return found

    folder = tmp_path / "kept"
    first = planned(0.05, folder)
    (noted,) = folder.iterdir()
    document = files.read_json(noted)
    assert document["evaluations"] == first.budget
    files.write_json(noted, {**document, "evaluations": 31_234})
    assert planned(0.05, folder).budget == 31_234  # what is noted counts, not the speed of the moment
    assert planned(0.06, folder).budget != 31_234
    noted.write_text("{")
    assert planned(0.05, folder).budget != 31_234
    journal.clear(folder, first.key, first.note)
    assert not noted.exists() and len(list(folder.iterdir())) == 1  # others may be at work for 0.06 s
    planned(0.05, None)
    assert not noted.exists()


def test_a_full_disk_is_one_line(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise ArchiveError(f"{path}: No space left on device")

    monkeypatch.setattr(journal, "_EVERY_S", 0.0)
    monkeypatch.setattr(files, "write_atomic", full)
    with pytest.raises(ArchiveError, match="No space left"):
        run.measure(contexts.made(stored), stored / "kept")


def test_a_killed_analysis_goes_on(stored: Path) -> None:
    """SIGKILL right after outcomes were written: they are used, and the results are those of one go."""
    script = (
        "import os, signal, sys; from pathlib import Path; from masklab import stages\n"
        "from masklab.landscape import budget, journal\n"
        "journal._EVERY_S, flush = 0.0, journal.Journal.flush\n"
        "def killed(self):\n    flush(self)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "journal.Journal.flush = killed\n"
        "stages.analyze(Path(sys.argv[1]), jobs=1, budget=budget.Budget(seconds=0.3), device='cpu')"
    )
    folder = stored / "analysis" / journal.FOLDER
    done = subprocess.run([sys.executable, "-c", script, str(stored)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL and list(folder.glob("*.npz"))
    options = plan.Options(budget.Budget(seconds=0.3), device="cpu")
    resumed = planning.make(Archive(stored), options, folder)
    assert resumed is not None
    expected = rows(run.measure(resumed))
    listener = _Interrupted(10**9)
    assert rows(run.measure(resumed, folder, listener)) == expected
    assert listener.advanced[1] > 0


def test_little_memory_makes_smaller_calls(stored: Path) -> None:
    whole = contexts.made(stored, budget=budget.Budget(evaluations=20_000))
    expected = run.evaluate(whole, None, Silent())
    evaluator, refused = whole.evaluator, []
    task = whole.tasks["paths"][0]

    def build(positions: Any) -> Any:
        if len(positions) > 2:
            refused.append(len(positions))
            raise torch.OutOfMemoryError("no room")
        return task.build(positions)

    found = evaluator.run([dataclasses.replace(task, build=build)])[0]
    assert refused and evaluator.at_once <= 2
    np.testing.assert_array_equal(found.classes["test"], expected[task.key].classes["test"])

    def never(positions: Any) -> Any:
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(MasklabError, match="does not hold one network"):
        evaluator.run([dataclasses.replace(task, build=never)])
