"""One or several analysed studies as one self-contained HTML page."""

from collections.abc import Sequence
from typing import TypeVar

from masklab.archive import files
from masklab.errors import ArchiveError

_Place = TypeVar("_Place", bound=files.Location)


def write(directories: Sequence[files.Location], output: _Place) -> _Place:
    """Write the page; equal analyses give equal bytes.

    Args:
        directories: Directories of the studies (`--out` of `masklab train`), each analysed.
        output: Where the page goes; it appears whole or not at all.

    Returns:
        `output`.

    Raises:
        ArchiveError: A study was not analysed, an analysis is damaged or incomplete, or `output`
            cannot be written.
    """
    from masklab.report import load, page

    if not directories:
        raise ArchiveError("no study given; name at least one directory that `masklab analyze` went over")
    places = [directory.resolve() for directory in directories]
    for place, directory in zip(places, directories, strict=True):
        if places.count(place) > 1:
            raise ArchiveError(f"{directory} is named twice; each study goes on the page once")
    analyses = load.distinct([load.read(directory) for directory in directories])
    files.write_atomic(output, page.render(analyses).encode())
    return output
