import math
import operator
import os
import re
import signal
import time
from importlib import metadata
from pathlib import Path

import pytest

from masklab import parallel, stopping
from masklab.errors import ConfigError, DataError, MasklabError
from masklab.parallel import task


def test_cores_counts_what_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 2, 5}, raising=False)
    assert parallel.cores() == 3


@pytest.mark.parametrize(("counted", "cores"), [(6, 6), (None, 1)])
def test_cores_where_the_system_has_no_affinity(
    monkeypatch: pytest.MonkeyPatch, counted: int | None, cores: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert parallel.cores() == cores


@pytest.mark.parametrize(("calls", "jobs"), [([], 4), ([()], 4), ([(), ()], 1), ([(), ()], 0)])
def test_one_job_or_one_call_stays_in_this_process(calls: list[tuple[()]], jobs: int) -> None:
    assert list(parallel.run(os.getpid, calls, jobs)) == [os.getpid()] * len(calls)


def test_in_this_process_work_waits_until_it_is_asked_for() -> None:
    done: list[int] = []
    results = parallel.run(done.append, [(1,), (2,)], 1)
    assert done == []
    next(results)
    assert done == [1]


def test_several_jobs_give_every_result_from_other_processes() -> None:
    assert sorted(parallel.run(math.pow, [(2, n) for n in range(9)], 2)) == [2.0**n for n in range(9)]
    assert os.getpid() not in set(parallel.run(os.getpid, [()] * 3, 2))


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_a_task_reaches_the_caller(jobs: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(parallel.run(operator.truediv, [(1, 1), (1, 0)], jobs))


def _slow(number: int) -> int:
    time.sleep(0.2 * number)
    return number


def test_a_block_that_fails_leaves_no_task_under_way(recwarn: pytest.WarningsRecorder) -> None:
    with (
        pytest.raises(ValueError, match="stop"),
        parallel.running(_slow, [(n,) for n in range(6)], 2) as found,
    ):
        next(found)
        raise ValueError("stop")
    assert not recwarn.list
    with parallel.running(_slow, [(0,), (1,)], 2) as found:
        assert sorted(found) == [0, 1]


def _three(first: int, second: int) -> int:
    if second == 2:
        raise DataError("two is not allowed")
    if second == 3:
        raise ZeroDivisionError("three\nis worse")
    return first + second


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_costs_its_own_task_only(jobs: int) -> None:
    with parallel.opened(parallel.Workers(jobs=jobs)) as pool:
        assert pool.slots == jobs
        found = {own.number: own for own in pool.outcomes(_three, [(n,) for n in range(5)], (10,))}
    assert {number: own.value for number, own in found.items()} == {0: 10, 1: 11, 2: None, 3: None, 4: 14}
    assert isinstance(found[2].error, DataError)
    assert str(found[2].error) == "two is not allowed"
    assert re.fullmatch(r"ZeroDivisionError: three is worse \(\w+\.py:\d+\)", str(found[3].error))


def _deadly(folder: Path, number: int) -> int:
    mark = folder / str(number)
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_what_a_killed_worker_had_runs_again_and_what_kills_is_named(tmp_path: Path) -> None:
    with parallel.opened(parallel.Workers(jobs=2)) as pool:
        found = {own.number: own for own in pool.outcomes(_deadly, [(n,) for n in range(5)], (tmp_path,))}
    assert sorted(found) == list(range(5))
    assert {number for number, own in found.items() if own.error} == {2}
    assert "killed (out of memory?)" in str(found[2].error)
    assert all(own.value == number for number, own in found.items() if number != 2)


def _signalled(folder: Path, number: int) -> int:
    if number == 1 and not (folder / "once").exists():
        (folder / "once").touch()
        os.kill(os.getpid(), signal.SIGTERM)
        stopping.raise_if_asked()
    return number


def test_a_worker_that_alone_was_asked_to_stop_costs_nothing(tmp_path: Path) -> None:
    with parallel.opened(parallel.Workers(jobs=2)) as pool:
        found = list(pool.outcomes(_signalled, [(n,) for n in range(6)], (tmp_path,)))
    assert sorted(own.value for own in found) == list(range(6))
    assert not any(own.stopped or own.error for own in found)


def test_a_worker_with_other_versions_computes_nothing() -> None:
    other = task.Origin(versions={"masklab": metadata.version("masklab"), "torch": "0.1"})
    found = task.attempt(other, 4, operator.add, (2,), 1)
    assert (found.number, found.value) == (4, None)
    assert re.search(r"has torch [\d.+a-z]+, here it is 0\.1; masks would differ", str(found.error))
    assert task.attempt(task.Origin(), 4, operator.add, (2,), 1).value == 3


class _UnpicklableError(DataError):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def test_errors_that_cannot_travel_are_told_as_text() -> None:
    found = task.portable(_UnpicklableError("this", "that"))
    assert type(found) is MasklabError
    assert str(found) == "this and that"


@pytest.mark.parametrize(
    ("workers", "message"),
    [
        (parallel.Workers("slurm"), "unknown backend 'slurm'; known: dask, loky, ray"),
        (parallel.Workers("loky", "host:1"), "--address is of a cluster"),
        (parallel.Workers("dask", " "), "--address is empty"),
        (parallel.Workers("ray", gpus_per_job=0.0), "--gpus-per-job 0: expected a share"),
        (parallel.Workers("ray", gpus_per_job=1.5), "--gpus-per-job 1.5: expected a share"),
        (parallel.Workers("ray", gpus_per_job=math.nan), "--gpus-per-job nan: expected a share"),
        (parallel.Workers("ray", gpus_per_job=math.inf), "--gpus-per-job inf: expected a share"),
    ],
)
def test_workers_that_cannot_be_are_one_line(workers: parallel.Workers, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)), parallel.opened(workers):
        pass


def test_what_is_not_begun_when_somebody_asks_to_stop_is_left() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        done.append(number)
        if number == 1:
            stopping.ask(15)

    try:
        with parallel.opened(parallel.Workers(jobs=1)) as pool, pytest.raises(stopping.Stopped) as stopped:
            list(pool.outcomes(work, [(n,) for n in range(4)]))
    finally:
        stopping.forget()
    assert done == [0, 1]
    assert stopped.value.signal == 15
