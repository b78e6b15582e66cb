"""Which pruners are more accurate?"""

from collections.abc import Sequence

from masklab.report import numbers
from masklab.report.findings import evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject

TEST = "accuracy"
_ANCHOR = "accuracy"


def ask(subject: Subject) -> list[Finding]:
    """Accuracies of pruners, compared with each other; of one pruner, with guessing."""
    if not subject.pruners:
        return _none_learned(subject)
    pairs, number = evidence.compared(subject, TEST)
    if not pairs:
        return _alone(subject) if len(subject.pruners) == 1 else []
    ground = words.Ground(
        "pair of equal seeds", "pair of populations", number, _chance(subject), draws=subject.draws
    )
    apart = [own.upwards() for own in pairs if own.carried]
    if not apart:
        widest = evidence.farthest(pairs).upwards()
        text = (
            "No difference in test accuracy was found between "
            f"{numbers.count(len(subject.pruners), subject.noun)}: the largest is that of "
            f"{_over(subject, widest)} ({ground.missed(pairs)})."
        )
        return [subject.answer([text, _guessing(subject)], _ANCHOR, carried=False)]
    differing = words.some(len(apart), len(pairs), f"pair of {subject.noun}s")
    best = _best(subject, apart)
    if best:
        others = len(best)
        than = best[0].of[1] if others == 1 else f"each of the other {others} {subject.noun}s"
        text = (
            f"{best[0].of[0]} ({_mean(subject, best[0].of[0])}) is more accurate than {than}, by "
            f"{unit(subject).extent(own.estimate for own in best)} ({ground.stated(best)})."
        )
        largest = max(own.adjusted or 0.0 for own in apart)
        rest = f"Test accuracy differs in {differing} (largest adjusted {words.probability(largest)})."
        return [subject.answer([text, rest * (others > 1), _guessing(subject)], _ANCHOR)]
    text = (
        f"Test accuracy differs in {differing}, but no {subject.noun} is more accurate than every other; the "
        f"largest difference is that of {_over(subject, evidence.farthest(apart))} "
        f"({ground.stated([evidence.farthest(apart)])})."
    )
    return [subject.answer([text, _guessing(subject)], _ANCHOR)]


def _guessing(subject: Subject) -> str:
    """Who is not compared, as it learned next to nothing."""
    said = [f"{name} ({_mean(subject, name)})" for name in subject.guessing]
    return f"Near guessing level, and so in no comparison: {words.listed(said)}." if said else ""


def unit(subject: Subject) -> words.Unit:
    """How differences of accuracies on the test images are printed."""
    return words.points(subject.analysis.study.data.test or 0)


def _chance(subject: Subject) -> str:
    guess = "" if subject.guess is None else f"; guessing gives {100.0 * subject.guess:.3g} %"
    return f"0 = no difference{guess}"


def _over(subject: Subject, own: Effect) -> str:
    return f"{own.of[0]} over {own.of[1]}, {unit(subject).interval(own.estimate)}"


def _mean(subject: Subject, name: str) -> str:
    row = subject.analysis.accuracy(name)
    if row is None or row.estimate.value is None:
        return "unknown"
    return words.percent(subject.analysis.study.data.test or 0).interval(row.estimate)


def _best(subject: Subject, apart: Sequence[Effect]) -> list[Effect]:
    """The differences of the one that is more accurate than every other; nothing where none is."""
    for name in subject.pruners:
        own = [effect for effect in apart if effect.of[0] == name]
        if len(own) == len(subject.pruners) - 1:
            return own
    return []


def _alone(subject: Subject) -> list[Finding]:
    """One pruner against guessing."""
    (name,) = subject.pruners
    row = subject.analysis.accuracy(name)
    if row is None or row.estimate.value is None or subject.guess is None:
        return []
    (effect,) = evidence.family([evidence.derived((name,), row.estimate, subject.guess)])
    guess = f"guessing gives {100.0 * subject.guess:.3g} %"
    ground = words.Ground("member", subject.noun, 1, guess, draws=subject.draws)
    reached = _mean(subject, name)
    if not effect.more:
        text = f"Whether {name} learned anything is not certain: {reached} ({ground.missed([effect])})."
        return [subject.answer(text, _ANCHOR, carried=False)]
    text = f"{name} reaches {reached} test accuracy ({ground.stated([effect])})."
    return [subject.answer(text, _ANCHOR)]


def _none_learned(subject: Subject) -> list[Finding]:
    """Pruners near guessing level, of which nothing more is said."""
    rows = [subject.analysis.accuracy(own.name) for own in subject.trained]
    found = [row.estimate for row in rows if row is not None and row.estimate.value is not None]
    if not found or subject.guess is None:
        return []
    extent = words.percent(subject.analysis.study.data.test or 0).extent(found)
    text = (
        f"No pruner is far above guessing level: mean test accuracy {extent} ({words.members(found)}), where "
        f"guessing gives {100.0 * subject.guess:.3g} %. What such masks have in common says little about "
        "their pruners, so nothing more is said of these."
    )
    return [subject.answer(text, _ANCHOR, carried=False)]
