"""How many masks are there really?"""

from collections.abc import Sequence

from masklab.report import numbers, records
from masklab.report.findings import evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject

_ANCHOR = "diversity-chapter"
_WHOLE_RANGE = "min to max"
_UNIT = words.Unit(digits=3)


def ask(subject: Subject) -> list[Finding]:
    """Vendi score of the masks of one draw of base weights, against as many random masks."""
    rows = {
        row.population: row
        for row in subject.analysis.results.diversity
        if (row.metric, row.block) == ("vendi", "within") and row.population in subject.pruners
        if row.estimate.value is not None and row.null is not None
    }
    if not rows:
        return []
    effects = evidence.family([_effect(row, row.null) for row in rows.values() if row.null is not None])
    fewer = [own for own in effects if _fewer(own)]
    shown = [rows[own.of[0]] for own in fewer or effects]
    levels = f"Vendi score {_UNIT.extent(row.estimate for row in shown)} against {_nulls(shown)}"
    if not fewer:
        text = (
            "The masks of one draw of base weights were not found to be fewer than as many random masks: "
            f"{levels} ({_ground(subject, shown, effects, effects)})."
        )
        return [subject.answer(text, _ANCHOR, carried=False)]
    text = (
        "The masks of one draw of base weights are fewer different ones than as many random masks, in "
        f"{words.which(subject, fewer, effects)}: {levels} "
        f"({_ground(subject, shown, fewer, effects)})."
    )
    return [subject.answer(text, _ANCHOR)]


def _effect(row: records.Diversity, null: records.Null) -> Effect:
    """The score with the p of its place below all sets of random masks; p is 1 where it is not there."""
    score = row.estimate.value or 0.0
    least = 1.0 / (null.n + 1)
    below = score < null.low and null.range == _WHOLE_RANGE
    return Effect((row.population,), row.estimate, null.mean, least if below else 1.0, smallest=least)


def _fewer(own: Effect) -> bool:
    """Whether fewer masks can be stated: below every set, and by the own interval where there is one."""
    high = own.estimate.high
    apart = own.excess < 0.0 and (high is None or high < own.chance)
    return apart and own.significant


def _ground(
    subject: Subject,
    shown: Sequence[records.Diversity],
    stated: Sequence[Effect],
    effects: Sequence[Effect],
) -> str:
    """What the scores rest on; the interval is the range of random masks."""
    sets = max(row.null.n for row in shown if row.null)
    ground = words.Ground("member", subject.noun, len(effects), "", "one-sided", subject.draws)
    choose, which = (max, "adjusted") if stated is not effects else (min, "smallest adjusted")
    p = choose(own.adjusted for own in stated if own.adjusted is not None)
    return (
        f"{ground.members([row.estimate for row in shown])}; chance level: random masks, mean and range of "
        f"{numbers.count(sets, 'set')}; {ground.corrected(which, p, stated)}; {words.attainable(stated)}"
    )


def _nulls(rows: Sequence[records.Diversity]) -> str:
    """Means of random masks, and the range of all of their sets."""
    nulls = [row.null for row in rows if row.null is not None]
    digits = max(_UNIT.decimals(row.estimate) for row in rows)
    means = sorted(null.mean for null in nulls)
    said = " to ".join(dict.fromkeys(numbers.fixed(mean, digits) for mean in (means[0], means[-1])))
    low, high = min(null.low for null in nulls), max(null.high for null in nulls)
    return f"{said} [{numbers.fixed(low, digits)}, {numbers.fixed(high, digits)}]"
