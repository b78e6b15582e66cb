"""Commands of masklab."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from masklab import stopping
from masklab.errors import MasklabError
from masklab_cli import arguments, dry, exchange, flags, reporting

if TYPE_CHECKING:
    from masklab.archive.files import Location
    from masklab.training.run import Outcome

app = typer.Typer(
    name="masklab",
    help="Train populations of masks over frozen random networks, and compare pruners.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INTERRUPTED = 130  # Typer's exit code for Ctrl-C
_SIGNALLED = 128  # more than the signal's number, as shells have it


def main() -> None:
    """Entry point: errors that users can cause are one line and exit code 2; Ctrl-C is 130, SIGTERM 143."""
    stopping.listen()
    try:
        app()
    except MasklabError as error:
        print("masklab: " + " ".join(str(error).split("\n")), file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except stopping.Stopped as stop:
        name = signal.Signals(stop.signal).name
        print(f"masklab: stopped by {name}; the same command goes on where it stopped", file=sys.stderr)  # noqa: T201
        sys.exit(_SIGNALLED + stop.signal)
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:
            print("masklab: interrupted; the same command goes on where it stopped", file=sys.stderr)  # noqa: T201
        raise


@app.command()
def run(
    study: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="study file")],
    out: flags.Out = None,
    changes: flags.Set = [],  # noqa: B006  typer copies it
    jobs: flags.Jobs = 0,
    backend: flags.Backend = "loky",
    address: flags.Address = None,
    gpus_per_job: flags.Gpus = None,
    device: flags.Device = "auto",
    engine: flags.Engine = "auto",
    precision: flags.Precision = None,
    threads: flags.Threads = None,
    checkpoint: flags.Checkpoint = 60.0,
    retry_failed: flags.Retry = False,
    dry_run: flags.DryRun = False,
) -> None:
    """Train, analyze and report; resumes where it stopped."""
    from masklab import stages
    from masklab import study as studies
    from masklab_cli import progress

    loaded = studies.read(study, arguments.changes(changes))
    listener = progress.listener()
    directory = arguments.directory(out, loaded)
    workers = arguments.workers(backend, address, jobs, gpus_per_job)
    options = arguments.options(workers, None, device, engine, precision, threads, checkpoint, retry_failed)
    if dry_run:
        dry.run(loaded, directory, options)
        return
    outcome = stages.train(loaded, directory, listener=listener, **options)
    _print_outcome(outcome, directory)
    if stages.is_analyzed(directory):
        listener.note("analysis and report are up to date")
    else:
        stages.analyze(directory, listener=listener, device=device, **workers)
        stages.report([directory])
    typer.echo(stages.report_path(directory))
    raise typer.Exit(1 if outcome.failed or outcome.lost else 0)


@app.command()
def train(
    study: Annotated[Path | None, typer.Argument(metavar="[STUDY.toml]", help="study file")] = None,
    data: Annotated[
        str | None, typer.Option(help="data set, e.g. digits, cifar10, imagefolder:PATH, arrays:FILE.npz")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="network, e.g. conv6, resnet18, torchvision:NAME, package.module:function"),
    ] = None,
    width: Annotated[float | None, typer.Option(help="factor on channel counts and hidden widths")] = None,
    pruner: Annotated[list[str], typer.Option(help="a pruner (see `masklab pruners`); repeatable")] = [],  # noqa: B006
    density: Annotated[list[str], typer.Option(help="fraction of weights kept; repeatable")] = [],  # noqa: B006
    members: Annotated[int | None, typer.Option(help="members of each population")] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the training images")] = None,
    out: flags.Out = None,
    changes: flags.Set = [],  # noqa: B006
    jobs: flags.Jobs = 0,
    backend: flags.Backend = "loky",
    address: flags.Address = None,
    gpus_per_job: flags.Gpus = None,
    shard: flags.Shard = None,
    device: flags.Device = "auto",
    engine: flags.Engine = "auto",
    precision: flags.Precision = None,
    threads: flags.Threads = None,
    checkpoint: flags.Checkpoint = 60.0,
    retry_failed: flags.Retry = False,
    dry_run: flags.DryRun = False,
) -> None:
    """Train what a study asks for and its directory lacks.

    Either a study file, or options: every --pruner is trained at every --density.
    """
    from masklab import stages
    from masklab_cli import progress

    given = {"data": data, "network": network, "width": width, "members": members, "epochs": epochs}
    loaded = arguments.study(study, given, pruner, density, changes)
    directory = arguments.directory(out, loaded)
    workers = arguments.workers(backend, address, jobs, gpus_per_job)
    options = arguments.options(workers, shard, device, engine, precision, threads, checkpoint, retry_failed)
    if dry_run:
        dry.train(loaded, directory, options)
        return
    outcome = stages.train(loaded, directory, listener=progress.listener(), **options)
    _print_outcome(outcome, directory)
    raise typer.Exit(1 if outcome.failed or outcome.lost else 0)


@app.command()
def analyze(
    directory: flags.Directory,
    jobs: flags.Jobs = 0,
    memory: flags.Memory = "2GB",
    budget: flags.Budget = None,
    paths: flags.Paths = None,
    device: flags.Device = "auto",
    backend: flags.Backend = "loky",
    address: flags.Address = None,
    gpus_per_job: flags.Gpus = None,
    shard: flags.Shard = None,
    merge: flags.Merge = False,
    dry_run: flags.DryRun = False,
) -> None:
    """Measure overlap, diversity, differences between pruners, and the landscape; writes DIR/analysis/.

    With --shard, only a part of the pairs and of the landscape; --merge puts the parts together. All of them
    need the same --memory, --budget, --paths and --device.
    """
    from masklab import stages
    from masklab_cli import progress

    place, size = arguments.location(directory), arguments.size("--memory", memory)
    options = arguments.landscape(budget, paths, device)
    workers, part = arguments.workers(backend, address, jobs, gpus_per_job), arguments.part(shard, merge)
    if dry_run:
        dry.analyze(place, part, {**options, "jobs": jobs, "memory": size})
        return
    options |= {**workers, "memory": size, "listener": progress.listener()}
    if part is not None:
        typer.echo(stages.analyze_shard(place, part, **options))
        return
    try:
        typer.echo(stages.analyze(place, merge=merge, **options))
    except stages.IncompleteError as error:
        for line in error.lines:
            typer.echo(line, err=True)
        raise typer.Exit(1) from error


@app.command()
def walk(
    directory: flags.Directory,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="where the path begins")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="where it ends")],
    within: Annotated[
        str | None, typer.Option("--in", metavar="DIR", help="study of OTHER; default the same")
    ] = None,
    path: Annotated[str, typer.Option("--path", help="see --paths of `masklab analyze`")] = "linear",
    points: Annotated[int, typer.Option("--points", help="points on the path, ends included")] = 11,
    orders: Annotated[int, typer.Option("--orders", help="random orders, where the path is random")] = 1,
    device: flags.Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable")] = False,
    dry_run: flags.DryRun = False,
) -> None:
    """Accuracy on a path between two members, and its barriers."""
    from masklab import stages
    from masklab_cli import tables

    first = arguments.location(directory)
    last = first if within is None else arguments.location(within)
    options = {"path": path, "points": points, "orders": orders, "device": device}
    if dry_run:
        dry.walk(first, member, last, other, options)
        return
    walked = stages.walk(first, member, last, other, **options)
    typer.echo(tables.walk_json(walked) if as_json else tables.walk(walked))


@app.command()
def show(
    directory: flags.Directory,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable")] = False,
) -> None:
    """Table of populations and members."""
    from masklab import stages
    from masklab_cli import tables

    shown = stages.show(arguments.location(directory))
    typer.echo(tables.as_json(shown) if as_json else tables.as_text(shown))


@app.command()
def pruners() -> None:
    """Table of gates, refreshes and controls: name, rule, options, source."""
    from masklab_cli import tables

    typer.echo(tables.pruners())


@app.command()
def reproduce(
    directory: flags.Directory,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="id, e.g. biprop-d0.5/0003")],
    dry_run: flags.DryRun = False,
) -> None:
    """Train one stored member again from its own file; says whether the mask is the same."""
    from masklab import stages
    from masklab_cli import progress

    if dry_run:
        dry.reproduce(arguments.location(directory), member)
        return
    verdict = stages.reproduce(arguments.location(directory), member, listener=progress.listener())
    typer.echo(verdict.text())
    raise typer.Exit(0 if verdict.identical else 1)


@app.command()
def verify(
    directory: flags.Directory,
    sample: Annotated[
        int, typer.Option(min=-1, help="members to rebuild and compare with their predictions; -1 = all")
    ] = 8,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="rebuild networks of package.module:function: runs that code"),
    ] = False,
    jobs: flags.Jobs = 0,
    dry_run: flags.DryRun = False,
) -> None:
    """Check every file of a directory, rebuild a sample of members, list what is wrong."""
    from masklab import stages
    from masklab_cli import progress

    if dry_run:
        dry.verify(arguments.location(directory), {"sample": sample, "trust": trust})
        return
    listener = progress.listener()
    found = stages.verify(
        arguments.location(directory), sample=sample, trust=trust, jobs=jobs, listener=listener
    )
    for note in found.notes:
        listener.note(note)
    for problem in found.problems:
        typer.echo(problem)
    typer.echo(found.text())
    raise typer.Exit(1 if found.problems else 0)


def _print_outcome(outcome: "Outcome", directory: "Location") -> None:
    typer.echo(
        f"{directory}: {len(outcome.written)} members trained, {outcome.present} already there"
        + (f", {len(outcome.failed)} failed" if outcome.failed else "")
        + (f", {sum(map(len, outcome.lost.values()))} not trained" if outcome.lost else "")
    )
    for cause, members in outcome.lost.items():
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        typer.echo(f"not trained: {members[0]}{more}: {cause}", err=True)
    for member in outcome.failed:
        typer.echo(f"failed: {member} (see {directory}/members/{member}.failed.json)", err=True)


reporting.register(app)
exchange.register(app)


if __name__ == "__main__":
    main()
