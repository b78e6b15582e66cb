"""Train what a study asks for and its directory lacks."""

import sys
import time
from dataclasses import dataclass, field
from typing import Any

from masklab import data as datasets
from masklab import parallel, progress
from masklab.archive import Member, directory, files, member, places
from masklab.errors import ArchiveError
from masklab.progress import Listener
from masklab.study import Study
from masklab.training import device as devices
from masklab.training import plan as plans
from masklab.training import record as records
from masklab.training import watch


@dataclass
class Outcome:
    """What one call of `train` did.

    Attributes:
        written: Ids of the members trained now.
        present: Number of members that were already there.
        failed: Ids of members whose training failed, now or before.
    """

    written: list[str] = field(default_factory=list)
    present: int = 0
    failed: list[str] = field(default_factory=list)


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
    with files.locked(out) as alone:  # another process may be growing the same study
        work = _survey(study, out, record, wishes, options.retry_failed, _measure(data, listener))
        if work.pending:
            devices.resolve(work.plan["device"])  # a plan made for a GPU needs one
            known = work.record["warnings"]
            known += [caution for caution in plans.cautions(work.plan) if caution not in known]
        _tidy(out, _finished(work.stock, work.plan), "checkpoint", "progress")
        for note in work.record["warnings"]:
            listener.note(f"{note['where']}: {note['text']}")
        if work.unchanged:
            return work.outcome
        if not alone:
            listener.note(f"{out} cannot be locked: do not train into it from two processes at once")
        command = ["masklab", *map(places.without_secrets, sys.argv[1:])]
        work.record["provenance"] = records.provenance(command, work.stored)
        files.write_json(out / directory.STUDY, work.record)
        files.write_json(out / directory.PLAN, work.plan)
    files.sweep_temporaries(out)
    if work.pending:
        _tidy(out, work.pending, "progress")  # what a killed run left would look like progress
        asked = options.jobs or (1 if work.plan["device"] == "cuda" else parallel.cores())
        asked = files.workers(out, asked)
        workers = plans.fitting_workers(work.record, work.plan, asked)
        if workers < asked:
            listener.note(f"{workers} worker processes instead of {asked}: the memory holds no more cohorts")
        for pending in _rounds(work):
            tasks = [(out, cohort, data, options.checkpoint_s, False) for cohort in pending]
            busy = _run(tasks, workers, study.training.epochs, listener, work.outcome)
            if busy:
                listener.note(f"waiting: another process is training {progress.plural(len(busy), 'cohort')}")
                tasks = [(out, cohort, data, options.checkpoint_s, True) for cohort in busy]
                _run(tasks, workers, study.training.epochs, listener, work.outcome)
        _count(study, directory.Stock(out), work.outcome)
        _tidy(out, _finished(directory.Stock(out), {"cohorts": work.pending}), "progress", "lock")
    _note_time(out, time.monotonic() - started)
    return work.outcome


def _count(study: Study, stock: directory.Stock, outcome: Outcome) -> None:
    """Count what is there now, whoever trained it."""
    asked = [(own.name, index) for own in study.population for index in range(own.members)]
    outcome.present = sum(stock.member(*own) for own in asked) - len(outcome.written)
    failed = [own for own in asked if stock.failure(*own) and not stock.member(*own)]
    outcome.failed = [member.member_id(*own) for own in failed]


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


def _rounds(work: "_Work") -> list[list[dict[str, Any]]]:
    """Pending cohorts in rounds: populations that are made from others come after them."""
    made = {p["name"] for p in work.record["populations"] if p["options"].get("of") is not None}
    rounds = [[c for c in work.pending if (c["population"] in made) is later] for later in (False, True)]
    return [cohorts for cohorts in rounds if cohorts]


def _note_time(out: files.Location, seconds: float) -> None:
    with files.locked(out):
        stored = files.read_json(out / directory.STUDY)
        wall = stored["provenance"]["wall_s"]
        wall["train"] = round(wall.get("train", 0.0) + seconds, 2)
        files.write_json(out / directory.STUDY, stored)


