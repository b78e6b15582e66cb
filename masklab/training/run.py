"""Train what a study asks for and its directory lacks."""

import sys
import time
from dataclasses import dataclass
from typing import Any

from masklab import data as datasets
from masklab import parallel, progress
from masklab.archive import directory, files, places
from masklab.errors import ArchiveError, ConfigError
from masklab.progress import Listener
from masklab.study import Study
from masklab.training import device as devices
from masklab.training import plan as plans
from masklab.training import record as records
from masklab.training import survey as surveys
from masklab.training import watch

Outcome = surveys.Outcome


@dataclass(frozen=True)
class Options:
    """How to train; nothing here changes what a study's digests cover.

    Attributes:
        jobs: Cohorts trained side by side; 0 = one per core (one in all on a GPU).
        device: `"cpu"`, `"cuda"` or `"auto"`.
        engine: `"vmap"`, `"loop"` or `"auto"`: the faster one, measured once per directory.
        precision: `"fp32"` or `"bf16"`; None: whatever the plan says, fp32 in a new one.
        retry_failed: Train members again whose training failed before.
        checkpoint_s: Least seconds between two checkpoints of a cohort.
    """

    jobs: int = 0
    device: str = "auto"
    engine: str = "auto"
    precision: str | None = None
    retry_failed: bool = False
    checkpoint_s: float = 60.0


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
        work = surveys.survey(study, out, record, wishes, options.retry_failed, _measure(data, listener))
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
    """Train pending cohorts, each by whichever process of this machine comes first."""
    _tidy(out, work.pending, "progress")  # what a killed run left would look like progress
    asked = options.jobs or (1 if work.plan["device"] == "cuda" else parallel.cores())
    asked = files.workers(out, asked)
    workers = plans.fitting_workers(work.record, work.plan, asked)
    if workers < asked:
        listener.note(f"{workers} worker processes instead of {asked}: the memory holds no more cohorts")
    settled = {field: work.plan[field] for field in plans.SETTLED}
    for pending in surveys.rounds(work):
        tasks = [(out, cohort, settled, data, options.checkpoint_s, False) for cohort in pending]
        busy = _run(tasks, workers, study.training.epochs, listener, work.outcome)
        if busy:
            listener.note(f"waiting: another process is training {progress.plural(len(busy), 'cohort')}")
            tasks = [(out, cohort, settled, data, options.checkpoint_s, True) for cohort in busy]
            _run(tasks, workers, study.training.epochs, listener, work.outcome)
    stock = directory.Stock(out)
    surveys.count(study, stock, work.outcome)
    _tidy(out, surveys.finished(stock, {"cohorts": work.pending}), "progress", "lock")


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


_Task = tuple[files.Location, dict[str, Any], dict[str, Any], datasets.Data, float, bool]
"""Directory, cohort, what the plan settles, data set, seconds between checkpoints, whether to wait."""


def _run(
    tasks: list[_Task], jobs: int, epochs: int, listener: Listener, outcome: Outcome
) -> list[dict[str, Any]]:
    """Train cohorts, unless others do; those that others do."""
    busy: set[str] = set()
    units = {cohort["id"]: epochs * len(cohort["indices"]) for _, cohort, *_ in tasks}
    listener.begin(progress.members("train", sum(units.values()) // epochs), sum(units.values()))
    with watch.watching(tasks[0][0], units, listener) as finished:
        for summary in parallel.run(_task, tasks, jobs):
            if summary["busy"]:
                busy.add(summary["cohort"])
            else:
                finished(summary["cohort"])
            outcome.written += summary["written"]
    return [cohort for _, cohort, *_ in tasks if cohort["id"] in busy]


def _task(*arguments: Any) -> dict[str, Any]:
    from masklab.training import task  # torch is imported by whoever computes, not by whoever waits

    return task.run(*arguments)
