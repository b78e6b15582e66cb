"""Commands that take masks from other tools, and give them to other tools."""

from typing import Annotated

import typer

from masklab_cli import dry, flags


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="import")(import_masks)
    app.command(name="export")(export)


def import_masks(
    paths: Annotated[
        list[str], typer.Argument(metavar="FILE [FILE …]", help="files of other tools; each becomes a member")
    ],
    out: Annotated[str, typer.Option("--out", help="directory of the study: a new one, or one to join")],
    population: Annotated[str | None, typer.Option(help="name of the population")] = None,
    format: Annotated[
        str | None,
        typer.Option(help="prune, hidden-networks, biprop, openlth or arrays; default: by the content"),
    ] = None,
    density: Annotated[
        float | None, typer.Option(help="fraction of weights kept, for files that hold scores")
    ] = None,
    prune_rate: Annotated[
        float | None,
        typer.Option(help="the same, as hidden-networks and biprop call it: the fraction KEPT"),
    ] = None,
    by_order: Annotated[
        bool, typer.Option("--by-order", help="match layers by position; trailing 1×1 axes may differ")
    ] = False,
    dry_run: flags.DryRun = False,
) -> None:
    """Take masks of other tools as a population of a study; pickled code is never run."""
    from masklab import progress, stages
    from masklab.archive import files

    places, place = [files.location(path) for path in paths], files.location(out)
    options = {
        "population": population,
        "format": format,
        "density": density,
        "prune_rate": prune_rate,
        "by_order": by_order,
    }
    if dry_run:
        dry.import_masks(places, place, options)
        return
    outcome = stages.import_masks(places, place, **options)
    typer.echo(
        f"{place}: {outcome.population}: {progress.plural(outcome.written, 'mask')} imported "
        f"({outcome.format}), "
        f"{outcome.present} already there; not known: {', '.join(outcome.unknown)}"
    )


def export(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="directory of a study (its --out)")],
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="id, e.g. biprop-d0.5/0003")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help=".safetensors, .npz, .pt or .pth")
    ],
    format: Annotated[
        str | None,
        typer.Option(help="mask, npz, prune or state-dict; default: by the suffix of FILE"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace FILE if it is there")] = False,
    dry_run: flags.DryRun = False,
) -> None:
    """Write a stored mask, or the pruned network's state dict, for other tools."""
    from masklab import stages
    from masklab.archive import files

    place = files.location(output)
    if dry_run:
        dry.export(files.location(directory), member, place, {"format": format, "force": force})
        return
    typer.echo(stages.export(files.location(directory), member, place, format=format, force=force))
