"""What is written twice is equal, and failures are tried again once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import stages
from masklab.archive import directory, files
from masklab.training import task

from ..conftest import TinyStudy, member_bytes


def test_failures_are_forgotten_once_before_they_are_tried_again(
    tiny: TinyStudy, train: Any, tmp_path: Path
) -> None:
    of, out = tiny({"pruner": "biprop", "members": 2}), tmp_path / "out"
    train(of, out)
    lost = directory.member_path(out, "biprop-d0.5", 1)
    whole = files.read(lost)
    files.remove(lost)
    files.write_json(directory.failure_path(out, "biprop-d0.5", 1), {"cause": "planted", "step": 3})
    outcome = train(of, out)
    assert (outcome.written, outcome.present, outcome.failed) == ([], 1, ["biprop-d0.5/0001"])
    outcome = train(of, out, retry_failed=True)
    assert (outcome.written, outcome.present, outcome.failed) == (["biprop-d0.5/0001"], 1, [])
    assert files.read(lost) == whole
    assert not files.exists(directory.failure_path(out, "biprop-d0.5", 1))


def test_what_is_written_twice_has_equal_bytes(tiny: TinyStudy, train: Any, tmp_path: Path) -> None:
    of, out = tiny({"pruner": "biprop+iterand", "members": 2}), tmp_path / "out"
    train(of, out)
    before = member_bytes(out)
    for path in list(Path(out).rglob("*.safetensors")):
        path.unlink()
    stages.train(of, out, jobs=1, device="cpu", engine="vmap")
    assert member_bytes(out) == before
    np.testing.assert_equal(len(before), 2)


def test_a_plan_that_another_process_replaced_is_told_once_and_nothing_is_mixed(
    tiny: TinyStudy, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, real = tiny({"pruner": "biprop", "members": 2}, {"pruner": "random", "members": 2}), task.run

    def run(out: Path, *rest: Any) -> Any:
        done = real(out, *rest)
        plan = files.read_json(out / directory.PLAN)
        files.write_json(out / directory.PLAN, {**plan, "engine": "loop"})
        return done

    monkeypatch.setattr(task, "run", run)
    outcome = train(of, tmp_path / "out")
    ((cause, members),) = outcome.lost.items()
    assert "plan.json was replaced by another process" in cause
    assert members == ["random-d0.5/0000", "random-d0.5/0001"]
    assert len(member_bytes(tmp_path / "out")) == 2
