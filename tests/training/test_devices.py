"""Threads and GPUs: who takes how many."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from masklab import parallel, stages
from masklab.archive import files
from masklab.errors import ConfigError
from masklab.training import device
from tests.conftest import TinyStudy

Train = Callable[..., Any]


def test_threads_are_fixed_by_the_plan(tiny: TinyStudy, tmp_path: Path) -> None:
    of = tiny({"pruner": "random"})
    stages.train(of, tmp_path / "two", device="cpu", threads=2)
    assert files.read_json(tmp_path / "two" / "plan.json")["threads"] == 2
    with pytest.raises(ConfigError, match=r"made for threads 2, now 1: masks would differ; give --threads 2"):
        stages.train(of, tmp_path / "two", device="cpu", threads=1)
    stages.train(of, tmp_path / "one", device="cpu")
    assert files.read_json(tmp_path / "one" / "plan.json")["threads"] == 1
    with pytest.raises(ConfigError, match=r"--threads 4096: expected 1 to \d+, the number of cores"):
        stages.train(of, tmp_path / "many", device="cpu", threads=4096)


@pytest.mark.parametrize(("cores", "threads", "jobs"), [(1, 1, 1), (8, 1, 8), (8, 3, 2), (2, 4, 1)])
def test_jobs_times_threads_are_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int, jobs: int
) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: cores)
    assert device.jobs("cpu", threads, None) == jobs


@pytest.mark.parametrize(("share", "gpus", "jobs"), [(None, 2, 1), (0.25, 2, 8), (1.0, 2, 2), (2.0, 1, 1)])
def test_jobs_share_the_gpus(
    monkeypatch: pytest.MonkeyPatch, share: float | None, gpus: int, jobs: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert device.jobs("cuda", 4, share) == jobs


def test_cohorts_take_the_gpus_of_a_machine_in_turn(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int | None] = []
    monkeypatch.setattr(device, "gpus", lambda _kind: 3)
    monkeypatch.setattr(device, "use", used.append)
    train(tiny({"pruner": "random", "members": 24}), tmp_path / "out")
    assert used == [0, 1, 2, 0]
