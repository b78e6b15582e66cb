"""Who trains: workers, opened when they are first needed, and what became of each cohort."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from masklab import data as datasets
from masklab import parallel, progress, stopping
from masklab.archive import files
from masklab.archive.member import member_id
from masklab.errors import ConfigError, MasklabError
from masklab.progress import Listener
from masklab.training import device as devices
from masklab.training import plan as plans
from masklab.training import survey as surveys
from masklab.training import watch

log = logging.getLogger(__name__)


def device(wanted: str, workers: parallel.Workers) -> str:
    """`"cpu"` or `"cuda"` for what the user asked; of workers elsewhere only the user knows.

    Raises:
        ConfigError: Unknown device, or CUDA on this machine without a usable GPU.
    """
    if workers.address is None:
        return devices.resolve(wanted)
    if wanted not in devices.KINDS:
        raise ConfigError(f"unknown device {wanted!r}; known: {', '.join(devices.KINDS)}")
    if wanted == "auto":
        return "cpu" if workers.gpus_per_job is None else "cuda"
    return wanted


class Crew:
    """Workers of one training; what goes wrong with a cohort is kept until the others are done.

    Args:
        workers: Which.
        data: The study's data set.
        listener: Told how far they are.
    """

    def __init__(self, workers: parallel.Workers, data: datasets.Data, listener: Listener) -> None:
        self._workers, self._data, self._listener = workers, data, listener
        self._stack, self._pool = ExitStack(), None
        self._errors: list[MasklabError] = []
        self._worked = False

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def require(self, kind: str) -> None:
        """Check that workers have a device.

        Raises:
            ConfigError: They are of this machine, and it has none.
        """
        if self._workers.address is None:
            devices.resolve(kind)

    def measure(self, record: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
        """What a new plan needs to know, measured where members will be trained."""
        where = "here" if self._workers.address is None else "on a worker"
        self._listener.note(f"measuring how fast a step is {where} (once per directory)")
        if self._workers.address is None:
            return _measure(record, plan, self._data)
        (found,) = self.opened(self._workers).outcomes(_measure, [(record, plan, self._data)])
        if found.error is not None:
            raise found.error
        return found.value

    def prepare(self, out: files.Location, work: surveys.Work, epochs: int, checkpoint_s: float) -> None:
        """Say what is to be trained.

        Args:
            out: The study's directory.
            work: What is to be done; its outcome is written into.
            epochs: Passes over the training images.
            checkpoint_s: Least seconds between two checkpoints of a cohort.

        Raises:
            ConfigError: Workers do not see the directory, or there are none.
        """
        self._out, self._epochs, self._outcome = out, epochs, work.outcome
        settled = {field: work.plan[field] for field in plans.SETTLED}
        self._shared = (out.absolute(), settled, self._data, checkpoint_s)
        self._gpus = devices.gpus(work.plan["device"]) if self._workers.backend == "loky" else 0
        self.opened(self.fitting(out, work))

    def fitting(self, out: files.Location, work: surveys.Work) -> parallel.Workers:
        """What was asked for, as far as the place and the memory allow.

        Raises:
            ConfigError: Other processes do not see the place.
        """
        device, threads = work.plan["device"], work.plan["threads"]
        workers = replace(self._workers, threads=threads)
        if workers.backend != "loky" and files.workers(out, 2) < 2:
            raise ConfigError(f"{out} is not seen by other processes; give an --out that workers see")
        if workers.address is not None:
            return workers
        usual = devices.jobs(device, threads, workers.gpus_per_job)
        asked = files.workers(out, workers.jobs or usual)
        if device == "cuda" and workers.gpus_per_job is not None:
            asked = min(asked, usual)
        jobs = plans.fitting_workers(work.record, work.plan, asked)
        if jobs < asked:
            self._listener.note(
                f"{jobs} worker processes instead of {asked}: the memory holds no more cohorts"
            )
        return replace(workers, jobs=jobs)

    def opened(self, workers: parallel.Workers) -> parallel.Pool:
        """The workers that are there, or these, opened now.

        Raises:
            ConfigError: There are none.
        """
        if self._pool is None:
            self._pool = self._stack.enter_context(parallel.opened(workers))
        return self._pool

    def train(self, cohorts: list[dict[str, Any]], *, wait: bool) -> list[dict[str, Any]]:
        """Train cohorts, unless others do; those that others do.

        Args:
            cohorts: Entries of the plan.
            wait: Whether to wait for others that train the same cohort.
        """
        units = {cohort["id"]: self._epochs * len(cohort["indices"]) for cohort in cohorts}
        self._listener.begin(
            progress.members("train", sum(units.values()) // self._epochs), sum(units.values())
        )
        busy = []
        with watch.watching(self._out, units, self._listener) as finished:
            for found in self.opened(self._workers).outcomes(
                _task, [(self._gpu(at), cohort, wait) for at, cohort in enumerate(cohorts)], self._shared
            ):
                cohort = cohorts[found.number]
                if found.stopped and stopping.asked():
                    continue
                if found.stopped:
                    self._note(cohort, MasklabError("its worker alone was asked to stop"))
                    continue
                if found.error is not None:
                    if found.trace:
                        log.error("%s", found.trace)
                    self._note(cohort, found.error)
                    continue
                self._worked = True
                self._outcome.written += found.value["written"]
                if found.value["busy"]:
                    busy.append(cohort)
                else:
                    finished(cohort["id"])
        return busy

    def _gpu(self, place: int) -> int | None:
        """Which of several GPUs of this machine a cohort gets; clusters hand them out themselves."""
        return place % self._gpus if self._gpus > 1 else None

    def _note(self, cohort: dict[str, Any], error: MasklabError) -> None:
        self._errors.append(error)
        names = [member_id(cohort["population"], index) for index in cohort["indices"]]
        self._outcome.lost.setdefault(str(error), []).extend(names)

    def conclude(self, stored: Callable[[str], bool]) -> None:
        """Say what was not trained; where no cohort could be, the first reason is that of the whole command.

        Args:
            stored: Whether a member is stored, or known to fail.

        Raises:
            MasklabError: Nothing could be trained.
        """
        lost = self._outcome.lost
        for cause, names in list(lost.items()):
            lost[cause] = [name for name in names if not stored(name)]
            if not lost[cause]:
                del lost[cause]
        if self._errors and not self._worked:
            for cause in list(lost)[1:]:
                self._listener.note(f"{cause}")
            raise self._errors[0]


def _task(
    out: files.Location,
    settled: dict[str, Any],
    data: datasets.Data,
    checkpoint_s: float,
    gpu: int | None,
    cohort: dict[str, Any],
    wait: bool,
) -> dict[str, Any]:
    from masklab.training import task  # torch is imported by whoever computes, not by whoever waits

    devices.use(gpu)
    return task.run(out, cohort, settled, data, checkpoint_s, wait)


def _measure(record: dict[str, Any], plan: dict[str, Any], data: datasets.Data) -> dict[str, Any]:
    from masklab.training import measure, memory

    trained = any(population["trained"] for population in record["populations"])
    wanted = measure.candidates(plan["engine"]) if trained else []
    return {**measure.run(record, plan, data, wanted), "memory_bytes": memory.available(plan["device"])}
