"""One or several analysed studies as one self-contained page, or as Markdown."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from masklab import progress
from masklab.archive import files
from masklab.errors import ArchiveError

if TYPE_CHECKING:
    from masklab.report import load
    from masklab.report.compare import former as earlier

Form = Literal["html", "markdown"]

_Place = TypeVar("_Place", bound=files.Location)


def write(
    directories: Sequence[files.Location],
    output: _Place,
    *,
    former: files.Location | None = None,
    form: Form = "html",
    jobs: int = 0,
    listener: progress.Listener | None = None,
) -> _Place:
    """Write the page; equal analyses give equal bytes.

    Args:
        directories: Directories of the studies (`--out` of `masklab train`), each analysed.
        output: Where the page goes; it appears whole or not at all.
        former: An earlier page, or the directory of an analysed study, whose numbers these are compared with.
        form: A page for browsers, or Markdown.
        jobs: Worker processes that draw; 0: as many as pay.
        listener: Told how many figures are drawn.

    Returns:
        `output`.

    Raises:
        ArchiveError: No study, one named twice or not analysed, an analysis that is damaged or incomplete,
            `former` is neither, or `output` cannot be written.
    """
    text = render(directories, former=former, form=form, jobs=jobs, listener=listener)
    files.write_atomic(output, text.encode())
    return output


def render(
    directories: Sequence[files.Location],
    *,
    former: files.Location | None = None,
    form: Form = "html",
    jobs: int = 0,
    listener: progress.Listener | None = None,
) -> str:
    """The text that `write` writes.

    Args:
        directories: See `write`.
        former: See `write`.
        form: See `write`.
        jobs: See `write`.
        listener: See `write`.

    Raises:
        ArchiveError: See `write`.
    """
    from masklab.report import markdown, page

    analyses, before = gathered(directories, former)
    if form == "markdown":
        text = markdown.render(analyses, before)
    else:
        text = page.render(analyses, before, jobs=jobs, listener=listener)
    return re.sub("[\ud800-\udfff]", "\ufffd", text)  # names of files that are not UTF-8


def gathered(
    directories: Sequence[files.Location], former: files.Location | None
) -> "tuple[list[load.Analysis], list[earlier.Former]]":
    """The analyses that go on a page, and those that they are compared with.

    Args:
        directories: See `write`.
        former: See `write`.

    Raises:
        ArchiveError: See `write`.
    """
    from masklab.report import compare, load

    if not directories:
        raise ArchiveError("no study given; name at least one directory that `masklab analyze` went over")
    places = [directory.resolve() for directory in directories]
    for place, directory in zip(places, directories, strict=True):
        if places.count(place) > 1:
            raise ArchiveError(f"{directory} is named twice; each study goes on the page once")
    analyses = load.distinct([load.read(directory) for directory in directories])
    return analyses, [] if former is None else compare.read(former)
