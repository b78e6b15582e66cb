"""What a training would do: members, steps, time on each backend, memory and disk."""

import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from masklab import data as datasets
from masklab import parallel
from masklab.archive import directory, files, looking
from masklab.archive.member import member_id
from masklab.errors import ConfigError, DataError
from masklab.landscape import settings
from masklab.progress import Listener, Silent
from masklab.stages.dry import places
from masklab.stages.dry.outlook import Backend, Disk, Memory, Population, Training
from masklab.study import Study
from masklab.training import crew as crews
from masklab.training import estimate, memory, run
from masklab.training import plan as plans
from masklab.training import record as records
from masklab.training import survey as surveys

_PACKAGES = {"dask": "distributed", "ray": "ray"}
"""Backends and what they need beside masklab."""


@looking.only()
def train(study: Study, out: files.Location, *, listener: Listener | None = None, **options: Any) -> Training:
    """What `stages.train` would do.

    Without a plan a step is measured, as for a new plan.

    Args:
        study: See `stages.train`.
        out: See `stages.train`.
        listener: See `stages.train`.
        options: See `stages.train`.

    Raises:
        ArchiveError: See `stages.train`.
        ConfigError: See `stages.train`.
        DataError: See `stages.train`; or it would be downloaded first.
    """
    settings.with_paths(study.analysis, None)
    asked, listener = run.Options(**options), listener or Silent()
    run.check(asked)
    _require_installed(asked.backend)
    data = _data(study)
    with crews.Crew(asked.workers, data, listener) as crew:
        work = _surveyed(study, out, asked, data, crew)
        for note in [*work.record["warnings"], *(plans.cautions(work.plan) if work.pending else ())]:
            listener.note(f"{note['where']}: {note['text']}")
        step, now = _step_seconds(out, work, crew)
        chosen = _slots(out, work, crew)
    return Training(
        out=out,
        new=not files.exists(out),
        shard=str(asked.shard),
        populations=_populations(study, work, asked),
        settled={field: work.plan[field] for field in plans.SETTLED},
        step_seconds=step,
        measured_now=now,
        backends=_backends(out, work, asked, data, step, chosen),
        memory=_memory(work, asked, chosen),
        disk=_disk(out, work, asked, chosen),
    )


def _surveyed(
    study: Study, out: files.Location, options: run.Options, data: datasets.Data, crew: crews.Crew
) -> surveys.Work:
    """What is to be done, as `run.train` finds it."""
    record = records.resolve(study, data)
    wishes = run.wished(options, fresh=not files.exists(out / directory.PLAN))
    run.refuse_foreign(out)
    places.require_possible(out)
    work = surveys.survey(study, out, record, wishes, False, crew.measure, options.shard)
    if options.retry_failed:  # failures on record would be forgotten
        own = [cohort for cohort in work.plan["cohorts"] if _names(cohort) <= work.mine]
        work.pending = surveys.pending(study, work.stock, own, surveys.Outcome())
    if work.pending:
        crew.require(work.plan["device"])
    return work


def _data(study: Study) -> datasets.Data:
    try:
        return datasets.load(study.data.name, study.data.path)
    except DataError as error:
        if study.data.download:
            raise DataError(
                f"data set {study.data.name!r} would be downloaded first, which a dry run does not do; "
                "what training it takes is not known until it is there"
            ) from error
        raise


def _names(cohort: Mapping[str, Any]) -> set[str]:
    return {member_id(cohort["population"], index) for index in cohort["indices"]}


def _populations(study: Study, work: surveys.Work, options: run.Options) -> list[Population]:
    found = []
    described = {row["name"]: row for row in work.record["populations"]}
    for population in study.population:
        name, indices = population.name, range(population.members)
        own = [cohort for cohort in work.pending if cohort["population"] == name]
        failed = [i for i in indices if work.stock.failure(name, i) and not work.stock.member(name, i)]
        found.append(
            Population(
                name=name,
                asked=population.members,
                present=sum(work.stock.member(name, index) for index in indices),
                failed=0 if options.retry_failed else len(failed),
                missing=sum(len(_missing(work, cohort, options)) for cohort in own),
                cohorts=len(own),
                steps=estimate.steps(work.record, described[name]),
                all_steps=sum(estimate.cohort_steps(work.record, cohort) for cohort in own),
            )
        )
    return found


