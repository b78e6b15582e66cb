"""Does accuracy fall between two masks, on the straight line of their effective weights?"""

from dataclasses import replace

from masklab.report.findings import evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject
from masklab.report.landscape import rows, sentences

_ANCHOR = "landscape-chapter"
_ERROR = "entezari_error"


def ask(subject: Subject) -> list[Finding]:
    """Barriers within pruners and between them, against what noise alone shows."""
    analysis = subject.analysis
    lines = _lines(subject)
    measured = [
        row
        for row in lines
        if {row.a, row.b} <= set(subject.pruners) and row.barrier.entezari_error.value is not None
    ]
    if not measured:
        return []
    means = sentences.barriers(
        analysis, lines, "on straight lines of", lambda row: sentences.kind(analysis, row)
    )
    effects = evidence.family([own for row in measured if (own := _effect(row)) is not None])
    number = sum(own.p is not None for own in effects)
    ground = words.Ground("mask", "kind of pairs", number, "chance level: noise alone")
    high = [own for own in effects if own.more]
    if not high:
        missed = f" ({ground.missed(effects)})" if effects else ""
        text = f"Over masks, none was found to be above that noise{missed}."
        return [subject.answer([means, text], _ANCHOR, carried=False)]
    unit = words.points(min(row.images for row in measured))
    exceeded = words.some(len(high), len(measured), "kind of pairs")
    text = (
        f"Over masks, too, that noise is exceeded by {exceeded}: "
        f"{unit.extent(own.estimate for own in high)} ({ground.stated(high)})."
    )
    return [subject.answer([means, text], _ANCHOR)]


def _lines(subject: Subject) -> list[rows.Path]:
    """Straight lines of everything but controls and the like, in the order of their kinds."""
    analysis, own = subject.analysis, {own.name for own in subject.trained}
    found = [
        row
        for row in analysis.results.landscape
        if (row.path, row.split, row.block) == ("linear", "test", "within") and {row.a, row.b} <= own
    ]
    return sorted(found, key=lambda row: sentences.order(analysis, row))


def _effect(row: rows.Path) -> Effect | None:
    """A mean barrier against noise, if that is known; p is 1 where the images do not carry it."""
    over, found = row.over_images.get(_ERROR), row.barrier.entezari_error
    if over is None or over.chance is None or over.low is None:
        return None
    degrees = max(min(found.n, row.pairs) - 1, 1)
    own = evidence.derived((row.a, row.b), found, over.chance, least=evidence.LEAST_MASKS, degrees=degrees)
    return own if over.low > over.chance or own.p is None else replace(own, p=1.0)
