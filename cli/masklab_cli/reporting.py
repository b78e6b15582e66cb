"""The command that writes pages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from masklab.errors import ConfigError
from masklab_cli import arguments, dry, flags

if TYPE_CHECKING:
    from masklab.archive.files import Location
    from masklab.report import Form


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    directories: Annotated[list[str], typer.Argument(metavar="DIR [DIR …]", help="directories of studies")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="default DIR/report.html or .md; - prints it"),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="PAGE|DIR", help="an earlier page, or an analysed study: say what changed"
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="html|markdown", help="a page, or Markdown for pull requests")
    ] = "html",
    browse: Annotated[bool, typer.Option("--open", help="open the page in the browser")] = False,
    dry_run: flags.DryRun = False,
) -> None:
    """Write one HTML page that compares the pruners of one or several studies."""
    from masklab import stages
    from masklab_cli import progress

    places = [arguments.location(directory) for directory in directories]
    former = None if compare is None else arguments.location(compare)
    kind, listener = _form(form), progress.listener()
    if browse and (output == "-" or not isinstance(arguments.location(output or directories[0]), Path)):
        raise ConfigError("--open: the page has to be a file on this machine")
    page = None if output in (None, "-") else arguments.location(output)
    if dry_run:
        dry.report(places, page, {"printed": output == "-", "former": former, "form": kind})
        return
    if output == "-":
        text = stages.report_text(places, former=former, form=kind, listener=listener)
        typer.echo(text, nl=False)
        return
    written = stages.report(places, page, former=former, form=kind, listener=listener)
    typer.echo(written)
    if browse:
        _browse(written)


def _form(text: str) -> "Form":
    """What `--format` says.

    Raises:
        ConfigError: Nothing that there is.
    """
    if text in ("html", "markdown"):
        return text
    raise ConfigError(f"--format {text}: known: html, markdown")


def _browse(page: "Location") -> None:
    import webbrowser

    if isinstance(page, Path) and not webbrowser.open(page.resolve().as_uri()):
        raise ConfigError(f"--open: no browser could be started; the page is {page}")
