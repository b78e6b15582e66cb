"""Where do masks of one pruner differ: in which layers, given how large these are?"""

from collections.abc import Sequence

from masklab.report import records
from masklab.report.findings import evidence, words
from masklab.report.findings.evidence import Effect
from masklab.report.findings.subject import Finding, Subject

_METRIC = "distance_share"
_ANCHOR = "shares"
_UNIT = words.Unit(" times", digits=2)
_CHANCE = "1 = chance level"


def ask(subject: Subject) -> list[Finding]:
    """Share of the distance that lies in each layer, as a multiple of that between independent masks."""
    effects = evidence.family(
        [
            _relative(row.population, row.layer, row.estimate, row.chance)
            for row in subject.analysis.results.structure
            if (row.metric, row.block) == (_METRIC, "within") and row.population in subject.pruners
            if row.estimate.value is not None and row.chance
        ]
    )
    if not effects:
        return []
    number = sum(own.p is not None for own in effects)
    ground = words.Ground("member", f"layer of a {subject.noun}", number, _CHANCE, draws=subject.draws)
    stated = [own for own in effects if own.carried]
    if not stated:
        text = (
            "No layer was found to hold more or less of the distance between masks of one pruner than it "
            f"would by chance: {_UNIT.extent(own.estimate for own in effects)} as much "
            f"({ground.missed(effects)})."
        )
        return [subject.answer(text, _ANCHOR, carried=False)]
    layers = [layer.name for layer in subject.analysis.study.network.layers]
    parts = [part for above in (True, False) if (part := _part(subject, effects, layers, above=above))]
    text = (
        "The distance between masks of one pruner that share base weights is not spread over the layers as "
        f"between independent masks: {'; '.join(parts)} ({ground.stated(stated)})."
    )
    return [subject.answer(text, _ANCHOR)]


def _relative(population: str, layer: str, found: records.Estimate, chance: float) -> Effect:
    """A share as a multiple of its chance level."""
    ends = {
        end: None if value is None else value / chance
        for end, value in (("value", found.value), ("low", found.low), ("high", found.high))
    }
    relative = found.model_copy(update=ends)
    return evidence.derived((population, layer), relative, 1.0, least=evidence.LEAST_MASKS)


def _part(subject: Subject, effects: Sequence[Effect], layers: Sequence[str], *, above: bool) -> str:
    """Layers that differ from their chance level in this direction, those of most pruners first."""
    own = [effect for effect in effects if (effect.more if above else effect.less)]
    by_layer = {layer: [effect for effect in own if effect.of[1] == layer] for layer in layers}
    found = sorted((layer for layer in layers if by_layer[layer]), key=lambda layer: -len(by_layer[layer]))
    said = [
        f"{layer}, {_UNIT.extent(effect.estimate for effect in by_layer[layer])} the chance level in "
        f"{words.which(subject, by_layer[layer], effects)}"
        for layer in found
    ]
    return f"{'more' if above else 'less'} of it lies in {words.listed(said)}" if said else ""
