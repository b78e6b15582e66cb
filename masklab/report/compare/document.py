"""What is kept of an analysis for later comparisons: the numbers of whole masks, and what shaped them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import Field, JsonValue

from masklab.archive import files
from masklab.report import load, models, numbers, records

FORMAT = 1
"""Of the document; raised when a reader of this one could not read the next."""

_DIGITS = 9  # significant; numbers that agree so far are equal
_OVERLAP = ("chance_corrected", "jaccard_similarity", "observed_over_expected")
_FUNCTION = ("disagreement", "normalised_disagreement", "jensen_shannon")
_PLAN = ("engine", "precision", "device")


class Number(NamedTuple):
    """One number of an analysis.

    Attributes:
        of: What it is a number of: names of populations, then what tells it from others of its kind.
        value: Its value; None where it is undefined.
        low: Lower end of its interval.
        high: Upper end.
        n: Members or pairs that it rests on.
    """

    of: tuple[str, ...]
    value: float | None
    low: float | None
    high: float | None
    n: int


class Member(NamedTuple):
    """One stored member and its test accuracy."""

    id: str
    accuracy: float | None


class Warned(NamedTuple):
    """A warning; `where` says what it is about."""

    code: str
    where: str


class Kept(records.Record):
    """A population; `settings` is what shapes it beyond the recipe."""

    name: str
    stored: int
    failed: int
    settings: dict[str, JsonValue]


class Former(records.Record):
    """One analysis, as a later one is compared with it.

    Attributes:
        format: Of this document.
        study: Name of the study.
        created: When it was analysed.
        input: Digest of everything that was read.
        level: Of all intervals.
        test_images: Images that accuracies were measured on.
        settings: Group → name → value: recipe, network, data, seeds, statistics, versions.
        populations: In the study's order.
        numbers: Kind → its numbers.
        warnings: What a reader had to know.
        members: Stored ones.
    """

    format: int
    study: str
    created: str
    input: str | None
    level: float
    test_images: int
    settings: dict[str, dict[str, JsonValue]]
    populations: list[Kept]
    numbers: dict[str, list[Number]]
    warnings: list[Warned]
    members: list[Member] = Field(default_factory=list)


def make(analysis: load.Analysis) -> Former:
    """What is kept of an analysis.

    Args:
        analysis: What the page shows.
    """
    results = analysis.results
    found: dict[str, list[Number]] = {}
    for kind, number in _numbers(analysis):
        found.setdefault(kind, []).append(number)
    digests = {planned.name: planned.digest for planned in results.study.populations}
    return Former(
        format=FORMAT,
        study=results.study.name,
        created=results.created,
        input=results.input,
        level=next((row.estimate.level for row in results.accuracy), 0.95),
        test_images=results.study.data.test or 0,
        settings=_settings(analysis),
        populations=[
            Kept(
                name=own.name,
                stored=own.stored,
                failed=own.failed,
                settings={
                    "pruner": own.pruner,
                    "density": own.density,
                    **own.options,
                    **own.overrides,
                    "digest": digests.get(own.name),
                },
            )
            for own in results.populations
        ],
        numbers=found,
        warnings=[
            Warned(own.code, numbers.plain(own.where) if own.where else "") for own in results.warnings
        ],
        members=[Member(own.id, _short(own.accuracy)) for own in results.members],
    )


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _number(estimate: records.Estimate, n: int, *of: str | None) -> Number:
    parts = tuple(part or "" for part in of)
    return Number(parts, _short(estimate.value), _short(estimate.low), _short(estimate.high), n)


def _numbers(analysis: load.Analysis) -> Iterator[tuple[str, Number]]:
    """Numbers of whole masks by kind, as `quantities` names them."""
    results = analysis.results
    for row in results.accuracy:
        yield row.metric, _number(row.estimate, row.estimate.n, row.population)
    for row in results.overlap:
        if row.layer == load.WHOLE and row.metric in _OVERLAP:
            yield row.metric, _number(row.estimate, row.pairs, row.a, row.b, row.block, row.seed)
    for row in results.stability:
        if row.layer == load.WHOLE:
            yield "stability", _number(row.estimate, row.pairs, row.population, "", row.block)
    for row in results.tests:
        if row.test != "stability-against-chance":  # the stability itself
            yield (
                f"test {row.test}",
                _number(row.estimate, row.n, row.a, row.b, "", "", row.effect.partition(" ")[0]),
            )
    for row in results.function:
        if row.metric in _FUNCTION:
            yield row.metric, _number(row.estimate, row.pairs, row.a, row.b, row.block, row.seed)
    for row in results.ensembles:
        yield (
            "ensemble",
            _number(row.estimate, row.members, row.population, "", "", "", row.rule, str(row.size)),
        )
    for row in results.landscape:
        if row.split == "test":
            barrier = row.barrier.entezari_error
            yield "barrier", _number(barrier, row.pairs, row.a, row.b, row.block, row.seed, row.path)


def _settings(analysis: load.Analysis) -> dict[str, dict[str, JsonValue]]:
    """Everything but the members that shapes the numbers."""
    results, study = analysis.results, analysis.study
    network = study.network.model_dump(exclude={"layers", "unmasked", "buffers"})
    facts = study.provenance
    hardware = {name: part for name, part in facts.hardware.items() if name in {"cpu", "gpu"}}
    plan = {name: own for name in _PLAN if (own := (study.plan or {}).get(name)) is not None}
    groups: Mapping[str, Mapping[str, Any]] = {
        "recipe": {**study.training, "digest": study.recipe_digest},
        "network": {**network, "layers": {layer.name: layer.size for layer in study.network.layers}},
        "data": {**study.data.model_dump(exclude={"classes"}), "classes": len(study.data.classes)},
        "seeds": study.seeds,
        "statistics": _statistics(results),
        "versions": {**facts.versions, "results.json": f"schema {results.schema_version}"},
        "computation": {**plan, **hardware, "commit": (facts.git or {}).get("commit")},
    }
    return {name: _plain(own) for name, own in groups.items()}


def _statistics(results: models.Results) -> dict[str, Any]:
    """How the statistics and the landscape were made."""
    work = results.landscape_work
    found = {
        "level of intervals": next((row.estimate.level for row in results.accuracy), None),
        "most relabelings": max((row.permutations or 0 for row in results.tests), default=0),
        "sets of random masks": max((row.replicates or 0 for row in results.nulls), default=0),
        "embeddings": [row.method for row in results.embeddings],
        "without pairs": results.without_pairs,
    }
    if work is None:
        return {**found, "landscape": None}
    names = ("budget", "source", "images", "statistics", "statistics_images", "orders", "points", "paths")
    return {**found, **{f"landscape {name}".replace("_", " "): getattr(work, name) for name in names}}


def _plain(settings: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Values as JSON has them."""
    return json.loads(files.canonical_json(dict(settings)))
