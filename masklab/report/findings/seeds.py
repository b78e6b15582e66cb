"""Do masks resemble each other because of their seeds, or because of their pruner?"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from masklab.report import models, text
from masklab.report.findings import evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject

_ANCHOR = "overlap-chapter"
_UNIT = words.Unit(digits=4)
_METRIC = "chance_corrected"
_CHANCE = "chance-corrected overlap: 0 = chance, 1 = the most there can be"


@dataclass(frozen=True)
class _Compared:
    """Overlap of two pruners over equal seeds, and of one of them over different seeds."""

    pair: tuple[str, str]
    same: models.Overlap
    within: models.Overlap
    effect: Effect


def ask(subject: Subject) -> list[Finding]:
    """Same seeds across two pruners against different seeds within each, on shared base weights."""
    made = list(_comparisons(subject))
    if not made:
        return []
    effects = evidence.family([own.effect for own in made])
    pairs = list(dict.fromkeys(own.pair for own in made))
    of_seed, of_pruner = (
        [pair for pair in pairs if all(getattr(own, side) for own in effects if own.of == pair)]
        for side in ("more", "less")
    )
    stated, other = (of_seed, of_pruner) if len(of_seed) >= len(of_pruner) else (of_pruner, of_seed)
    number = sum(own.p is not None for own in effects)
    ground = words.Ground("seed", "comparison", number, _CHANCE, draws=subject.draws)
    if not stated:
        sentence = (
            "Whether it depends on the seed or on the pruner which weights are kept is not answered: "
            f"{_both(made)}. No difference can be stated ({ground.missed(effects)})."
        )
        return [subject.answer(sentence, _ANCHOR, carried=False)]
    own = [effect for effect in effects if effect.of in stated]
    nearest = min((effect.upwards() for effect in own), key=lambda effect: effect.value)
    decides, verb = ("seed", "more") if stated is of_seed else ("pruner", "less")
    counted = words.some(len(stated), len(pairs), f"pair of {subject.noun}s")
    sentence = (
        f"Which weights are kept depends more on the {decides} than on the "
        f"{'pruner' if decides == 'seed' else 'seed'}, in {counted}: "
        f"{_both([one for one in made if one.pair in stated], verb)}. The smallest difference is "
        f"{_UNIT.interval(nearest.estimate)} ({ground.stated(own)})."
    )
    opposite = (
        f"The opposite holds in {words.some(len(other), len(pairs), f'pair of {subject.noun}s')}."
        if other
        else ""
    )
    return [subject.answer([sentence, opposite], _ANCHOR)]


def _comparisons(subject: Subject) -> Iterator[_Compared]:
    overlap = subject.analysis.overlap
    for a, b in itertools.combinations(subject.pruners, 2):
        if not subject.rivals(a, b):
            continue
        same = overlap(a, b, _METRIC, seed="same")
        for name in (a, b):
            within = overlap(name, name, _METRIC)
            if same is None or within is None:
                continue
            effect = evidence.difference((a, b), same.estimate, within.estimate, least=evidence.LEAST_MASKS)
            if effect is not None:
                yield _Compared((a, b), same, within, effect)


def _both(made: Sequence[_Compared], verb: str = "") -> str:
    """Both overlaps, with what they rest on."""
    same = list({own.pair: own.same for own in made}.values())
    within = list({own.within.a: own.within for own in made}.values())
    than = f"overlap {verb}, {_overlap(same)}, than" if verb else f"overlap by {_overlap(same)},"
    return (
        f"masks of two pruners from the same seeds {than} masks of one pruner from different seeds"
        f"{',' if verb else ' by'} {_overlap(within)}"
    )


def _overlap(rows: Sequence[models.Overlap]) -> str:
    pairs = text.counted([row.pairs for row in rows], "pair of masks")
    return f"{_UNIT.extent(row.estimate for row in rows)} (n = {pairs})"
