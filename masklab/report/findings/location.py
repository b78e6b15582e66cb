"""Do masks of different pruners lie in different places?"""

from collections.abc import Sequence

from masklab.report.findings import evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject

_TEST = "permanova"
_SPREAD = "permdisp"
_ANCHOR = "differences-chapter"
_UNIT = words.Unit(digits=4)


def ask(subject: Subject) -> list[Finding]:
    """PERMANOVA of every two pruners: R² less its chance level."""
    found, number = evidence.compared(subject, _TEST)
    if not found:
        return []
    apart = [own for own in found if own.more]
    own = evidence.farthest(apart or found)
    chance = f"chance level {_level(own, own.chance)}"
    ground = words.Ground("seed", "pair of populations", number, chance, draws=subject.draws)
    if not apart:
        text = (
            "No difference was found in where masks of different pruners lie: "
            f"{_shown(own)} ({ground.missed(found)})."
        )
        return [subject.answer(text, _ANCHOR, carried=False)]
    which = f"Masks of {own.of[0]} and {own.of[1]} lie in different places"
    if len(found) > 1:
        pairs = words.some(len(apart), len(found), f"pair of {subject.noun}s")
        which = f"Masks of different pruners lie in different places, in {pairs}"
    text = f"{which}, beyond base weights and seeds: {_shown(own)} ({ground.stated([own])})."
    return [subject.answer([text, _spread(subject, apart)], _ANCHOR)]


def _level(own: Effect, value: float) -> str:
    return _UNIT.levels([value], [own.estimate])


def _shown(own: Effect) -> str:
    """An effect that is a share of the scatter, as far as it exceeds its chance level."""
    return (
        f"between {own.of[0]} and {own.of[1]} the pruner explains {_level(own, own.excess)} of the scatter "
        f"beyond chance, R² = {_UNIT.interval(own.estimate)}"
    )


def _spread(subject: Subject, apart: Sequence[Effect]) -> str:
    """PERMANOVA reacts to spread as well, so it is said where that differs, too."""
    spread, _ = evidence.compared(subject, _SPREAD)
    both = {own.of for own in spread if own.carried} & {own.of for own in apart}
    if not both:
        return ""
    where = "between them" if len(apart) == 1 else f"in {len(both)} of these {len(apart)} pairs"
    return f"Spread, to which the test reacts, too, differs {where} as well."
