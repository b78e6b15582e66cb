"""Train what a study asks for and its directory lacks."""

import sys
import time
from dataclasses import dataclass, replace
from typing import Any

from masklab import data as datasets
from masklab import parallel, progress
from masklab.archive import directory, files, places
from masklab.archive.member import member_id
from masklab.errors import ArchiveError, ConfigError, MasklabError
from masklab.progress import Listener
from masklab.study import Study
from masklab.training import device as devices
from masklab.training import plan as plans
from masklab.training import record as records
from masklab.training import shards, watch
from masklab.training import survey as surveys

Outcome = surveys.Outcome


@dataclass(frozen=True)
class Options:
    """How to train; nothing here changes what a study's digests cover.

    Attributes:
        jobs: Cohorts trained side by side; 0 = one per core (one in all on a GPU of this machine), or one per
            worker of a cluster.
        backend: Where they are trained: a name in `masklab.parallel.BACKENDS`.
        address: Of a cluster that is there.
        gpus_per_job: Share of a GPU that a cohort takes.
        shard: Which part of the cohorts.
        device: `"cpu"`, `"cuda"` or `"auto"`.
        engine: `"vmap"`, `"loop"` or `"auto"`: the faster one, measured once per directory.
        precision: `"fp32"` or `"bf16"`; None: whatever the plan says, fp32 in a new one.
        retry_failed: Train members again whose training failed before.
        checkpoint_s: Least seconds between two checkpoints of a cohort.
    """

    jobs: int = 0
    backend: str = "loky"
    address: str | None = None
    gpus_per_job: float | None = None
    shard: shards.Shard = shards.WHOLE
    device: str = "auto"
    engine: str = "auto"
    precision: str | None = None
    retry_failed: bool = False
    checkpoint_s: float = 60.0

    @property
    def workers(self) -> parallel.Workers:
        """Who trains."""
        return parallel.Workers(self.backend, self.address, self.jobs, self.gpus_per_job)


def train(study: Study, out: files.Location, options: Options, listener: Listener) -> Outcome:
    """Train the members of a study that its directory does not hold yet.

    Args:
        study: What to train.
        out: The study's directory; created, or continued.
        options: How to train.
        listener: Told how far it is.

    Raises:
        ConfigError: The study does not fit its data or its directory.
        DataError: The data set cannot be read.
        ArchiveError: A stored file is damaged, or nothing can be written.
    """
    started, device = time.monotonic(), options.device
    plans.Wishes(None, options.engine, options.precision).check()
    options.workers.check()
    data = datasets.load(study.data.name, study.data.path, study.data.download)
    record = records.resolve(study, data)
    wanted = None if device == "auto" and files.exists(out / directory.PLAN) else devices.resolve(device)
    wishes = plans.Wishes(wanted, options.engine, options.precision)
    _refuse_foreign(out)
    files.sweep_temporaries(out)
    work = _settle(study, out, record, wishes, options, data, listener)
    if work.unchanged:
        return work.outcome
    if work.pending:
        _train(study, out, work, options, data, listener)
    _note_time(out, time.monotonic() - started)
    return work.outcome


def _settle(
    study: Study,
    out: files.Location,
    record: dict[str, Any],
    wishes: plans.Wishes,
    options: Options,
    data: datasets.Data,
    listener: Listener,
) -> surveys.Work:
    """What is to be done and how, written down before the first step."""
    with files.locked(out) as alone:  # another process may be growing the same study
        work = surveys.survey(
            study, out, record, wishes, options.retry_failed, _measure(data, listener), options.shard
        )
        if work.pending:
            devices.resolve(work.plan["device"])  # a plan made for a GPU needs one
            known = work.record["warnings"]
            known += [caution for caution in plans.cautions(work.plan) if caution not in known]
        _tidy(out, surveys.finished(work.stock, work.plan), "checkpoint", "progress", "lock")
        for note in work.record["warnings"]:
            listener.note(f"{note['where']}: {note['text']}")
        if work.unchanged:
            return work
        if not alone:
            listener.note(f"{out} cannot be locked: do not train into it from two processes at once")
        command = ["masklab", *map(places.without_secrets, sys.argv[1:])]
        work.record["provenance"] = records.provenance(command, work.stored)
        files.write_json(out / directory.STUDY, work.record)
        files.write_json(out / directory.PLAN, work.plan)
    return work


def _train(
    study: Study,
    out: files.Location,
    work: surveys.Work,
    options: Options,
    data: datasets.Data,
    listener: Listener,
) -> None:
    """Train pending cohorts, each by whichever process comes first."""
    _tidy(out, work.pending, "progress")  # what a killed run left would look like progress
    settled = {field: work.plan[field] for field in plans.SETTLED}
    shared = (out.absolute(), settled, data, options.checkpoint_s)
    run = _Run(out, study.training.epochs, listener, work.outcome)
    with parallel.opened(_workers(out, work, options, listener)) as pool:
        for pending in surveys.rounds(work):
            busy = run.train(pool, pending, shared, wait=False)
            if busy:
                listener.note(f"waiting: another process is training {progress.plural(len(busy), 'cohort')}")
                run.train(pool, busy, shared, wait=True)
    run.raise_if_nothing_works()
    stock = directory.Stock(out)
    surveys.count(study, stock, work)
    _tidy(out, surveys.finished(stock, {"cohorts": work.pending}), "progress", "lock")


