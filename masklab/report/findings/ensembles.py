"""Do members of one pruner make different mistakes, so that together they are better?"""

from masklab.report import numbers, records, text
from masklab.report.findings import evidence, words
from masklab.report.findings.subject import Finding, Subject

_RULES = {"average": "probabilities averaged", "vote": "majority vote"}
_ANCHOR = "ensembles"
_SHARE = words.Unit(" %", 100.0, 2)


def ask(subject: Subject) -> list[Finding]:
    """Gain of ensembles of all members over their mean member, beside how often two members disagree."""
    for rule, said in _RULES.items():
        found = _largest(subject, rule)
        if found:
            return [_answer(subject, found, said)]
    return []


def _largest(subject: Subject, rule: str) -> dict[str, records.Ensemble]:
    """The largest ensembles of each pruner."""
    found: dict[str, records.Ensemble] = {}
    for row in sorted(subject.analysis.results.ensembles, key=lambda row: row.size):
        known = row.rule == rule and row.size > 1 and row.gain.value is not None
        if known and row.population in subject.pruners:
            found[row.population] = row
    return {name: found[name] for name in subject.pruners if name in found}


def _answer(subject: Subject, found: dict[str, records.Ensemble], rule: str) -> Finding:
    effects = evidence.family([evidence.derived((name,), row.gain, 0.0) for name, row in found.items()])
    ground = words.Ground("member", subject.noun, len(effects), "0 = no gain", draws=subject.draws)
    points = words.points(min(row.images for row in found.values()))
    sizes = text.counted([row.size for row in found.values()], "member")
    stated, other = evidence.sides(effects)
    gains = f"{points.extent(own.estimate for own in stated or effects)} over the mean member, {rule}"
    if not stated:
        said = f"No gain of ensembles of {sizes} was found: {gains} ({ground.missed(effects)})."
        return subject.answer([said, _disagreement(subject)], _ANCHOR, carried=False)
    said = (
        f"Ensembles of {sizes} are {'more' if stated[0].more else 'less'} accurate than their members, in "
        f"{words.which(subject, stated, effects)}: {gains} ({ground.stated(stated)})."
    )
    opposite = words.opposite(other, len(effects), subject.noun)
    return subject.answer([said, opposite, _disagreement(subject)], _ANCHOR)


def _disagreement(subject: Subject) -> str:
    """How often two members of a pruner that share base weights disagree."""
    rows = [
        row
        for row in subject.analysis.results.function
        if row.metric == "disagreement" and row.a == row.b and row.block == "within"
        if row.a in subject.pruners and row.estimate.value is not None
    ]
    if not rows:
        return ""
    levels = [row.chance for row in rows if row.chance is not None]
    chance = f"; independent predictions would on {numbers.extent(levels, 0)} %" if levels else ""
    return (
        f"Two members that share base weights disagree on {_SHARE.extent(row.estimate for row in rows)} of "
        f"the test images (n = {text.counted([row.pairs for row in rows], 'pair of members')}{chance})."
    )
