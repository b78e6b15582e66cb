"""Is the majority of masks as good as the masks themselves?"""

from masklab.report import numbers
from masklab.report.findings import evidence, words
from masklab.report.findings.subject import Finding, Subject
from masklab.report.landscape import rows

_OPERATION = "majority"
_ANCHOR = "algebra"


def ask(subject: Subject) -> list[Finding]:
    """Accuracy of the majority mask of each pruner, against the mean of the members that went in."""
    found = _rows(subject)
    if not found:
        return []
    effects = evidence.family([evidence.derived((name,), row.gain, 0.0) for name, row in found.items()])
    ground = words.Ground("draw of base weights", subject.noun, len(effects), "0 = no difference")
    images = min(row.images for row in found.values())
    points, percent = words.points(images), words.percent(images)
    chance = numbers.extent([row.chance for row in found.values()], 1)
    reached = percent.extent(row.accuracy for row in found.values())
    levels = f"Its accuracy is {reached}, where always naming the most common class gives {chance} %."
    stated, other = evidence.sides(effects)
    if not stated:
        text = (
            "Whether the majority of the masks of a draw is as accurate as its members is not answered: "
            f"{points.extent(own.estimate for own in effects)} over the mean member "
            f"({ground.missed(effects)})."
        )
        return [subject.answer([text, levels], _ANCHOR, carried=False)]
    text = (
        f"The majority of the masks of a draw is {'more' if stated[0].more else 'less'} accurate than its "
        f"members, in {words.which(subject, stated, effects)}: by "
        f"{points.extent(own.upwards().estimate for own in stated)} ({ground.stated(stated)})."
    )
    return [subject.answer([text, words.opposite(other, len(effects), subject.noun), levels], _ANCHOR)]


def _rows(subject: Subject) -> dict[str, rows.Algebra]:
    """One row per pruner, at the members' density where there is one."""
    found: dict[str, rows.Algebra] = {}
    for row in subject.analysis.results.algebra:
        known = row.operation == _OPERATION and row.split == "test" and row.gain.value is not None
        better = row.population not in found or row.density_kind == "matched"
        if known and better and row.population in subject.pruners:
            found[row.population] = row
    return found
