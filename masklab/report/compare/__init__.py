"""What changed between two analyses: of one study at two times, or of two studies."""

from collections.abc import Sequence
from typing import Any

from masklab.report import chapters, load, style
from masklab.report.compare import changes, document, drawing, former, matching, sentences, tables
from masklab.report.compare.changes import Changes
from masklab.report.compare.document import Former

__all__ = ["Changes", "Former", "chapter", "compact", "compared", "notes", "read"]

TITLE = "What changed"

read = former.read


def compact(analysis: load.Analysis) -> dict[str, Any]:
    """What a page carries of an analysis, so that a later one can be compared with it.

    Args:
        analysis: What the page shows.
    """
    return document.make(analysis).model_dump(mode="json")


def compared(before: Sequence[Former], analyses: Sequence[load.Analysis]) -> list[Changes]:
    """What changed in each study that has a former analysis.

    Args:
        before: The former analyses.
        analyses: All studies of the page.

    Raises:
        ArchiveError: None of them has a former analysis.
    """
    pairs = zip(matching.match(before, analyses), analyses, strict=True)
    return [changes.make(own, analysis) for own, analysis in pairs if own is not None]


def notes(before: Sequence[Former], analyses: Sequence[load.Analysis]) -> list[str]:
    """What changed, in sentences; with several studies each begins with its name.

    Args:
        before: The former analyses.
        analyses: All studies of the page.

    Raises:
        ArchiveError: None of them has a former analysis.
    """
    found = compared(before, analyses)
    names = {own.after.study for own in found}
    several = len(analyses) > 1
    said = [
        f"{own.after.study}: {sentence}" if several else sentence
        for own in found
        for sentence in sentences.paragraphs(own)
    ]
    new = [analysis.study.name for analysis in analyses if analysis.study.name not in names]
    used = {own.before.study for own in found}
    old = [own.study for own in before if own.study not in used]
    said += [f"{name} was not among the former analyses." for name in new]
    return said + [f"{name} is not here any more." for name in old]


def chapter(
    before: Sequence[Former], analyses: Sequence[load.Analysis], theme: style.Theme, key: str
) -> chapters.Chapter:
    """The chapter of everything that changed.

    Args:
        before: The former analyses.
        analyses: All studies of the page.
        theme: Colours.
        key: Its anchor, and prefix of those in it.

    Raises:
        ArchiveError: No study has a former analysis.
    """
    found = compared(before, analyses)
    shown = [own for own in found if not own.nothing]
    made = [
        chapters.Folded(tables.settings(found, f"{key}-settings"), "settings that changed", open=True),
        chapters.Folded(tables.moved(found, f"{key}-numbers"), "numbers before and now", open=False),
    ]
    return chapters.Chapter(
        key,
        TITLE,
        {f"{key}-accuracy": drawing.draw(shown, theme, f"{key}-accuracy")} if shown else {},
        [folded for folded in made if folded.table.rows],
        sentences=notes(before, analyses),
    )
