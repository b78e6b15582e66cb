import math
import operator
import os
import time

import pytest

from masklab import parallel


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
