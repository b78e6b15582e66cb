"""Worker processes of this machine: joblib's loky."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from masklab import stopping
from masklab.errors import MasklabError
from masklab.parallel import task
from masklab.parallel.task import Origin, Outcome

T = TypeVar("T")

_KILLED = "a worker process was killed (out of memory?)"


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
    return _collected(_parallel(_whole, [(origin(), function, call) for call in calls], jobs))


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


def origin() -> Origin:
    """This process, as its workers on this machine know it."""
    return _origin(os.getpid())


@cache
def _origin(process: int) -> Origin:
    return Origin(Path(tempfile.gettempdir()) / f"masklab-stop-{process}-{secrets.token_hex(6)}", process)


@contextmanager
def stoppable(asker: Origin) -> Iterator[None]:
    """Let workers that watch the file of an origin hear of a signal that comes while a block runs."""
    stop = asker.stop
    if stop is None:
        yield
        return
    with suppress(OSError):
        stop.unlink(missing_ok=True)

    def tell() -> None:
        with suppress(OSError):
            stop.touch()

    try:
        with stopping.patiently(tell):
            yield
    finally:
        with suppress(OSError):
            stop.unlink(missing_ok=True)


class Pool:
    """Worker processes of this machine.

    With one of them, tasks run in this process. When workers are killed, as the system does when memory is
    short, what they had goes on in half as many, at last one by one.

    Args:
        slots: How many.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def outcomes(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], common: Sequence[Any] = ()
    ) -> Iterator[Outcome]:
        """See `masklab.parallel.pool.Pool`."""
        if self.slots <= 1:
            with stopping.patiently():
                for number, call in enumerate(calls):
                    yield task.guarded(number, function, (*common, *call))
        else:
            with stoppable(origin()):
                yield from self._spread(function, dict(enumerate(calls)), common)
        stopping.raise_if_asked()

    def _spread(
        self, function: Callable[..., Any], left: dict[int, tuple[Any, ...]], common: Sequence[Any]
    ) -> Iterator[Outcome]:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        jobs = self.slots
        while left and jobs > 1:
            rows = [(origin(), number, function, call, *common) for number, call in left.items()]
            try:
                for outcome in _parallel(task.attempt, rows, min(jobs, max(2, len(rows)))):
                    del left[outcome.number]
                    yield outcome
            except BrokenProcessPool:
                jobs = 1 if stopping.asked() else jobs // 2
        for number, call in left.items():
            yield _alone(number, (origin(), number, function, call, *common))


def _alone(number: int, row: tuple[Any, ...]) -> Outcome:
    """Run one task in a worker of its own, so that nobody else is hit should it be killed."""
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    if stopping.asked():
        return Outcome(number, stopped=True)
    worker = ProcessPoolExecutor(max_workers=1)  # not the one that joblib uses again
    try:
        return worker.submit(task.attempt, *row).result()
    except BrokenProcessPool:
        return Outcome(
            number, error=MasklabError(f"{_KILLED}; the same command tries again, a smaller batch needs less")
        )
    finally:
        worker.shutdown()


def _parallel(function: Callable[..., T], rows: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[T]:
    import joblib

    workers = joblib.Parallel(
        n_jobs=min(jobs, len(rows)) if len(rows) > 1 else jobs,
        return_as="generator_unordered",
        pre_dispatch="n_jobs",
        batch_size=1,  # pyright: ignore[reportArgumentType]
    )
    return cast(Iterator[T], workers(joblib.delayed(function)(*row) for row in rows))


def _whole(asker: Origin, function: Callable[..., T], call: tuple[Any, ...]) -> T:
    """Run a task whose error is that of all."""
    task.listen(asker.stop, asker.parent)
    return function(*call)


def _collected(results: Iterator[T]) -> Iterator[T]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        yield from results
    except BrokenProcessPool as error:
        raise MasklabError(
            f"{_KILLED}; the same command goes on with what is missing, and --jobs 1 needs the least memory"
        ) from error
