"""`masklab analyze`: masks and predictions first, then the landscape between them."""

import time
from typing import TYPE_CHECKING, Any

from masklab import parallel, progress
from masklab.analysis import inputs
from masklab.archive import Archive, directory, files
from masklab.errors import DataError
from masklab.progress import Listener, Silent
from masklab.stages import sharing
from masklab.training import shards

if TYPE_CHECKING:
    from masklab.analysis import sections
    from masklab.landscape import context as landscapes
    from masklab.landscape import plan as plans
    from masklab.landscape import walk as walking


def plan_landscape(
    out: files.Location, *, folder: files.Location | None = None, write: bool = True, **options: Any
) -> "plans.Plan | None":
    """What an analysis would evaluate (see `masklab.landscape.plan`); None where there is nothing.

    Args:
        out: The study's directory.
        folder: See `masklab.landscape.planning.make`.
        write: See `masklab.landscape.planning.make`.
        options: Fields of `masklab.landscape.plan.Options`; no `threads`: one per core.

    Raises:
        ArchiveError: A member is damaged.
        ConfigError: An option is not allowed, or a path that was named is not possible.
        DataError: The data set is missing, or not the one that the members were trained on.
    """
    from masklab.landscape import plan as plans
    from masklab.landscape import planning

    threads = options.pop("threads", 0) or parallel.cores()
    return planning.make(Archive(out), plans.Options(threads=threads, **options), folder, write=write)


def walk(
    first: files.Location, member: str, last: files.Location, other: str, **options: Any
) -> "walking.Walk":
    """Evaluate a path between two members (see `masklab.landscape.walk.walk`).

    Args:
        first: Directory of the member where the path begins.
        member: Its id.
        last: Directory of the member where it ends.
        other: Its id.
        options: `path`, `points`, `orders`, `device`.
    """
    from masklab.landscape import walk as walking

    mine = Archive(first)
    theirs = mine if last == first else Archive(last)
    return walking.walk((mine, member), (theirs, other), **options)


def analyze(
    out: files.Location,
    *,
    jobs: int = 0,
    memory: int | None = None,
    backend: str = "loky",
    address: str | None = None,
    gpus_per_job: float | None = None,
    merge: bool = False,
    listener: Listener | None = None,
    **landscape: Any,
) -> files.Location:
    """Measure the members of a directory: masks and predictions, then the landscape between them.

    Args:
        out: The study's directory.
        jobs: Worker processes; 0 = one per core, or per worker of a cluster.
        memory: Bytes for masks and their pairs; None: 2 GB. Where all pairs do not fit, only what takes time
            linear in the members is measured.
        backend: Where pairs and the landscape are computed: a name in `masklab.parallel.BACKENDS`; what
            workers of a cluster leave undone is computed here.
        address: Of a cluster that is there.
        gpus_per_job: Share of a GPU that a task on a cluster takes.
        merge: Refuse unless pairs and the landscape are computed (see `analyze_shard`).
        listener: Told how far it is.
        landscape: `budget`, `paths` and `device` (see `plan_landscape`).

    Returns:
        The `results.json` that was written.

    Raises:
        ArchiveError: No members are stored, one is damaged, or nothing can be written.
        ConfigError: The memory is too little for two masks, an option of the landscape is not allowed, or
            there are no such workers.
        IncompleteError: `merge`, and something is missing; nothing is written then.
    """
    from masklab.analysis import sections, tiles

    listener, started = listener or Silent(), time.monotonic()
    workers = parallel.Workers(backend, address, jobs, gpus_per_job)
    archive, folder = Archive(out), out / directory.ANALYSIS
    if not merge:
        _prepare(out)
    parts, missing = _parts(archive, workers, memory, listener, write=not merge, **landscape)
    if merge:
        try:
            parts.require()
        except sharing.IncompleteError:
            if inputs.current(out) is None:
                raise
            listener.note("the present members are analyzed already, and their parts put together")
            return folder / inputs.RESULTS
        _prepare(out)
    elif backend != "loky":
        sharing.on_workers(parts, workers, listener)
    verb = progress.members("analyze", len(archive.compared) or len(archive.ids))
    done = progress.Steps(listener, verb)
    try:
        material = sections.gather(
            archive,
            memory=parts.memory,
            threads=_threads(workers),
            folder=folder / tiles.FOLDER,
            advance=done.first,
        )
        measured = _measured(material, files.workers(out, _threads(workers)), done)
    finally:
        done.end()
    walked = None if parts.plan is None else _walked(parts.plan, folder, listener)
    document = _written(material, measured, parts.plan, walked, missing, started)
    for warning in document["warnings"]:
        listener.note(f"{warning['code']} ({warning['where']}): {warning['text']}")
    return folder / inputs.RESULTS