@dataclass
class _Work:
    """What a directory holds and what is left to do."""

    stored: dict[str, Any] | None
    record: dict[str, Any]
    plan: dict[str, Any]
    stock: directory.Stock
    outcome: Outcome
    pending: list[dict[str, Any]]

    @property
    def unchanged(self) -> bool:
        """Whether there is nothing to train and nothing to write down."""
        if self.stored is None or self.pending:
            return False
        return {**self.stored, "provenance": None} == {**self.record, "provenance": None}


def _survey(
    study: Study,
    out: files.Location,
    record: dict[str, Any],
    wishes: plans.Wishes,
    retry_failed: bool,
    measure: plans.Measure,
) -> _Work:
    stored = directory.read_study(out) if files.exists(out / directory.STUDY) else None
    merged = record if stored is None else records.grow(stored, record)
    stock = directory.Stock(out)
    outcome = _take_stock(study, out, stock, merged)
    plan = plans.read_or_make(out, merged, wishes, measure)
    if retry_failed and outcome.failed:  # forgotten once, however many processes try again
        for population, _, index in (failed.rpartition("/") for failed in outcome.failed):
            files.remove(directory.failure_path(out, population, int(index)))
        stock, outcome.failed = directory.Stock(out), []
    return _Work(stored, merged, plan, stock, outcome, _pending(study, stock, plan, outcome))


def _finished(stock: directory.Stock, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Cohorts of a plan whose members are all stored, or known to fail."""
    return [
        cohort
        for cohort in plan["cohorts"]
        if all(
            stock.member(cohort["population"], index) or stock.failure(cohort["population"], index)
            for index in cohort["indices"]
        )
    ]


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
    for needed in (directory.STUDY, directory.PLAN):
        if not files.exists(out / needed) and files.exists(out / directory.MEMBERS):
            raise ArchiveError(
                f"{out} holds members but no {needed}, without which new members would not match them; "
                "put it back, or give another --out"
            )


def _take_stock(study: Study, out: files.Location, stock: directory.Stock, record: dict[str, Any]) -> Outcome:
    """Check the headers of stored members and list failures.

    Raises:
        ArchiveError: A stored file is damaged or another study's.
    """
    outcome = Outcome()
    digests = {population["name"]: population["digest"] for population in record["populations"]}
    for population in study.population:
        for index in range(population.members):
            if stock.member(population.name, index):
                path = directory.member_path(out, population.name, index)
                try:
                    facts = Member(path).facts
                except ArchiveError as error:
                    raise ArchiveError(f"{error}; remove the file to train this member again") from error
                if facts.get("population_digest") != digests[population.name]:
                    raise ArchiveError(
                        f"{path} was trained under another recipe; remove it to train it again"
                    )
                outcome.present += 1
            elif stock.failure(population.name, index):
                outcome.failed.append(member.member_id(population.name, index))
    return outcome


def _pending(
    study: Study, stock: directory.Stock, plan: dict[str, Any], outcome: Outcome
) -> list[dict[str, Any]]:
    """Cohorts of this study's populations with a member that is neither stored nor known to fail."""
    failed = set(outcome.failed)
    asked = {population.name: population.members for population in study.population}
    return [
        cohort
        for cohort in plan["cohorts"]
        if any(
            index < asked.get(cohort["population"], 0)
            and not stock.member(cohort["population"], index)
            and member.member_id(cohort["population"], index) not in failed
            for index in cohort["indices"]
        )
    ]


_Task = tuple[files.Location, dict[str, Any], datasets.Data, float, bool]
"""Directory, cohort, data set, seconds between checkpoints, whether to wait for another process."""


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


def _task(
    out: files.Location, cohort: dict[str, Any], data: datasets.Data, checkpoint_s: float, wait: bool
) -> dict[str, Any]:
    from masklab.training import task  # torch is imported by whoever computes, not by whoever waits

    return task.run(out, cohort, data, checkpoint_s, wait)