def _missing(work: surveys.Work, cohort: Mapping[str, Any], options: run.Options) -> list[int]:
    """Members of a cohort whose files would be written."""
    name, stock = cohort["population"], work.stock
    return [
        index
        for index in cohort["indices"]
        if not stock.member(name, index) and (options.retry_failed or not stock.failure(name, index))
    ]


def _step_seconds(out: files.Location, work: surveys.Work, crew: crews.Crew) -> tuple[float | None, bool]:
    """Time of a step of one member, and whether it was measured now."""
    if not any(estimate.cohort_steps(work.record, cohort) for cohort in work.pending):
        return None, False
    engine = work.plan["engine"]
    known = work.plan["measured"]["seconds"].get(engine)
    if known is not None:
        return known, not files.exists(out / directory.PLAN)
    both = {**work.plan, "engine": "auto"}  # an engine that was asked for is not timed otherwise
    return crew.measure(work.record, both)["seconds"].get(engine), True


def _slots(out: files.Location, work: surveys.Work, crew: crews.Crew) -> int:
    """Workers of the backend that was asked for."""
    if not work.pending:  # nobody is asked
        return 1
    workers = crew.fitting(out, work)
    if workers.backend != "loky" and workers.address is not None:
        return crew.opened(workers).slots
    return workers.jobs or parallel.cores()


def _require_installed(backend: str) -> None:
    if not _installed(backend):
        raise ConfigError(f"--backend {backend} needs more: pip install 'masklab[{backend}]'")


def _installed(backend: str) -> bool:
    return backend not in _PACKAGES or importlib.util.find_spec(_PACKAGES[backend]) is not None


def _backends(
    out: files.Location,
    work: surveys.Work,
    options: run.Options,
    data: datasets.Data,
    step: float | None,
    chosen: int,
) -> list[Backend]:
    rounds = [
        [estimate.cohort_steps(work.record, cohort) * (step or 0.0) for cohort in cohorts]
        for cohorts in surveys.rounds(work)
    ]
    found = []
    for name in filter(_installed, parallel.BACKENDS):
        if name == options.backend:
            workers = chosen
        elif name == "loky":
            here = replace(options.workers, backend="loky", address=None)
            workers = crews.Crew(here, data, Silent()).fitting(out, work).jobs
        else:
            workers = options.jobs or None
        known = workers is not None and (step is not None or not any(map(sum, rounds)))
        seconds = estimate.training_seconds(rounds, workers or 1) if known else None
        found.append(Backend(name, name == options.backend, workers, seconds))
    return found


def _memory(work: surveys.Work, options: run.Options, workers: int) -> Memory | None:
    if not work.pending:
        return None
    described = {row["name"]: row for row in work.record["populations"]}
    largest = max(
        plans.need(work.record, described[cohort["population"]], work.plan).of(len(cohort["indices"]))
        for cohort in work.pending
    )
    here = min(workers, len(work.pending)) if options.backend == "loky" else None
    return Memory(largest, here, memory.available(work.plan["device"]))


def _disk(out: files.Location, work: surveys.Work, options: run.Options, workers: int) -> Disk:
    described = {row["name"]: row for row in work.record["populations"]}
    written, checkpoints = 0, []
    for cohort in work.pending:
        population = described[cohort["population"]]
        written += len(_missing(work, cohort, options)) * estimate.member_bytes(work.record, population)
        checkpoints.append(estimate.checkpoint_bytes(work.record, population, len(cohort["indices"])))
    largest = sum(sorted(checkpoints, reverse=True)[:workers])
    return Disk(written, largest, places.free(out), places.writable(out))
