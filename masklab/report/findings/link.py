"""Do members whose masks differ more also disagree more?"""

from masklab.report.findings import evidence, words
from masklab.report.findings.subject import Finding, Subject

_TEST = "mantel"
_ANCHOR = "scatter"
_UNIT = words.Unit(digits=4)


def ask(subject: Subject) -> list[Finding]:
    """Mantel correlation of mask distance and disagreement within each pruner."""
    found, number = evidence.alone(subject, _TEST)
    if not found:
        return []
    ground = words.Ground("member", "population", number, "0 = no link", draws=subject.draws)
    stated, other = evidence.sides(found)
    correlations = f"Mantel correlation {_UNIT.extent(own.estimate for own in stated or found)}"
    if not stated:
        text = (
            "No link between the distance of masks and the disagreement of their predictions was found "
            f"within pruners: {correlations} ({ground.missed(found)})."
        )
        return [subject.answer(text, _ANCHOR, carried=False)]
    text = (
        f"Members whose masks differ more disagree {'more' if stated[0].more else 'less'} on test images, "
        f"within {words.which(subject, stated, found)}: {correlations} ({ground.stated(stated)})."
    )
    return [subject.answer([text, words.opposite(other, len(found), subject.noun)], _ANCHOR)]
