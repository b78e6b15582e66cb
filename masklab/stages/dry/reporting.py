"""What a page would be made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from masklab import report as reports
from masklab.archive import files, looking
from masklab.progress import Listener
from masklab.stages import reporting
from masklab.stages.dry import places


@dataclass(frozen=True)
class Page:
    """What a page would be made of.

    Attributes:
        place: Where it would go; None: it would be printed.
        replaces: Whether a file is there.
        writable: Whether this process may write there, as far as the system tells.
        studies: (name, populations, members) of each study on it.
        former: Names of the studies that it would be compared with.
    """

    place: files.Location | None
    replaces: bool
    writable: bool
    studies: list[tuple[str, int, int]]
    former: list[str]


@looking.only()
def report(
    directories: Sequence[files.Location],
    output: files.Location | None = None,
    *,
    printed: bool = False,
    former: files.Location | None = None,
    form: reports.Form = "html",
    listener: Listener | None = None,
) -> Page:
    """What `stages.report` would write, or `stages.report_text` return.

    Args:
        directories: See `stages.report`.
        output: See `stages.report`.
        printed: Whether the text would be printed, so that it has no place.
        former: See `stages.report`.
        form: See `stages.report`.
        listener: See `stages.report`.

    Raises:
        ArchiveError: See `stages.report`.
        ConfigError: See `stages.report`.
    """
    place = None if printed else reporting.page_place(directories, output, former, form)
    analyses, before = reports.gathered(directories, former)
    reporting.note_old(directories, listener)
    return Page(
        place=place,
        replaces=place is not None and files.exists(place),
        writable=place is None or places.writable(place),
        studies=[(own.study.name, len(own.names), len(own.results.members)) for own in analyses],
        former=[own.study for own in before],
    )
