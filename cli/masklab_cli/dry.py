"""What `--dry-run` prints."""

from typing import TYPE_CHECKING, Any

import typer

from masklab import progress
from masklab_cli import tables

if TYPE_CHECKING:
    from masklab.archive.files import Location
    from masklab.stages import dry
    from masklab.study import Study
    from masklab.training import shards

_NOTHING = "dry run: nothing was written"

_UNITS = ("bytes", "kB", "MB", "GB")

_UNKNOWN_WORKERS = "--address or --jobs says how many workers"


def train(study: "Study", out: "Location", options: dict[str, Any]) -> None:
    """What `train` would do."""
    from masklab.stages import dry
    from masklab_cli.progress import listener

    _say(training(dry.train(study, out, listener=listener(), **options)))


def run(study: "Study", out: "Location", options: dict[str, Any]) -> None:
    """What `run` would do."""
    from masklab import stages
    from masklab.archive import looking
    from masklab.stages import dry
    from masklab_cli.progress import listener

    found = dry.train(study, out, listener=listener(), **options)
    with looking.only():
        done = not found.missing and stages.is_analyzed(out)
    after = (
        "analysis and report are up to date"
        if done
        else f"afterwards: analyze (`masklab analyze {out} --dry-run` says what that takes, once members "
        f"are trained), and write {stages.report_path(out)}"
    )
    _say(training(found), after)


def analyze(place: "Location", part: "shards.Shard | None", options: dict[str, Any]) -> None:
    """What `analyze` would do, or a part of it."""
    from masklab.stages import dry

    _say(analysis(dry.analyze(place, part, **options)))


def walk(first: "Location", member: str, last: "Location", other: str, options: dict[str, Any]) -> None:
    """What `walk` would do."""
    from masklab.stages import dry

    way = dry.walk(first, member, last, other, **options)
    images = ", ".join(f"{number:,} {split}" for split, number in way.images.items())
    again = f", each with statistics of {way.statistics_images:,} images" if way.statistics_images else ""
    _say(
        f"path {way.path} from {way.names[0]} to {way.names[1]}: {way.networks:,} networks, those of "
        f"the ends alone included, on {images} images{again}: {way.evaluations:,} evaluations; {way.device}"
    )


def report(places: list["Location"], output: "Location | None", options: dict[str, Any]) -> None:
    """What `report` would do."""
    from masklab.stages import dry
    from masklab_cli.progress import listener

    page = dry.report(places, output, listener=listener(), **options)
    rows = [[name, f"{populations:,}", f"{members:,}"] for name, populations, members in page.studies]
    lines = [tables.columns(["study", "populations", "members"], rows, right=[1, 2])]
    if page.former:
        lines.append(f"compared with: {', '.join(page.former)}")
    if page.place is None:
        lines.append("would be printed")
    else:
        there = ", which is there and would be replaced" if page.replaces else ""
        lines.append(f"would be written: {page.place}{there}{_refused(page.writable)}")
    _say(*lines)


def verify(place: "Location", options: dict[str, Any]) -> None:
    """What `verify` would do."""
    from masklab.stages import dry

    found = dry.verify(place, **options)
    why = f" ({found.why})" if found.why else ""
    _say(
        f"would be read: {progress.plural(found.members, 'member file')} and "
        f"{progress.plural(found.others, 'other file')}, {_size(found.bytes)}; rebuilt and compared: "
        f"{progress.plural(found.rebuilt, 'member')}{why}"
    )


def reproduce(place: "Location", member: str) -> None:
    """What `reproduce` would do."""
    from masklab.stages import dry

    found = dry.reproduce(place, member)
    how = ", ".join(str(found.settled[field]) for field in ("engine", "precision", "device"))
    took = "not known: the directory's plan has no measurement"
    if found.seconds is not None:
        took = f"about {progress.duration(found.seconds)}, at the speed that its plan measured"
    _say(
        f"{found.member}: {progress.members('train', len(found.indices))} (its cohort), "
        f"{progress.plural(found.epochs, 'epoch')}, {found.steps:,} steps in all; {how}",
        f"time: {took}",
    )


def import_masks(paths: list["Location"], out: "Location", options: dict[str, Any]) -> None:
    """What `import` would do."""
    from masklab.stages import dry

    found = dry.import_masks(paths, out, **options)
    _say(
        f"read: {progress.plural(found.files, 'file')}, {_size(found.read)} ({found.format})",
        f"{out}: {found.population}: {progress.plural(found.written, 'mask')} would be imported, "
        f"{_size(found.bytes)}, {found.present} already there; not known: {', '.join(found.unknown)}",
    )


def export(out: "Location", member: str, target: "Location", options: dict[str, Any]) -> None:
    """What `export` would do."""
    from masklab.stages import dry

    found = dry.export(out, member, target, **options)
    there = ", which is there and would be replaced" if found.replaces else ""
    _say(
        f"read: {found.member}, {_size(found.read)}",
        f"would be written: {found.target}, {_size(found.bytes)}{there}{_refused(found.writable)}",
    )


