"""Pages and Markdown from analysed studies."""

from collections.abc import Sequence
from pathlib import Path

from masklab import report as reports
from masklab.analysis import inputs
from masklab.archive import directory, files
from masklab.errors import ConfigError
from masklab.progress import Listener, Silent


def report_path(out: files.Location, form: reports.Form = "html") -> files.Location:
    """Where the page of a single study goes."""
    return (out / directory.REPORT).with_suffix(".md" if form == "markdown" else ".html")


def report(
    directories: Sequence[files.Location],
    output: files.Location | None = None,
    *,
    former: files.Location | None = None,
    form: reports.Form = "html",
    jobs: int = 0,
    listener: Listener | None = None,
) -> files.Location:
    """Write one page for one or several analysed studies; default `DIR/report.html`.

    Args:
        directories: The studies' directories; their `analysis` folders are enough.
        output: Where the page goes.
        former: An earlier page, or an analysed study's directory, that the numbers are compared with.
        form: A page for browsers, or Markdown.
        jobs: Worker processes that draw; 0: as many as pay.
        listener: Told how far it is, and when an analysis is older than the members beside it.

    Raises:
        ConfigError: Several directories without a name for the page, the name of a directory, or the page
            would replace `former`.
        ArchiveError: A directory has no analysis, `former` is no page and no such directory, or the page
            cannot be written.
    """
    place = page_place(directories, output, former, form)
    if files.exists(place.parent):
        files.require_writable(place.parent)
    written = reports.write(directories, place, former=former, form=form, jobs=jobs, listener=listener)
    note_old(directories, listener)
    return written


def page_place(
    directories: Sequence[files.Location],
    output: files.Location | None,
    former: files.Location | None,
    form: reports.Form,
) -> files.Location:
    """Where `report` writes.

    Args:
        directories: See `report`.
        output: See `report`.
        former: See `report`.
        form: See `report`.

    Raises:
        ConfigError: See `report`.
    """
    if output is None and len(directories) > 1:
        raise ConfigError("several studies go on one page of their own: name it with -o FILE")
    place = output or report_path(directories[0], form)
    if former is not None and former.resolve() == place.resolve():
        raise ConfigError(f"{place} would replace what it is compared with; name another page with -o FILE")
    if isinstance(place, Path) and place.is_dir():
        raise ConfigError(f"-o {place}: a directory; name a file")
    return place


def report_text(
    directories: Sequence[files.Location],
    *,
    former: files.Location | None = None,
    form: reports.Form = "html",
    listener: Listener | None = None,
) -> str:
    """What `report` writes, as text.

    Args:
        directories: See `report`.
        former: See `report`.
        form: See `report`.
        listener: See `report`.

    Raises:
        ArchiveError: See `report`.
    """
    text = reports.render(directories, former=former, form=form, listener=listener)
    note_old(directories, listener)
    return text


def note_old(directories: Sequence[files.Location], listener: Listener | None) -> None:
    """Tell of directories whose analysis is not that of their present members."""
    for out in directories:
        if files.exists(out / directory.MEMBERS) and inputs.current(out) is None:
            (listener or Silent()).note(
                f"{out}: the analysis is not that of the present members; `masklab analyze {out}` makes it so"
            )
