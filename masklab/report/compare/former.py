"""Reading what a comparison starts from: an analysed study's directory, or a page of several."""

import re
from typing import Any

import pydantic

from masklab.archive import directory as layout
from masklab.archive import files
from masklab.errors import ArchiveError
from masklab.report import load, payload
from masklab.report.compare import document
from masklab.report.compare.document import Former

MOST_BYTES = 100 * 2**20
"""Size of a page that is read."""

_PAYLOAD = re.compile(rb'<script type="application/gzip" id="payload">([^<]*)</script>')
_MARK = b'<meta name="masklab-input"'
_ALLOWED = "a page that `masklab report` wrote, or the directory of an analysed study"


def read(place: files.Location) -> list[Former]:
    """The analyses that a page or a directory holds.

    Args:
        place: A page, or a study's directory.

    Raises:
        ArchiveError: It is missing, none of both, damaged, too large, or of another version.
    """
    if files.exists(place / layout.ANALYSIS / load.RESULTS):
        return [document.make(load.read(place))]
    if not files.exists(place):
        raise ArchiveError(f"{place} does not exist; it has to be {_ALLOWED}")
    if files.is_remote(place) or place.is_file():
        return _page(place)
    raise ArchiveError(
        f"{place} is a directory without an analysis; run `masklab analyze {place}` first, or name {_ALLOWED}"
    )


def _page(path: files.Location) -> list[Former]:
    with files.reading(path) as source:
        size = source.size
        if size > MOST_BYTES:
            raise ArchiveError(
                f"{path} has {size / 2**20:,.0f} MB, more than the {MOST_BYTES / 2**20:,.0f} MB of the "
                f"largest page that is read; it has to be {_ALLOWED}"
            )
        content = source.read(0, size)
    found = _PAYLOAD.search(content)
    if found is None or not _whole(content):
        raise ArchiveError(f"{path} {_strange(content)}; it has to be {_ALLOWED}")
    carried = payload.unpack(found.group(1), path)
    results = carried.get("results") if isinstance(carried, dict) else None
    if not isinstance(results, list) or not results:
        raise ArchiveError(f"{path} carries no results to compare with; write the page again")
    return [_former(own, path) for own in results]


def _strange(content: bytes) -> str:
    """What a file is that carries no results."""
    if not content.strip():
        return "is empty"
    if not re.match(rb"\s*<(!doctype html|html)", content, re.IGNORECASE):
        return "is no page"
    if not _whole(content):
        return "is cut off"
    if _MARK in content:
        return "is a page of an older masklab, without results to compare with"
    return "is a page of something else"


def _whole(content: bytes) -> bool:
    return content.rstrip().endswith(b"</html>")


def _former(content: Any, path: files.Location) -> Former:
    version = content.get("format") if isinstance(content, dict) else None
    if version != document.FORMAT:
        raise ArchiveError(
            f"{path}: its results have format {version!r}; this version of masklab compares with format "
            f"{document.FORMAT}: write the page again, or name the study's directory"
        )
    try:
        return Former.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArchiveError(f"{path}: what the page carries is damaged: {where}: {first['msg']}") from error
