"""What a training takes: schedules and steps exactly, bytes against what is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab.archive import directory, files
from masklab.training import estimate
from masklab.training import plan as plans
from tests.conftest import TinyStudy

POPULATIONS = [
    {"pruner": "edge-popup", "density": 0.05},
    {"pruner": "biprop+iterand", "rate": 0.3},
    {"pruner": "edge-popup+recycle", "density": 0.3},
    {"pruner": "shuffled", "of": "biprop+iterand-d0.5", "density": 0.5},
    {"pruner": "magnitude"},
    {"pruner": "random"},
]


@pytest.mark.parametrize(
    ("seconds", "workers", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], 1, 10.0),
        ([1.0, 2.0, 3.0, 4.0], 2, 5.0),  # 4 + 1, 3 + 2
        ([2.0, 2.0, 2.0, 3.0, 3.0], 2, 7.0),  # 3 + 2 + 2, 3 + 2: not the best schedule, which takes 6
        ([4.0, 1.0, 1.0], 3, 4.0),
        ([4.0, 1.0, 1.0], 100, 4.0),
        ([], 2, 0.0),
    ],
)
def test_the_longest_cohorts_go_first(seconds: list[float], workers: int, expected: float) -> None:
    assert estimate.makespan(seconds, workers) == expected


@given(st.lists(st.integers(0, 100).map(float), min_size=1, max_size=12), st.integers(1, 5))
def test_a_schedule_is_between_its_bounds(seconds: list[float], workers: int) -> None:
    found = estimate.makespan(seconds, workers)
    least = max(*seconds, sum(seconds) / workers)
    most = sum(seconds) / workers + max(seconds) * (1 - 1 / workers)
    assert least - 1e-9 <= found <= most + 1e-9


def test_rounds_follow_each_other() -> None:
    assert estimate.training_seconds([[3.0, 1.0], [2.0]], 2) == 5.0
    assert estimate.training_seconds([], 2) == 0.0


@pytest.mark.parametrize(
    "tables",
    [
        {"network": {"name": "conv2", "width": 0.2}, "study": {"snapshots": [0, 2], "keep_scores": "none"}},
        {"network": {"width": 0.3}, "training": {"optimizer": "adam", "epochs": 6}},
    ],
)
def test_files_are_as_large_as_estimated(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path, tables: dict[str, Any]
) -> None:
    train(tiny(*POPULATIONS, **tables), tmp_path)
    record = directory.read_study(tmp_path)
    for population in record["populations"]:
        sizes = [file.stat().st_size for file in (tmp_path / "members" / population["name"]).iterdir()]
        found = estimate.member_bytes(record, population)
        assert found == pytest.approx(sum(sizes) / len(sizes), rel=0.15), population["name"]


def test_steps_and_checkpoints(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: dict[str, int] = {}
    write = files.write_atomic

    def spy(path: files.Location, data: bytes) -> None:
        if path.suffix == ".checkpoint":
            written[path.name] = max(written.get(path.name, 0), len(data))
        write(path, data)

    monkeypatch.setattr(files, "write_atomic", spy)
    train(tiny(*POPULATIONS), tmp_path, checkpoint_s=0.0)
    record, plan = directory.read_study(tmp_path), plans.checked(tmp_path / directory.PLAN)
    rows = {population["name"]: population for population in record["populations"]}
    for cohort in plan["cohorts"]:
        population = rows[cohort["population"]]
        steps = 4 * 3 if population["trained"] else 0  # 48 images in batches of 16, 4 epochs
        assert estimate.steps(record, population) == steps
        assert estimate.cohort_steps(record, cohort) == 2 * steps
        found = estimate.checkpoint_bytes(record, population, 2)
        assert (found > 0) == (f"{cohort['id']}.checkpoint" in written) == population["trained"]
        if found:
            head = 8_000  # names, shapes and checksums of its tensors, and the history
            assert found <= written[f"{cohort['id']}.checkpoint"] <= found + head
