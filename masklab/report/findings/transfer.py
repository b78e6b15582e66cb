"""Are masks any good on other base weights than their own?"""

from masklab.report import numbers
from masklab.report.findings import evidence, words
from masklab.report.findings.subject import Finding, Subject
from masklab.report.landscape import rows

_WEIGHTS = {
    "fresh": "a draw of base weights that no member has",
    "other-draw": "base weights of another draw",
    "same-draw": "base weights of another member",
}
"""Kinds of base weights; the first of these that was measured is spoken of."""

_ANCHOR = "transfer"


def ask(subject: Subject) -> list[Finding]:
    """Accuracy of masks on other base weights, against their own."""
    for kind, weights in _WEIGHTS.items():
        found = {
            row.population: row
            for row in subject.analysis.results.transfer
            if (row.weights, row.split) == (kind, "test") and row.population in subject.pruners
            if row.change.value is not None
        }
        if found:
            return [_answer(subject, found, weights)]
    return []


def _answer(subject: Subject, found: dict[str, rows.Transfer], weights: str) -> Finding:
    effects = evidence.family([evidence.derived((name,), row.change, 0.0) for name, row in found.items()])
    ground = words.Ground("member", subject.noun, len(effects), "0 = no change")
    images = min(row.images for row in found.values())
    points, percent = words.points(images), words.percent(images)
    chance = numbers.extent([row.chance for row in found.values()], 1)
    reached = percent.extent(row.accuracy for row in found.values())
    levels = f"Accuracy there is {reached}, where always naming the most common class gives {chance} %."
    stated, other = evidence.sides(effects)
    if not stated:
        text = (
            f"No change of accuracy was found where masks are put on {weights}: "
            f"{points.extent(own.estimate for own in effects)} against their own ({ground.missed(effects)})."
        )
        return subject.answer([text, levels], _ANCHOR, carried=False)
    text = (
        f"Masks {'gain' if stated[0].more else 'lose'} accuracy on {weights}, in "
        f"{words.which(subject, stated, effects)}: by "
        f"{points.extent(own.upwards().estimate for own in stated)} ({ground.stated(stated)})."
    )
    return subject.answer([text, words.opposite(other, len(effects), subject.noun), levels], _ANCHOR)
