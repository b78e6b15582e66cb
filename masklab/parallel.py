"""The joblib seam: independent tasks on one machine, or on whatever joblib backend is registered."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(function: Callable[..., T], calls: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[T]:
    """Results of `function(*call)` for every call, in the order in which they become ready.

    With one job, or one call, everything runs in this process.

    Args:
        function: A module-level function (it travels by name).
        calls: Its positional arguments, one tuple per task; they must pickle.
        jobs: Worker processes.
    """
    if jobs <= 1 or len(calls) <= 1:
        for call in calls:
            yield function(*call)
        return
    import joblib

    workers = joblib.Parallel(
        n_jobs=min(jobs, len(calls)), return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
    )
    yield from workers(joblib.delayed(function)(*call) for call in calls)
