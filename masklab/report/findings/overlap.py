"""Do masks of one pruner keep the same weights, more than chance would have it?"""

from masklab.report.findings import evidence, words
from masklab.report.findings.subject import Finding, Subject

_TEST = "stability-against-chance"
_UNIT = words.Unit()
_CHANCE = "0 = chance, 1 = equal masks"


def ask(subject: Subject) -> list[Finding]:
    """Nogueira's stability of the masks of each pruner, against that of independent masks."""
    found, number = evidence.alone(subject, _TEST)
    if not found:
        return []
    anchor = "overlap-chapter" if subject.analysis.results.overlap else "differences-chapter"
    ground = words.Ground("member", "population", number, _CHANCE, draws=subject.draws)
    stated, other = evidence.sides(found)
    if not stated:
        text = (
            "No agreement beyond chance was found between masks of one pruner that share base weights: "
            f"stability {_UNIT.extent(own.estimate for own in found)} ({ground.missed(found)})."
        )
        return [subject.answer(text, anchor, carried=False)]
    text = (
        f"Masks of one pruner that share base weights agree {'more' if stated[0].more else 'less'} than "
        f"independent masks do, in {words.which(subject, stated, found)}: stability "
        f"{_UNIT.extent(own.estimate for own in stated)} ({ground.stated(stated)})."
    )
    return [subject.answer([text, words.opposite(other, len(found), subject.noun)], anchor)]
