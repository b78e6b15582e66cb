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
    stated = [[own for own in part if own.less] for part in (effects[: len(near)], effects[len(near) :])]
    if not any(stated):
        text = (
            "Whether masks end nearer to where they started than chance, and whether they move less towards "
            f"the end, is not answered ({ground.missed(effects)})."
        )
        return [subject.answer(text, _ANCHOR, carried=False)]
    said = []
    if stated[0]:
        said.append(f"{_near(stated[0], ways, len(near))} ({ground.stated(stated[0])}).")
    if stated[1]:
        said.append(f"{_slower(stated[1], flips, len(slower))} ({ground.stated(stated[1])}).")
    return [subject.answer(said, _ANCHOR)]


def _near(stated: Sequence[Effect], ways: dict[str, models.Movement], of: int) -> str:
    rows = [ways[own.of[0]] for own in stated]
    epochs = " or ".join(dict.fromkeys(f"{row.epoch}" for row in rows))
    chance = _DISTANCE.levels([row.chance or 0.0 for row in rows], [row.estimate for row in rows])
    return (
        f"Masks end nearer to where they were after epoch {epochs} than chance, in "
        f"{words.some(len(stated), of, 'pruner')}: Hamming distance "
        f"{_DISTANCE.extent(row.estimate for row in rows)}, where independent masks have {chance}"
    )


def _slower(
    stated: Sequence[Effect], flips: dict[str, tuple[models.Movement, models.Movement]], of: int
) -> str:
    first, last = ([flips[own.of[0]][place] for own in stated] for place in (0, 1))
    return (
        f"Masks move less towards the end, in {words.some(len(stated), of, 'pruner')}: "
        f"{_FLIPS.extent(row.estimate for row in last)} of the bits flip per epoch at last, "
        f"{_FLIPS.extent(row.estimate for row in first)} at first"
    )
