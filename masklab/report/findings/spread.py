"""Do some pruners explore more widely than others?"""

from masklab.report.findings import evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject

_TEST = "permdisp"
_ANCHOR = "differences-chapter"
_UNIT = words.Unit(digits=4)


def ask(subject: Subject) -> list[Finding]:
    """PERMDISP of every two pruners: difference of the mean distance to the centroid."""
    found, number = evidence.compared(subject, _TEST)
    if not found:
        return []
    ground = words.Ground("seed", "pair of populations", number, "0 = no difference", draws=subject.draws)
    apart = [own.upwards() for own in found if own.carried]
    if not apart:
        text = (
            "No difference was found in how widely the masks of pruners spread: "
            f"{_shown(evidence.farthest(found).upwards())} ({ground.missed(found)})."
        )
        return [subject.answer(text, _ANCHOR, carried=False)]
    widest = evidence.farthest(apart)
    which = f"In {words.some(len(apart), len(found), f'pair of {subject.noun}s')} one spreads more widely"
    if len(found) == 1:
        which = f"{widest.of[0]} spreads more widely than {widest.of[1]}"
    return [subject.answer(f"{which}: {_shown(widest)} ({ground.stated([widest])}).", _ANCHOR)]


def _shown(own: Effect) -> str:
    return (
        f"masks of {own.of[0]} lie {_UNIT.interval(own.estimate)} farther from their centroid than those of "
        f"{own.of[1]}, in √Hamming distance"
    )
