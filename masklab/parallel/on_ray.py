"""Workers of Ray, through its own tasks.

Ray's joblib backend replaces a base class of joblib, gives results only when all are there, and does not
repeat a task whose worker died.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from masklab import stopping
from masklab.errors import ConfigError, MasklabError
from masklab.parallel import processes, task
from masklab.parallel.pool import Workers
from masklab.parallel.task import Origin, Outcome

_RETRIES = 3
"""How often a task runs again whose worker or host was lost."""

_CONNECT_S, _LOOK_S = 10, 0.5


@contextmanager
def opened(workers: Workers) -> Iterator["Pool"]:
    """Workers of a cluster that is there, or of one that lasts as long as the block.

    Raises:
        ConfigError: Ray is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
    except ImportError as error:
        raise ConfigError(f"--backend ray needs more: pip install 'masklab[ray]' ({error})") from error
    mine = not ray.is_initialized()
    if mine:
        _start(workers)
    try:
        local = mine and workers.address is None
        yield Pool(workers, Origin(processes.origin().stop if local else None))
    finally:
        if mine:
            ray.shutdown()


def _start(workers: Workers) -> None:
    import ray
    from ray import exceptions

    settings: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if workers.address is None:
        cpus = workers.jobs * workers.threads or processes.cores()
        settings |= {"num_cpus": cpus, "include_dashboard": False}
    try:
        _knock(workers.address)
        ray.init(address=workers.address or "local", **settings)
    except (OSError, ValueError, RuntimeError, AssertionError, exceptions.RayError) as error:
        text = " ".join(str(error).split())
        if "AuthToken" in str(error.__cause__):
            text = "it wants another token; set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to its file"
        raise ConfigError(
            f"no Ray cluster answers at {workers.address or 'this machine'} ({text}); give host:port, "
            "ray://host:port, or auto on a host of the cluster"
        ) from error
    stopping.listen_again()  # Ray ends a process at SIGTERM
    there, share = ray.cluster_resources(), workers.gpus_per_job
    if share is not None and there.get("GPU", 0) < share:
        ray.shutdown()
        raise ConfigError(f"--gpus-per-job {share:g}: the Ray cluster has {there.get('GPU', 0):g} GPUs")
    if there.get("CPU", 0) < workers.threads:
        ray.shutdown()
        raise ConfigError(
            f"the Ray cluster has {there.get('CPU', 0):g} CPUs, and a task takes {workers.threads}"
        )


def _knock(address: str | None) -> None:
    """Look whether anybody listens, as Ray itself tries for minutes.

    Raises:
        OSError: Nobody does.
    """
    host, _, port = (address or "").rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()


class Pool:
    """See `masklab.parallel.pool.Pool`."""

    def __init__(self, workers: Workers, asker: Origin) -> None:
        self._workers, self._asker = workers, asker

    @property
    def slots(self) -> int:
        """Tasks that the present workers take side by side."""
        import ray

        there = int(ray.cluster_resources().get("CPU", 1)) // self._workers.threads
        return max(1, min(self._workers.jobs or there, there))

    def outcomes(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], common: Sequence[Any] = ()
    ) -> Iterator[Outcome]:
        """See `masklab.parallel.pool.Pool`."""
        with processes.stoppable(self._asker):
            yield from self._outcomes(function, calls, common)
            stopping.raise_if_asked()

    def _outcomes(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], common: Sequence[Any]
    ) -> Iterator[Outcome]:
        import ray

        gpus = self._workers.gpus_per_job
        remote = ray.remote(task.attempt).options(
            num_cpus=self._workers.threads,
            max_retries=_RETRIES,
            **({} if gpus is None else {"num_gpus": gpus}),
        )
        shared = [ray.put(own) for own in common]
        left = iter(range(len(calls)))
        under_way: dict[Any, int] = {}

        def submit() -> None:
            for number in left:
                made = remote.remote(self._asker, number, function, calls[number], *shared)
                under_way[made] = number
                return

        for _ in range(min(len(calls), self._workers.jobs or len(calls))):
            submit()
        try:
            while under_way:
                ready, _ = ray.wait(list(under_way), num_returns=1, timeout=_LOOK_S)
                for made in ready:
                    yield _outcome(under_way.pop(made), made)
                    if not stopping.asked():
                        submit()
        finally:
            for made in under_way:
                ray.cancel(made, force=True)


def _outcome(number: int, made: Any) -> Outcome:
    import ray
    from ray import exceptions

    try:
        return ray.get(made)
    except exceptions.OutOfMemoryError:
        text = "its worker was killed, as the memory of its host was short"
    except (exceptions.WorkerCrashedError, exceptions.NodeDiedError):
        text = f"its worker was killed {_RETRIES + 1} times (out of memory?)"
    except exceptions.RayTaskError as error:  # it could not even begin, for instance without masklab
        return Outcome(number, error=task.portable(error.cause or error))
    except exceptions.RayError as error:
        return Outcome(number, error=task.portable(error))
    return Outcome(number, error=MasklabError(text))