def analyze_shard(
    out: files.Location,
    shard: shards.Shard,
    *,
    jobs: int = 0,
    memory: int | None = None,
    backend: str = "loky",
    address: str | None = None,
    gpus_per_job: float | None = None,
    listener: Listener | None = None,
    **landscape: Any,
) -> str:
    """Compute a part of the pairs and of the landscape, for `analyze` to put together; writes no results.

    All shards, and the analysis after them, need the same `memory`, `budget`, `paths` and `device`. A budget
    that is a time is converted once, by whichever shard begins first.

    Args:
        out: The study's directory.
        shard: Which part.
        jobs: See `analyze`.
        memory: See `analyze`.
        backend: See `analyze`.
        address: See `analyze`.
        gpus_per_job: See `analyze`.
        listener: See `analyze`.
        landscape: See `analyze`.

    Returns:
        One line: what was computed.

    Raises:
        ArchiveError: See `analyze`.
        ConfigError: See `analyze`.
    """
    listener, workers = listener or Silent(), parallel.Workers(backend, address, jobs, gpus_per_job)
    archive = Archive(out)
    _prepare(out)
    parts, missing = _parts(archive, workers, memory, listener, shard, **landscape)
    for warning in missing:
        listener.note(f"{warning['code']} ({warning['where']}): {warning['text']}")
    before = parts.missing()
    if backend != "loky":
        sharing.on_workers(parts, workers, listener)
    sharing.here(parts, _threads(workers), listener)
    return sharing.text(parts, before)


def _prepare(out: files.Location) -> None:
    """Check that results can be written, not only after all the work."""
    files.sweep_temporaries(out)
    files.refuse_file(out / directory.ANALYSIS)
    files.require_writable(out / directory.ANALYSIS)


def _threads(workers: parallel.Workers) -> int:
    """Cores that this process uses itself."""
    return (workers.jobs if workers.backend == "loky" else 0) or parallel.cores()


def _parts(
    archive: Archive,
    workers: parallel.Workers,
    memory: int | None,
    listener: Listener,
    shard: shards.Shard = shards.WHOLE,
    *,
    write: bool = True,
    **landscape: Any,
) -> tuple[sharing.Parts, list[dict[str, Any]]]:
    """What is computed, and a warning where there is no landscape."""
    from masklab.analysis import tiles

    workers.check()
    options = {"threads": _threads(workers), "write": write, **landscape}
    plan, missing = _landscape_plan(archive.directory, listener, **options)
    return sharing.Parts(archive, tiles.MEMORY if memory is None else memory, plan, shard), missing


def _written(
    material: "sections.Material",
    measured: "tuple[sections.Found, list[dict[str, Any]]]",
    plan: "plans.Plan | None",
    walked: "landscapes.Found | None",
    warnings: list[dict[str, Any]],
    started: float,
) -> dict[str, Any]:
    """All of `results.json`; it and what stands beside it are on the disk."""
    from masklab.analysis import embeddings, results
    from masklab.landscape import journal

    (found, drawn), out = measured, material.archive.directory
    document = results.assemble(
        material,
        found,
        embeddings=drawn,
        landscape=None if walked is None else _by_key(walked.rows),
        extra_warnings=[*embeddings.warnings(drawn), *warnings, *(walked.warnings if walked else ())],
    )
    document["input"] = inputs.fingerprint(material.archive)
    document["study"]["plan"] = inputs.plan(out)
    document["study"]["provenance"]["wall_s"]["analyze"] = round(time.monotonic() - started, 2)
    tables, arrays = ({}, {}) if walked is None else (walked.tables, walked.arrays)
    results.write(out, document, material, found, tables, arrays)
    if plan is not None:
        journal.clear(out / directory.ANALYSIS / journal.FOLDER, plan.key, plan.note)
    return document


def _measured(
    material: "sections.Material", workers: int, done: progress.Steps
) -> "tuple[sections.Found, list[dict[str, Any]]]":
    """What was found, and the embeddings, which are made beside it."""
    from masklab.analysis import embeddings, sections

    tasks = sections.to_embed(material)
    done.begin(sections.STEPS + len(tasks))
    made = []
    with parallel.running(embeddings.embed, tasks, workers) as drawn:
        found = sections.measure(material, done.step)
        for result in drawn:
            made.append(result)
            done.step()
    return found, embeddings.in_order(made)


def _landscape_plan(
    out: files.Location, listener: Listener, **options: Any
) -> "tuple[plans.Plan | None, list[dict[str, Any]]]":
    """What will be evaluated between the members, and a warning where nothing can be."""
    from masklab.landscape import journal

    try:
        plan = plan_landscape(out, folder=out / directory.ANALYSIS / journal.FOLDER, **options)
    except DataError as error:  # masks can be compared without their data; the page says what is missing
        warning = {"code": "no-landscape", "text": f"no landscape was measured: {error}", "where": "data"}
        return None, [warning]
    if plan is not None:
        listener.note(plan.text())
    return plan, []


def _walked(plan: "plans.Plan", folder: files.Location, listener: Listener) -> "landscapes.Found":
    """What was found between the members."""
    from masklab.landscape import journal
    from masklab.landscape import run as landscape

    return landscape.measure(plan, folder / journal.FOLDER, listener)


def _by_key(rows: dict[str, list[Any]]) -> dict[str, Any]:
    """Rows by key of `results.json`; of the work there is one."""
    return {key: own[0] if key == "landscape_work" else own for key, own in rows.items()}
