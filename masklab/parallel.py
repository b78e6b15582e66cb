"""The joblib seam: independent tasks on one machine, or on whatever joblib backend is registered."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar, cast

from masklab.errors import MasklabError

T = TypeVar("T")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(function: Callable[..., T], calls: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[T]:
    """Results of `function(*call)` for every call, in the order in which they become ready.

    With one job, or one call, everything runs in this process, when the results are asked for; otherwise
    work begins at once.

    Args:
        function: A module-level function (it travels by name).
        calls: Its positional arguments, one tuple per task; they must pickle.
        jobs: Worker processes.

    Raises:
        MasklabError: While iterating: a worker process was killed.
    """
    if jobs <= 1 or len(calls) <= 1:
        return (function(*call) for call in calls)
    import joblib

    workers = joblib.Parallel(
        n_jobs=min(jobs, len(calls)), return_as="generator_unordered", pre_dispatch="n_jobs"
    )
    return _collected(cast(Iterator[T], workers(joblib.delayed(_guarded)(function, call) for call in calls)))


@contextmanager
def running(function: Callable[..., T], calls: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[Iterator[T]]:
    """`run` for as long as a block lasts; when it fails, tasks that are under way end before it is left.

    Args:
        function: See `run`.
        calls: See `run`.
        jobs: See `run`.
    """
    results = run(function, calls, jobs)
    try:
        yield results
    except Exception:
        with suppress(Exception):  # the first error says what happened
            for _ in results if jobs > 1 else ():
                pass
        raise


def _collected(results: Iterator[T]) -> Iterator[T]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        yield from results
    except BrokenProcessPool as error:
        raise MasklabError(
            "a worker process was killed (out of memory?); the same command goes on with what is missing, "
            "and --jobs 1 needs the least memory"
        ) from error


def _guarded(function: Callable[..., T], call: tuple[Any, ...]) -> T:
    """Run one task in a worker that does not outlive the process that started it."""
    _watch_parent()
    return function(*call)


@cache
def _watch_parent() -> None:
    """End this worker when its parent is gone: a killed run must not leave workers behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
