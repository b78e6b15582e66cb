"""Where tasks run: one of several backends behind one interface."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from masklab.errors import ConfigError, unknown
from masklab.parallel import processes
from masklab.parallel.task import Outcome

BACKENDS = {
    "loky": "worker processes of this machine",
    "dask": "workers of a Dask scheduler, or of one started here",
    "ray": "workers of a Ray cluster, or of one started here",
}
"""Name of each backend and where its workers are; another one is a module `on_<name>` with `opened`."""


@dataclass(frozen=True)
class Workers:
    """Where tasks run, as a user says it.

    Attributes:
        backend: A name in `BACKENDS`.
        address: Of a cluster that is there; None: one is started, on this machine.
        jobs: Tasks side by side; 0: as many as there are cores, or workers.
        gpus_per_job: Share of a GPU that a task takes; None: the cluster does not count GPUs.
        threads: Processor threads of a task.
    """

    backend: str = "loky"
    address: str | None = None
    jobs: int = 0
    gpus_per_job: float | None = None
    threads: int = 1

    def check(self) -> None:
        """Raise a ConfigError for workers that cannot be."""
        if self.backend not in BACKENDS:
            raise ConfigError(unknown("backend", self.backend, BACKENDS))
        if self.address is not None and self.backend == "loky":
            raise ConfigError("--address is of a cluster; give --backend dask or --backend ray with it")
        if self.address is not None and not self.address.strip():
            raise ConfigError("--address is empty; give that of a cluster, or leave it out to start one here")
        gpus = self.gpus_per_job
        if gpus is not None and not (0 < gpus <= 1 or (1 < gpus < 1000 and gpus.is_integer())):
            raise ConfigError(
                f"--gpus-per-job {gpus:g}: expected a share above 0 and up to 1, or a whole number of GPUs"
            )


@runtime_checkable
class Pool(Protocol):
    """Workers that are there."""

    @property
    def slots(self) -> int:
        """Tasks that they take side by side."""
        ...

    def outcomes(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], common: Sequence[Any] = ()
    ) -> Iterator[Outcome]:
        """One outcome for every call, in the order in which they become ready.

        A task whose worker is lost runs again elsewhere, so it must be harmless to run twice. When this
        process is asked to stop, workers of this machine are as well; those of a cluster go on.

        Args:
            function: A module-level function (it travels by name).
            calls: Its last positional arguments, one tuple per task; they must pickle.
            common: Its first ones, the same for all tasks; they travel once to each worker.

        Raises:
            MasklabError: While iterating: the cluster is gone.
            Stopped: While iterating: this process was asked to stop.
        """
        ...


@contextmanager
def opened(workers: Workers) -> Iterator[Pool]:
    """Workers, for as long as a block lasts.

    Args:
        workers: Which.

    Raises:
        ConfigError: There are no such workers, or what they need is not installed.
    """
    workers.check()
    if workers.backend == "loky":
        yield processes.Pool(workers.jobs or processes.cores())
        return
    module = importlib.import_module(f"masklab.parallel.on_{workers.backend}")
    with module.opened(workers) as pool:
        yield pool
