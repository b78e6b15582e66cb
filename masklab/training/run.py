"""Train what a study asks for and its directory lacks."""

import sys
import time
from dataclasses import dataclass
from typing import Any

from masklab import data as datasets
from masklab import parallel, progress
from masklab.archive import directory, files, first, places
from masklab.errors import ArchiveError, ConfigError
from masklab.progress import Listener
from masklab.study import Study
from masklab.training import crew as crews
from masklab.training import device as devices
from masklab.training import plan as plans
from masklab.training import record as records
from masklab.training import shards
from masklab.training import survey as surveys

Outcome = surveys.Outcome


@dataclass(frozen=True)
class Options:
    """How to train; nothing here changes what a study's digests cover.

    Attributes:
        jobs: Cohorts trained side by side; 0 = cores ÷ threads (one in all on a GPU of this machine), or one
            per worker of a cluster.
        backend: Where they are trained: a name in `masklab.parallel.BACKENDS`.
        address: Of a cluster that is there.
        gpus_per_job: Share of a GPU that a cohort takes.
        shard: Which part of the cohorts.
        device: `"cpu"`, `"cuda"` or `"auto"`.
        engine: `"vmap"`, `"loop"` or `"auto"`: the faster one, measured once per directory.
        precision: `"fp32"` or `"bf16"`; None: whatever the plan says, fp32 in a new one.
        threads: Processor threads of a cohort; None: whatever the plan says, one in a new one on a CPU.
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
    threads: int | None = None
    retry_failed: bool = False
    checkpoint_s: float = 60.0

    @property
    def workers(self) -> parallel.Workers:
        """Who trains."""
        return parallel.Workers(self.backend, self.address, self.jobs, self.gpus_per_job, self.threads or 1)


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
    started = time.monotonic()
    check(options)
    data = datasets.load(study.data.name, study.data.path, study.data.download)
    record = records.resolve(study, data)
    refuse_foreign(out)
    files.sweep_temporaries(out)
    with crews.Crew(options.workers, data, listener) as crew:
        work = _settle(study, out, record, options, crew, listener)
        if work.unchanged:
            return work.outcome
        if work.pending:
            _train(study, out, work, options.checkpoint_s, crew, listener)
    _note_time(out, time.monotonic() - started)
    return work.outcome


def _settle(
    study: Study,
    out: files.Location,
    record: dict[str, Any],
    options: Options,
    crew: crews.Crew,
    listener: Listener,
) -> surveys.Work:
    """What is to be done and how, written down before the first step."""
    with files.locked(out) as alone:  # another process may be growing the same study
        fresh = not files.exists(out / directory.PLAN)
        wishes = wished(options, fresh=fresh)
        work = surveys.survey(study, out, record, wishes, options.retry_failed, crew.measure, options.shard)
        if work.pending:
            crew.require(work.plan["device"])  # a plan made for a GPU needs one
            known = work.record["warnings"]
            known += [caution for caution in plans.cautions(work.plan) if caution not in known]
        _tidy(out, surveys.finished(work.stock, work.plan), "checkpoint", "progress", "lock")
        settled = work.unchanged or _written(out, work, alone=alone, fresh=fresh)
    if not settled:
        return _settle(study, out, record, options, crew, listener)  # by the plan of who was quicker
    for note in work.record["warnings"]:
        listener.note(f"{note['where']}: {note['text']}")
    if not work.mine:
        groups = len(shards.groups(work.plan, work.record))
        listener.note(
            f"part {options.shard} has nothing to do: the study has {progress.plural(groups, 'part')}"
        )
    if not alone and not work.unchanged:
        listener.note(f"{out} cannot be locked: let one process at a time add members or populations")
    return work


def check(options: Options) -> None:
    """Refuse options that cannot be.

    Raises:
        ConfigError: One is not allowed.
    """
    plans.Wishes(None, options.engine, options.precision, options.threads).check()
    options.workers.check()
    if options.device not in devices.KINDS:
        raise ConfigError(f"unknown device {options.device!r}; known: {', '.join(devices.KINDS)}")
    threads, cores = options.threads or 1, parallel.cores()
    if options.address is None and not 1 <= threads <= cores:
        raise ConfigError(f"--threads {threads}: expected 1 to {cores}, the number of cores")


def wished(options: Options, *, fresh: bool) -> plans.Wishes:
    """What the options say of a plan; `auto` is what an older plan says.

    Args:
        options: How to train.
        fresh: Whether there is no plan yet.

    Raises:
        ConfigError: The device is unknown, or not there.
    """
    device = crews.device(options.device, options.workers) if fresh or options.device != "auto" else None
    return plans.Wishes(device, options.engine, options.precision, options.threads)


def _written(out: files.Location, work: surveys.Work, *, alone: bool, fresh: bool) -> bool:
    """Write down what is to be done; False where another process was quicker to make a plan."""
    command = ["masklab", *map(places.without_secrets, sys.argv[1:])]
    work.record["provenance"] = records.provenance(command, work.stored)
    files.write_json(out / directory.STUDY, work.record)
    if fresh and not alone:
        return first.write_json(out / directory.PLAN, work.plan)
    if fresh or files.read_json(out / directory.PLAN) != work.plan:
        files.write_json(out / directory.PLAN, work.plan)
    return True


def _train(
    study: Study,
    out: files.Location,
    work: surveys.Work,
    checkpoint_s: float,
    crew: crews.Crew,
    listener: Listener,
) -> None:
    """Train pending cohorts, each by whichever process comes first."""
    _tidy(out, work.pending, "progress")  # what a killed run left would look like progress
    crew.prepare(out, work, study.training.epochs, checkpoint_s)
    for pending in surveys.rounds(work):
        busy = crew.train(pending, wait=False)
        if busy:
            listener.note(f"waiting: another process is training {progress.plural(len(busy), 'cohort')}")
            crew.train(busy, wait=True)
    stock = directory.Stock(out)
    surveys.count(study, stock, work)
    crew.conclude(stock.settled)
    _tidy(out, surveys.finished(stock, {"cohorts": work.pending}), "progress", "lock")


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


def refuse_foreign(out: files.Location) -> None:
    """Refuse a directory in which members of this study cannot be.

    Raises:
        ConfigError: It holds imported masks only.
        ArchiveError: It is a file, or lacks what new members would have to match.
    """
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