def _workers(
    out: files.Location, work: surveys.Work, options: Options, listener: Listener
) -> parallel.Workers:
    """What was asked for, as far as the place and the memory allow."""
    workers = options.workers
    if workers.backend != "loky":
        if files.workers(out, 2) < 2:
            raise ConfigError(f"{out} is not seen by other processes; give an --out that all workers see")
        return workers
    usual = devices.jobs(work.plan["device"], workers.gpus_per_job)
    asked = files.workers(out, workers.jobs or usual)
    jobs = plans.fitting_workers(work.record, work.plan, asked)
    if jobs < asked:
        listener.note(f"{jobs} worker processes instead of {asked}: the memory holds no more cohorts")
    return replace(workers, jobs=jobs)


def _measure(data: datasets.Data, listener: Listener) -> plans.Measure:
    """Measurement for a new plan; torch is imported here, and only where a plan is made."""

    def measure(record: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
        listener.note("measuring how fast a step is here (once per directory)")
        (found,) = parallel.run(_measure_task, [(record, plan, data)], 1)
        return found

    return measure


def _measure_task(record: dict[str, Any], plan: dict[str, Any], data: datasets.Data) -> dict[str, Any]:
    from masklab.training import measure

    trained = any(population["trained"] for population in record["populations"])
    wanted = measure.candidates(plan["engine"]) if trained else []
    return measure.run(record, plan, data, wanted)


def _note_time(out: files.Location, seconds: float) -> None:
    with files.locked(out):
        stored = files.read_json(out / directory.STUDY)
        wall = stored["provenance"]["wall_s"]
        wall["train"] = round(wall.get("train", 0.0) + seconds, 2)
        files.write_json(out / directory.STUDY, stored)


def _tidy(out: files.Location, cohorts: list[dict[str, Any]], *kinds: str) -> None:
    """Remove files that cohorts left; another process may still be using the folder."""
    folder = out / directory.CHECKPOINTS
    left = files.listing(folder)
    for name in (f"{cohort['id']}.{kind}" for cohort in cohorts for kind in kinds):
        if name in left:
            files.remove(folder / name)
    files.remove_empty(folder)


def _refuse_foreign(out: files.Location) -> None:
    for folder in (out, out / directory.MEMBERS):
        files.refuse_file(folder)
    if files.exists(out / directory.STUDY) and directory.read_study(out)["recipe_digest"] is None:
        raise ConfigError(
            f"{out} holds imported masks and no recipe to train by; give another --out, and import into that"
        )
    for needed in (directory.STUDY, directory.PLAN):
        if not files.exists(out / needed) and files.exists(out / directory.MEMBERS):
            raise ArchiveError(
                f"{out} holds members but no {needed}, without which new members would not match them; "
                "put it back, or give another --out"
            )


class _Run:
    """Training of cohorts on workers; what goes wrong with one is kept until the others are done.

    Args:
        out: The study's directory.
        epochs: Passes over the training images.
        listener: Told how far it is.
        outcome: Written into.
    """

    def __init__(self, out: files.Location, epochs: int, listener: Listener, outcome: Outcome) -> None:
        self._out, self._epochs, self._listener, self._outcome = out, epochs, listener, outcome
        self._errors: list[MasklabError] = []
        self._worked = False

    def train(
        self, pool: parallel.Pool, cohorts: list[dict[str, Any]], shared: tuple[Any, ...], *, wait: bool
    ) -> list[dict[str, Any]]:
        """Train cohorts, unless others do; those that others do.

        Args:
            pool: Who trains.
            cohorts: Entries of the plan.
            shared: First arguments of `task.run`.
            wait: Whether to wait for others that train the same cohort.
        """
        units = {cohort["id"]: self._epochs * len(cohort["indices"]) for cohort in cohorts}
        self._listener.begin(
            progress.members("train", sum(units.values()) // self._epochs), sum(units.values())
        )
        busy = []
        with watch.watching(self._out, units, self._listener) as finished:
            for found in pool.outcomes(_task, [(cohort, wait) for cohort in cohorts], shared):
                cohort = cohorts[found.number]
                if found.stopped:
                    continue
                if found.error is not None:
                    self._note(cohort, found.error)
                    continue
                self._worked = True
                self._outcome.written += found.value["written"]
                if found.value["busy"]:
                    busy.append(cohort)
                else:
                    finished(cohort["id"])
        return busy

    def _note(self, cohort: dict[str, Any], error: MasklabError) -> None:
        self._errors.append(error)
        names = [member_id(cohort["population"], index) for index in cohort["indices"]]
        self._outcome.lost.setdefault(str(error), []).extend(names)

    def raise_if_nothing_works(self) -> None:
        """Where no cohort could be trained, the first reason is that of the whole command."""
        if self._errors and not self._worked:
            raise self._errors[0]


def _task(
    out: files.Location,
    settled: dict[str, Any],
    data: datasets.Data,
    checkpoint_s: float,
    cohort: dict[str, Any],
    wait: bool,
) -> dict[str, Any]:
    from masklab.training import task  # torch is imported by whoever computes, not by whoever waits

    return task.run(out, cohort, settled, data, checkpoint_s, wait)
