"""Do refreshes of the base weights raise the accuracy of their gate?"""

from collections.abc import Iterator, Sequence

from masklab.report import numbers
from masklab.report.findings import accuracy, evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject

_ANCHOR = "accuracy"
_ALIKE = ("gate", "density", "overrides")


def ask(subject: Subject) -> list[Finding]:
    """Pruners with a refresh against the same gate without one, at equal density."""
    pairs, number = evidence.compared(subject, accuracy.TEST)
    found = list(_comparisons(subject, pairs))
    if not found:
        return []
    ground = words.Ground(
        "pair of equal seeds", "pair of populations", number, "0 = no effect", draws=subject.draws
    )
    raised, lowered = [own for own in found if own.more], [own for own in found if own.less]
    if not raised and not lowered:
        widest = evidence.farthest(found)
        text = (
            "No effect of refreshing base weights on test accuracy was found in "
            f"{numbers.count(len(found), 'comparison')} with the gate alone: the largest difference is that "
            f"of {_named(subject, [widest])} ({ground.missed(found)})."
        )
        return [subject.answer(text, _ANCHOR, carried=False)]
    said = [
        f"{verb} test accuracy over the gate alone in {words.some(len(own), len(found), 'comparison')}: "
        f"{_named(subject, own)} ({ground.stated(own)})"
        for verb, own in (("raises", raised), ("lowers", lowered))
        if own
    ]
    return [subject.answer(f"Refreshing base weights {'; it '.join(said)}.", _ANCHOR)]


def _comparisons(subject: Subject, pairs: Sequence[Effect]) -> Iterator[Effect]:
    """Accuracy with a refresh less that without."""
    known = {own.name: own for own in subject.trained}
    for pair in pairs:
        first, second = (known[name] for name in pair.of)
        alike = all(getattr(first, part) == getattr(second, part) for part in _ALIKE)
        if alike and first.gate is not None and bool(first.refresh) != bool(second.refresh):
            yield pair if first.refresh else pair.turned()


def _named(subject: Subject, found: Sequence[Effect]) -> str:
    unit = accuracy.unit(subject)
    return words.listed([f"{own.of[0]} over {own.of[1]} {unit.interval(own.estimate)}" for own in found])
