"""Workers of Dask, through its own futures.

joblib's Dask backend keeps large arguments on one worker, whose loss ends the run, and takes all workers
whatever `n_jobs` says.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masklab import stopping
from masklab.errors import ConfigError, MasklabError
from masklab.parallel import processes, task
from masklab.parallel.pool import Workers
from masklab.parallel.task import Origin, Outcome

if TYPE_CHECKING:
    import distributed

_TRIES = 4
"""How often a task is handed out whose worker, or what it needed, was lost."""

_CONNECT_S, _FIRST_WORKER_S = 10, 300


@contextmanager
def opened(workers: Workers) -> Iterator["Pool"]:
    """Workers of a scheduler that is there, or of one that lasts as long as the block.

    Raises:
        ConfigError: Dask is not installed, or no scheduler or no worker answers.
    """
    try:
        import distributed
    except ImportError as error:
        raise ConfigError(f"--backend dask needs more: pip install 'masklab[dask]' ({error})") from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        if workers.address is None:
            cluster = stack.enter_context(_local(workers))
            client = stack.enter_context(distributed.Client(cluster))
            asker = Origin(processes.origin().stop)
        else:
            client = stack.enter_context(_connected(workers.address))
            asker = Origin()
            _require_gpus(client, workers)
        yield Pool(client, workers, asker)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lost workers and schedulers are told by masklab, in a line."""
    log = logging.getLogger("distributed")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _require_gpus(client: "distributed.Client", workers: Workers) -> None:
    share = workers.gpus_per_job
    known = client.scheduler_info(n_workers=-1)["workers"].values()
    if share is not None and all(own.get("resources", {}).get("GPU", 0) < share for own in known):
        raise ConfigError(
            f"--gpus-per-job {share:g}: no worker of {workers.address} offers so much of a GPU; start them "
            "with --resources GPU=1"
        )


def _local(workers: Workers) -> "distributed.LocalCluster":
    import distributed

    return distributed.LocalCluster(
        n_workers=workers.jobs or processes.cores(),
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,  # pyright: ignore[reportArgumentType]
        silence_logs=logging.CRITICAL,
    )


def _connected(address: str) -> "distributed.Client":
    import distributed

    try:
        if address.endswith(".json"):
            _wait_for_file(Path(address))
            client = distributed.Client(scheduler_file=address, timeout=_CONNECT_S)
        else:
            client = distributed.Client(address, timeout=_CONNECT_S)
    except (OSError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(
            f"no Dask scheduler answers at {address} ({text}); give host:port, tcp://host:port or its "
            "scheduler file (.json)"
        ) from error
    try:
        client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
    except TimeoutError as error:
        client.close()
        raise ConfigError(
            f"the Dask scheduler at {address} had no worker for {_FIRST_WORKER_S} s; start `dask worker`s"
        ) from error
    return client


def _wait_for_file(path: Path) -> None:
    """Wait for a scheduler's file, which Dask itself does without end.

    Raises:
        OSError: There is none.
    """
    end = time.monotonic() + _CONNECT_S
    while not path.exists():
        if time.monotonic() > end:
            raise FileNotFoundError("no such file")
        time.sleep(0.1)


class Pool:
    """See `masklab.parallel.pool.Pool`."""

    def __init__(self, client: "distributed.Client", workers: Workers, asker: Origin) -> None:
        self._client, self._asker = client, asker
        self._limit = workers.jobs
        gpus = workers.gpus_per_job
        counted = workers.address is not None  # here, --jobs says how many share one
        self._resources = {"GPU": gpus} if gpus is not None and counted else None

    @property
    def slots(self) -> int:
        """Tasks that the present workers take side by side."""
        there = len(self._client.scheduler_info(n_workers=-1)["workers"])
        return min(self._limit, there) if self._limit else max(1, there)

    def outcomes(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], common: Sequence[Any] = ()
    ) -> Iterator[Outcome]:
        """See `masklab.parallel.pool.Pool`."""
        stop = processes.stoppable(self._asker)
        with stop:
            work = _Work(self._client, self._asker, self._resources, function, calls, common)
            yield from work.outcomes(self._limit or len(calls))
            stopping.raise_if_asked()


class _Work:
    """Tasks of one call of `outcomes`."""

    def __init__(
        self,
        client: "distributed.Client",
        asker: Origin,
        resources: dict[str, float] | None,
        function: Callable[..., Any],
        calls: Sequence[tuple[Any, ...]],
        common: Sequence[Any],
    ) -> None:
        self._client, self._asker, self._resources = client, asker, resources
        self._function, self._calls, self._common = function, calls, common
        self._tries = [0] * len(calls)
        self._numbers: dict[Any, int] = {}
        self._shared: list[Any] = []
        self._times, self._sent = 0, [0] * len(calls)

    def outcomes(self, most: int) -> Iterator[Outcome]:
        """All outcomes, with so many tasks at a time with the scheduler."""
        import distributed

        if not self._calls:
            return
        self._share()
        waiting = iter(range(len(self._calls)))
        under_way = distributed.as_completed([], loop=self._client.loop)
        try:
            for number in _first(waiting, most):
                under_way.add(self._submit(number))
            for future in under_way:
                number = self._numbers.pop(future.key)
                outcome = self._outcome(number, future)
                if outcome is None:
                    under_way.add(self._submit(number))
                    continue
                yield outcome
                for following in () if stopping.asked() else _first(waiting, 1):
                    under_way.add(self._submit(following))
        finally:
            self._client.cancel(list(under_way.futures), force=True)

    def _share(self) -> None:
        """Send what all tasks need to all workers once: it lives as long as one of them."""
        self._times += 1
        try:
            self._client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
            self._shared = [
                self._client.scatter([own], broadcast=True, hash=False)[0]  # pyright: ignore
                for own in self._common
            ]
        except TimeoutError as error:
            raise MasklabError(
                f"the Dask scheduler had no worker left for {_FIRST_WORKER_S} s; what is written stays, and "
                "the same command goes on"
            ) from error

    def _submit(self, number: int) -> Any:
        self._tries[number] += 1
        self._sent[number] = self._times
        future = self._client.submit(
            task.attempt,
            self._asker,
            number,
            self._function,
            self._calls[number],
            *self._shared,
            pure=False,
            resources=self._resources,
        )
        self._numbers[future.key] = number
        return future

    def _outcome(self, number: int, future: Any) -> Outcome | None:
        """Outcome of a future; None where it is to be tried again."""
        import distributed

        try:
            return future.result()
        except distributed.KilledWorker:
            text = f"its worker was killed {_TRIES} times (out of memory?)"
        except distributed.CancelledError as error:  # the worker that held what it needs is gone
            if self._client.status != "running":
                raise MasklabError(
                    "the Dask scheduler is gone; what is written stays, and the same command goes on"
                ) from error
            if self._tries[number] < _TRIES:
                if self._sent[number] == self._times:  # else it was sent again since
                    self._share()
                return None
            text = f"it was lost {_TRIES} times"
        except Exception as error:  # the worker could not even begin, for instance without masklab
            return Outcome(number, error=task.portable(error))
        return Outcome(number, error=MasklabError(text))


def _first(numbers: Iterator[int], most: int) -> list[int]:
    return [number for _, number in zip(range(most), numbers, strict=False)]
