"""Which former analysis each study is compared with."""

from collections.abc import Sequence

from masklab.errors import ArchiveError
from masklab.report import load
from masklab.report.compare.document import Former


def match(former: Sequence[Former], analyses: Sequence[load.Analysis]) -> list[Former | None]:
    """The former analysis of each study, by name; None where there is none of that name.

    One study is compared with the only one there is, whatever its name.

    Args:
        former: What there is to compare with.
        analyses: All studies of the page.

    Raises:
        ArchiveError: No name is in both, and there are several studies.
    """
    found = [_named(former, analysis) for analysis in analyses]
    if any(found):
        return found
    if len(former) == len(analyses) == 1:
        return [former[0]]
    there = ", ".join(repr(own.study) for own in former)
    here = ", ".join(repr(analysis.study.name) for analysis in analyses)
    raise ArchiveError(
        f"nothing to compare with: the former analyses are of {there}, none of which is among {here}; "
        "studies are compared by name"
    )


def _named(former: Sequence[Former], analysis: load.Analysis) -> Former | None:
    """By the name on the page; then without, or with, the directory that tells equal names apart."""
    name, folder = analysis.study.name, f" ({analysis.directory.resolve().name})"
    bare = name.removesuffix(folder)
    by_name = {own.study: own for own in reversed(former)}
    return next((by_name[own] for own in (name, bare, f"{bare}{folder}") if own in by_name), None)
