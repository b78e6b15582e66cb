"""Populations of all studies as points: where each stands on every axis, and all else that shaped it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from masklab.report import load, models, numbers, recipe


class Setting(NamedTuple):
    """One thing that shapes a population.

    Attributes:
        identity: Equal where the setting is.
        text: As it is printed.
    """

    identity: str
    text: str


Settings = Mapping[str, Setting]


@dataclass(frozen=True)
class Point:
    """One population of one study.

    Attributes:
        analysis: Its study.
        population: What is known of it.
        settings: Everything but pruner and members that shapes it, by name.
        options: Options of its pruner and what it overrides of the recipe, by name.
    """

    analysis: load.Analysis
    population: models.Population
    settings: Settings
    options: Settings

    @property
    def name(self) -> str:
        """Name of the population."""
        return self.population.name

    @property
    def study(self) -> str:
        """Name of the study."""
        return self.analysis.study.name


def gather(analyses: Sequence[load.Analysis]) -> list[Point]:
    """All populations whose recipe is known, in the order of the page."""
    data = {id(analysis): _data(analysis.study.data) for analysis in analyses}
    alike: dict[str, set[str]] = {}
    for own in data.values():
        alike.setdefault(own.text, set()).add(own.identity)
    found = []
    for analysis in analyses:
        own = data[id(analysis)]
        if len(alike[own.text]) > 1:  # equal names, different images
            own = Setting(own.identity, f"{own.text} ({_images(analysis.study.data)})")
        shared = {"data": own, **_network(analysis.study.network), **_recipe(analysis.study)}
        by_name = {population.name: population for population in analysis.results.populations}
        for population in by_name.values():
            if not population.imported:
                settings = {**shared, "density": _density(population)}
                found.append(Point(analysis, population, settings, _options(population, by_name)))
    return found


def left_out(analyses: Sequence[load.Analysis]) -> list[str]:
    """Names of the populations whose recipe is not known."""
    rows = (row for analysis in analyses for row in analysis.results.populations)
    return list(dict.fromkeys(row.name for row in rows if row.imported))


def _identity(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _data(data: models.Data) -> Setting:
    return Setting(
        _identity([data.name, data.digest, data.train, data.validation, data.test]), numbers.plain(data.name)
    )


def _images(data: models.Data) -> str:
    digest = f"digest {data.digest[:8]}, " if data.digest else ""
    return f"{digest}{numbers.count(data.train or 0, 'training image')}"


def _density(population: models.Population) -> Setting:
    return Setting(_identity(population.density), f"density {population.density:g}")


def _network(network: models.Network) -> dict[str, Setting]:
    """What networks differ in; of batch norm only where there is any."""
    size = sum(layer.size for layer in network.layers)
    layers = f"{numbers.count(len(network.layers), 'masked layer')} with {numbers.count(size, 'weight')}"
    return {
        "network": Setting(_identity(network.name), numbers.plain(network.name)),
        "width": _setting("width", network.width),
        "activation": _setting("activation", network.activation),
        "masked layers": Setting(_identity([(layer.name, layer.size) for layer in network.layers]), layers),
        "masked": Setting(_identity([network.mask_only, network.mask_except]), _chosen(network)),
        "batch norm": _setting("batch norm", network.batchnorm if network.buffers else None),
    }


def _setting(label: str, value: Any) -> Setting:
    return Setting(_identity(value), f"{label} {numbers.plain(value)}")


def _chosen(network: models.Network) -> str:
    rest = f", but not {numbers.plain(network.mask_except)}" if network.mask_except else ""
    return f"masked {numbers.plain(network.mask_only) if network.mask_only else 'everything'}{rest}"


def _recipe(study: models.Study) -> dict[str, Setting]:
    """Training setting by setting, then which seeds members share."""
    found = {}
    for name, value in study.training.items():
        if name == "ramp_epochs" and study.training.get("selection") != "global":
            continue
        label = name.replace("_", " ")
        found[label] = _setting(label, value)
    shared = {source: _sharing(level) for source, level in study.seeds.items() if source != "study"}
    return {**found, "seeds": Setting(_identity(shared), f"seeds ({numbers.plain(shared)})")}


def _sharing(level: Any) -> Any:
    """Who shares a stream of random numbers; how many streams there are changes no single member."""
    if isinstance(level, bool) or not isinstance(level, int):
        return level
    return "shared" if level == 1 else "several"


def _options(population: models.Population, by_name: Mapping[str, models.Population]) -> dict[str, Setting]:
    """Options that are set, and overrides; a population that an option names counts as its pruner."""
    found = {}
    for name, value in {**population.options, **population.overrides}.items():
        if value is not None:
            own = by_name[value].pruner if isinstance(value, str) and value in by_name else value
            found[name] = Setting(_identity(own), f"{name} = {numbers.plain(own)}")
    return found


def mark(point: Point) -> str:
    """What sets a population apart from trained masks, in a few words; empty for those."""
    return recipe.mark(point.population)
