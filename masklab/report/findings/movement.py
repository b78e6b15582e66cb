"""How far do masks move while they are trained, and do they settle?"""

from collections.abc import Sequence

from masklab.report import models
from masklab.report.findings import evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject

_ANCHOR = "movement"
_FLIPS = words.Unit(" %", 100.0, 3)
_DISTANCE = words.Unit(digits=4)


def ask(subject: Subject) -> list[Finding]:
    """Distance of the first snapshot from the final mask, and bits flipped at first against at last."""
    ways = {name: own[0] for name in subject.pruners if (own := subject.analysis.movement(name, "to_final"))}
    flips = {
        name: (own[0], own[-1])
        for name in subject.pruners
        if len(own := subject.analysis.movement(name, "flipped_per_epoch")) > 1
    }
    near = [evidence.derived((name,), row.estimate, row.chance) for name, row in ways.items() if row.chance]
    slower = [
        own
        for name, (first, last) in flips.items()
        if (own := evidence.difference((name,), last.estimate, first.estimate)) is not None
    ]
    effects = evidence.family([*near, *slower])
    if not effects:
        return []
    number = sum(own.p is not None for own in effects)
    ground = words.Ground("member", "comparison", number, "", draws=subject.draws)
    ways_apart, flips_apart = (evidence.sides(part) for part in (effects[: len(near)], effects[len(near) :]))
    if not ways_apart[0] and not flips_apart[0]:
        text = (
            "Whether masks end nearer to where they started than chance, and whether they move less towards "
            f"the end, is not answered ({ground.missed(effects)})."
        )
        return [subject.answer(text, _ANCHOR, carried=False)]
    said = []
    for (stated, other), of, shown in (
        (ways_apart, near, lambda stated, of: _near(subject, stated, ways, of)),
        (flips_apart, slower, lambda stated, of: _slower(subject, stated, flips, of)),
    ):
        if stated:
            said.append(f"{shown(stated, of)} ({ground.stated(stated)}).")
            said.append(words.opposite(other, len(of), subject.noun))
    return [subject.answer(said, _ANCHOR)]


def _near(
    subject: Subject, stated: Sequence[Effect], ways: dict[str, models.Movement], of: Sequence[Effect]
) -> str:
    rows = [ways[own.of[0]] for own in stated]
    epochs = " or ".join(dict.fromkeys(f"{row.epoch}" for row in rows))
    chance = _DISTANCE.levels([row.chance or 0.0 for row in rows], [row.estimate for row in rows])
    return (
        f"Masks end {'nearer to' if stated[0].less else 'farther from'} where they were after epoch {epochs} "
        f"than chance, in {words.which(subject, stated, of)}: Hamming distance "
        f"{_DISTANCE.extent(row.estimate for row in rows)}, where independent masks have {chance}"
    )


def _slower(
    subject: Subject,
    stated: Sequence[Effect],
    flips: dict[str, tuple[models.Movement, models.Movement]],
    of: Sequence[Effect],
) -> str:
    first, last = ([flips[own.of[0]][place] for own in stated] for place in (0, 1))
    return (
        f"Masks move {'less' if stated[0].less else 'more'} towards the end, in "
        f"{words.which(subject, stated, of)}: "
        f"{_FLIPS.extent(row.estimate for row in last)} of the bits flip per epoch at last, "
        f"{_FLIPS.extent(row.estimate for row in first)} at first"
    )