def training(found: "dry.Training") -> str:
    """A training's members, steps, time, memory and disk."""
    kind = "new directory" if found.new else "existing directory"
    part = "" if found.shard == "1/1" else f", part {found.shard} of its cohorts"
    lines = [f"{found.out} ({kind}{part})", _populations(found)]
    if found.memory is None:
        return "\n".join([*lines, "nothing to train"])
    how = f"plan: {found.settled['engine']}, {found.settled['precision']}, {found.settled['device']}"
    if found.step_seconds is not None:
        said = "measured now" if found.measured_now else "as the directory's plan measured it"
        how += f"; a step of one member takes {1000 * found.step_seconds:.3g} ms, {said}"
    return "\n".join([*lines, how, "", _backends(found), "", _memory(found.memory), _disk(found.disk)])


def _populations(found: "dry.Training") -> str:
    rows = [
        [
            own.name,
            *(
                f"{number:,}"
                for number in (
                    own.asked,
                    own.present,
                    own.failed,
                    own.missing,
                    own.cohorts,
                    own.steps,
                    own.all_steps,
                )
            ),
        ]
        for own in found.populations
    ]
    sums = [
        f"{sum(numbers):,}"
        for numbers in zip(
            *((o.asked, o.present, o.failed, o.missing, o.cohorts, o.all_steps) for o in found.populations),
            strict=True,
        )
    ]
    header = ["population", "members", "stored", "failed", "to train", "cohorts", "steps each", "steps"]
    return tables.columns(header, [*rows, ["all", *sums[:-1], "", sums[-1]]], right=range(1, 8))


def _backends(found: "dry.Training") -> str:
    rows = []
    for own in found.backends:
        workers, took = "?" if own.workers is None else f"{own.workers:,}", _UNKNOWN_WORKERS
        if own.seconds is not None:
            took = f"about {progress.duration(own.seconds)}"
        elif own.workers is not None:
            took = "not known: the engine could not be timed"
        rows.append([own.name + (" (chosen)" if own.chosen else ""), workers, took])
    table = tables.columns(["backend", "workers", "time"], rows, right=[1])
    return (
        f"{table}\ntimes are estimates from the speed of a step, each worker as fast as the one that was "
        "measured; starting workers, validation and writing come on top"
    )


def _memory(found: "dry.Memory") -> str:
    all_ = "" if found.workers is None else f", {_size(found.workers * found.worker)} for {found.workers}"
    return (
        f"memory: {_size(found.worker)} per worker{all_}, of {_size(found.free)} that are free for it here; "
        "Python, torch and the data set come on top"
    )


def _disk(found: "dry.Disk") -> str:
    return (
        f"disk: about {_size(found.members)} of member files, and up to {_size(found.checkpoints)} of "
        f"checkpoints while they train; {_free(found.free)}{_refused(found.writable)}"
    )


def analysis(found: "dry.Analysis") -> str:
    """What an analysis takes; the landscape last."""
    part = "" if found.shard == "1/1" else f" (part {found.shard} of tiles and pieces)"
    lines = [
        f"{found.out}{part}: {progress.plural(found.members, 'member')}, "
        f"{progress.plural(found.layers, 'layer')}"
    ]
    if found.pairs:
        lines.append(
            f"pairs: {found.pairs:,} in {progress.plural(found.tiles.number, 'tile')} "
            f"({found.tiles.number - found.tiles.left} kept), and of "
            f"{progress.plural(found.twins, 'random twin')}: {found.compared:,} bits compared, counting "
            f"takes about {progress.duration(found.seconds)}"
        )
    elif found.members > 1:
        lines.append("pairs: none, they do not fit; only what takes time linear in the members is measured")
    lines.append(f"memory: pairs take {_size(found.needed)} of --memory {_size(found.memory)}")
    there = ", in place of those that are there" if found.replaces else ""
    lines.append(
        f"disk: about {_size(found.results)} of results{there}, and up to {_size(found.meanwhile)} until "
        f"they are written; {_free(found.free)}{_refused(found.writable)}"
    )
    if found.why:
        return "\n".join([*lines, f"landscape: none would be measured: {found.why}"])
    if found.landscape is not None:
        kept = found.pieces.number - found.pieces.left
        lines.append(f"landscape: {progress.plural(found.pieces.number, 'piece')} ({kept} kept)")
    return "\n".join([*lines, "", tables.landscape(found.landscape)])


def _say(*texts: str) -> None:
    typer.echo("\n".join([*texts, _NOTHING]))


def _free(free: int | None) -> str:
    return "what is free there is not known" if free is None else f"{_size(free)} are free there"


def _refused(writable: bool) -> str:
    return "" if writable else "; this user may not write there"


def _size(number: int) -> str:
    """Bytes as people say them.

    Examples:
        >>> _size(999), _size(38_671), _size(3_200_000_000)
        ('999 bytes', '38.7 kB', '3.2 GB')
    """
    if number < 1000:
        return f"{number} bytes"
    power = 1 if number < 10**6 else 2 if number < 10**9 else 3
    return f"{number / 1000**power:,.1f} {_UNITS[power]}"
