"""Masks, and the pruners that make them: every rule in the words of its own file."""

import re
from collections.abc import Iterator
from typing import Any

from masklab import pruners
from masklab.errors import MasklabError
from masklab.report import load, models, numbers, recipe, sources, text

_PERIODS = ("period", "period_steps")


def made(analysis: load.Analysis) -> list[models.Population]:
    """Populations that masklab made, imported ones apart."""
    return [own for own in analysis.results.populations if own.imported is None]


def scored(analysis: load.Analysis) -> list[models.Population]:
    """Populations whose masks were found by training scores."""
    return [own for own in made(analysis) if own.trained and own.control is None]


def parts(pruner: str) -> list[pruners.Description]:
    """What a pruner is made of; nothing for one that this installation does not have."""
    try:
        return pruners.describe(pruner)
    except MasklabError:
        return []


def sentences(analysis: load.Analysis) -> Iterator[str]:
    """Density, selection, training of scores, the rules of all parts, the options of all populations."""
    own = made(analysis)
    if own:
        densities = ", ".join(dict.fromkeys(numbers.density(one.density) for one in own))
        yield (
            "A member is one mask with its base weights; members of a population differ in their seeds "
            f"alone. Density is the fraction of weights kept: {densities}."
        )
        yield from _kept(analysis)
        yield from _scores(analysis)
    described = {(part.kind, part.name): part for one in own for part in parts(one.pruner)}
    for part in described.values():
        found = ", ".join(source.key for source in sources.of_part(part))
        cited = f" [{found}]" if found else ""
        yield f"{part.kind.capitalize()} {part.name}: {part.rule.rstrip('.')}{cited}."
    for pruner in dict.fromkeys(one.pruner for one in own if not parts(one.pruner)):
        yield f"Pruner {pruner}: not known to this installation of masklab."
    yield from _options(own)
    yield from _imported(analysis)


def _kept(analysis: load.Analysis) -> Iterator[str]:
    """How many weights are kept, and where."""
    common = analysis.study.training.get("selection", "layer")
    found = scored(analysis)
    selections = {one.overrides.get("selection", common) == "global" for one in found}
    if len(found) < len(made(analysis)):
        selections.add(False)
    count = "⌊n · density + ½⌋ of {} n weights are kept, at least one"
    if False in selections:
        yield f"In every layer, {count.format('its')}."
    if True in selections:
        yield f"Under global selection, {count.format('all')}, whichever layers these are in."


def _scores(analysis: load.Analysis) -> Iterator[str]:
    found = scored(analysis)
    if not found:
        return
    yield (
        "A gate's masks follow from scores, one per weight: the weights that rank highest are kept, of equal "
        "ones the earlier. In masked layers scores alone are trained, by the straight-through gradient "
        "∂L/∂w′ · w, times the sign of the score where weights are ranked by |score|; w is the base weight, "
        f"w′ the effective one {sources.cite('ramanujan2020hidden')}."
    )
    replaced = ", but for what refreshes replace" if any(one.refresh for one in found) else ""
    yield f"Base weights stay as they were drawn{replaced}."


def _options(own: list[models.Population]) -> Iterator[str]:
    """What populations were given, those that were given the same together; then what they override."""
    alike: dict[str, list[str]] = {}
    for one in own:
        if said := "; ".join(_given(one)):
            alike.setdefault(said, []).append(one.name)
    for said, names in alike.items():
        yield f"{', '.join(names)}: {said}."
    overrides = [f"{one.name} ({recipe.overrides(one)})" for one in own if one.overrides]
    if overrides:
        yield f"Otherwise than the recipe: {'; '.join(overrides)}."


def _given(population: models.Population) -> Iterator[str]:
    meanings = {key: said for part in parts(population.pruner) for key, said in part.options.items()}
    for key, value in population.options.items():
        if value is None:
            continue
        if key in _PERIODS and population.refresh:
            yield _events(population, key, value)
            continue
        meaning = re.sub(r"( \(|; )default .*$", "", meanings.get(key, ""))
        beside = f" ({meaning})" if meaning else ""
        yield f"{key} = {numbers.plain(value)}{beside}"


def _events(population: models.Population, key: str, value: Any) -> str:
    """When a refresh fires, and how often it did."""
    spread = population.refresh_events
    counts = [count for count in (spread.min, spread.max) if count is not None] if spread else []
    often = f" ({text.span(counts)} per member)" if counts and max(counts) else ""
    if key == "period_steps":
        return f"an event before every {numbers.plain(value)}th step{often}"
    if value == 1:
        return f"an event after every epoch but the first and the last{often}"
    return f"events {numbers.plain(value)} epochs apart, none after the first or the last epoch{often}"


def _imported(analysis: load.Analysis) -> Iterator[str]:
    """What the recipe does not cover: populations of other tools."""
    names = [own.name for own in analysis.results.populations if own.imported]
    if names:
        yield (
            f"Imported: {recipe.listed(names)}. Their masks are other tools', read from files. Equal indices "
            "do not pair them with other members. They share base weights only where the files hold equal "
            "ones; where weights are not known, the members of such a population count as one draw of their "
            "own."
        )
