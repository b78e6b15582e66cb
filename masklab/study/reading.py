"""From TOML or command-line options to a valid study."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pydantic

from masklab import errors, networks, pruners, weights
from masklab.data import augmentations
from masklab.errors import ConfigError
from masklab.study import problems, tables


class _Typed(float):
    """A number that remembers how it was typed, for a population's default name."""

    text: str


def typed(text: str) -> float:
    """A float that keeps its spelling; raises ValueError when `text` is no number."""
    number = _Typed(text)
    number.text = text
    return number


def read(path: Path, changes: Mapping[str, str] | None = None) -> tables.Study:
    """Read and validate a study file.

    Args:
        path: A TOML file.
        changes: Dotted field → TOML value that replaces it (`{"training.epochs": "5"}`).

    Raises:
        ConfigError: The file is missing, not TOML, or not a valid study.
    """
    try:
        raw = tomllib.loads(path.read_bytes().decode(), parse_float=typed)
    except FileNotFoundError as error:
        raise ConfigError(f"study file {path} does not exist") from error
    except OSError as error:
        raise ConfigError(f"cannot read study file {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number of 5,000 digits, …
        raise ConfigError(f"study file {path} is not TOML: {error}") from error
    if not isinstance(raw.get("study", {}), dict):
        raise ConfigError(f"{path}: study must be a table: [study]")
    raw.setdefault("study", {}).setdefault(
        "name", path.stem if path.stem != "study" else path.resolve().parent.name
    )
    return build(apply(raw, changes or {}), where=str(path))


def apply(raw: dict[str, Any], changes: Mapping[str, str]) -> dict[str, Any]:
    """Set dotted fields of a raw study to TOML values; a value that is not TOML is taken as text.

    Raises:
        ConfigError: The field does not name a table's key.
    """
    for field, text in changes.items():
        table, _, key = field.partition(".")
        if not key or table not in tables.Study.model_fields or table == "population":
            known = ", ".join(name for name in tables.Study.model_fields if name != "population")
            raise ConfigError(f"--set {field}: expected TABLE.KEY=VALUE with one of the tables {known}")
        if not isinstance(raw.setdefault(table, {}), dict):
            raise ConfigError(f"{table} must be a table: [{table}]")
        try:
            parsed = tomllib.loads(f"value = {text}")
        except (ValueError, RecursionError):
            parsed = {}
        raw[table][key] = parsed["value"] if set(parsed) == {"value"} else text
    return raw


def build(raw: dict[str, Any], where: str = "study") -> tables.Study:
    """Validate a raw study.

    Args:
        raw: Tables as in the study file.
        where: What error messages name as the place.

    Raises:
        ConfigError: With the first thing that is wrong, and how many more there are.
    """
    data = raw.get("data")
    if isinstance(data, dict) and isinstance(name := data.get("name"), str) and ":" in name:
        source, _, path = name.partition(":")
        raw = {**raw, "data": {**data, "name": source, "path": path}}
    if isinstance(raw.get("population"), list):
        raw = {**raw, "population": [_named(entry, raw, where) for entry in raw["population"]]}
    try:
        study = tables.Study.model_validate(raw)
    except pydantic.ValidationError as error:
        raise ConfigError(f"{where}: {problems.explain(error, tables.Study)}") from error
    _check(study, where)
    return study


def _named(entry: Any, raw: Mapping[str, Any], where: str) -> Any:
    """A population with the defaults that depend on what else stands in the study."""
    if not isinstance(entry, dict):
        return entry
    filled = {**_inherited(entry, raw, where), **entry}
    if "name" not in filled and "pruner" in filled and "density" in filled:
        density = filled["density"]
        typed_name = f"{filled['pruner']}-d{getattr(density, 'text', density)}".lower()
        filled["name"] = re.sub(r"[^a-z0-9.+_-]", "-", typed_name)
    seeds = raw.get("seeds")
    if "members" not in filled and isinstance(seeds, dict) and seeds.get("crossed") is True:
        try:
            filled["members"] = tables.Seeds.model_validate(seeds).product()
        except pydantic.ValidationError:
            return filled
    return filled


def _inherited(entry: Mapping[str, Any], raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What a control need not say: its only density, or density and members of its source."""
    control = pruners.modules("control").get(str(entry.get("pruner")))
    if control is None:
        return {}
    if "of" not in control.Options.model_fields:
        return {"density": control.DENSITY} if hasattr(control, "DENSITY") else {}
    place = f"{where}: population {entry.get('name', entry['pruner'])!r}: of"
    if "of" not in entry:
        raise ConfigError(f"{place} is missing; give the name of the population that it is made from")
    plain = [other for other in raw["population"] if isinstance(other, dict) and "of" not in other]
    sources = {named.get("name"): named for named in (_named(other, raw, where) for other in plain)}
    source = sources.get(entry["of"]) if isinstance(entry["of"], str) else None
    if source is None:
        raise ConfigError(f"{place}: {errors.unknown('population', str(entry['of']), map(str, sources))}")
    return {"members": 8, **{key: source[key] for key in ("density", "members") if key in source}}


def _check(study: tables.Study, where: str) -> None:
    """What one field's type cannot say."""
    seen: set[str] = set()
    try:
        networks.check(study.network.settings)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    _check_training(study.training, f"{where}: training")
    _check_lengths(study, where)
    if study.seeds.crossed and not any(isinstance(level, int) for level in study.seeds.sources().values()):
        raise ConfigError(
            f"{where}: seeds.crossed: no source has a number of draws to cross; give at least one"
        )
    for population in study.population:
        place = f"{where}: population {population.name!r}"
        if population.name in seen:
            raise ConfigError(f"{place}: two populations have this id; give one of them another `name`")
        seen.add(population.name)
        if study.seeds.crossed and population.members != study.seeds.product():
            raise ConfigError(
                f"{place}: members = {population.members}, but the crossed seeds make {study.seeds.product()}"
            )
        _check_training(study.training_of(population), place)
        _check_control(study, population, place)
        try:
            ignored = [
                field for field in study.pruner_of(population).ignores if field in population.overrides
            ]
            if ignored:
                raise ConfigError(f"{ignored[0]}: has no effect on {population.pruner!r}; leave it out")
        except pydantic.ValidationError as error:
            options = pruners.options_type(population.pruner)
            problem = problems.explain(error, options, *tables.OVERRIDES, *tables.Population.model_fields)
            raise ConfigError(f"{place}: {problem}") from error
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from error


def _check_control(study: tables.Study, population: tables.Population, place: str) -> None:
    """A control's density, and the population that it is made from."""
    control = pruners.modules("control").get(population.pruner)
    only = getattr(control, "DENSITY", population.density)
    if population.density != only:
        raise ConfigError(
            f"{place}: density {population.density:g}, but {population.pruner} has only {only:g}"
        )
    source = study.source_of(population)
    if source is None or control is None or "of" not in control.Options.model_fields:
        return
    if not study.pruner_of(source).compared:
        raise ConfigError(f"{place}: of: {source.name!r} prunes nothing that could be permuted")
    for field in ("density", "members"):
        mine, theirs = getattr(population, field), getattr(source, field)
        if mine > theirs or (field == "density" and mine != theirs):
            raise ConfigError(
                f"{place}: {field} = {mine:g}, but {source.name!r} has {theirs:g}; leave it out"
            )
    if population.overrides:
        raise ConfigError(f"{place}: {next(iter(population.overrides))}: it has that of {source.name!r}")


def _check_lengths(study: tables.Study, where: str) -> None:
    """Lengths that must fit into the training."""
    training, snapshots = study.training, study.study.snapshots
    for field in ("warmup_epochs", "ramp_epochs"):
        length = getattr(training, field)
        if length is not None and length >= training.epochs:
            raise ConfigError(
                f"{where}: training.{field}: {length}; at most {training.epochs - 1}, epochs − 1"
            )
    if sorted(set(snapshots)) != snapshots or (snapshots and snapshots[-1] > training.epochs):
        raise ConfigError(
            f"{where}: study.snapshots: {snapshots}; allowed: ascending epochs from 0 to {training.epochs}"
        )


def _check_training(training: tables.Training, place: str) -> None:
    for kind, known in (
        ("augment", augmentations.NAMES),
        ("weight_init", weights.WEIGHT_INITS),
        ("score_init", weights.SCORE_INITS),
        ("fan_scale", weights.FAN_SCALES),
        ("rank", get_args(tables.Training.model_fields["rank"].annotation)),
        ("selection", get_args(tables.Training.model_fields["selection"].annotation)),
    ):
        if getattr(training, kind) not in tuple(known):
            raise ConfigError(f"{place}: {errors.unknown(kind, str(getattr(training, kind)), known)}")


def from_options(
    options: Mapping[str, Any], pruner_names: list[str], densities: list[str], changes: Mapping[str, str]
) -> tables.Study:
    """Study of command-line options: every pruner at every density.

    Args:
        options: Any of data, network, width, members, epochs.
        pruner_names: Pruners.
        densities: Fractions kept, as typed.
        changes: As in `read`.

    Raises:
        ConfigError: Something is wrong, in the words of `build`.
    """
    raw: dict[str, Any] = {"data": {"name": options.get("data", "digits")}, "network": {}, "training": {}}
    for table, key, option in (
        ("network", "name", "network"),
        ("network", "width", "width"),
        ("training", "epochs", "epochs"),
    ):
        if option in options:
            raw[table][key] = options[option]
    shared = {"members": options["members"]} if "members" in options else {}
    try:
        numbers = [typed(density) for density in densities]
    except ValueError as error:
        raise ConfigError(f"--density: {error}; allowed: a number in (0, 1]") from error
    raw["population"] = [
        {"pruner": name, "density": density, **shared}
        for name in pruner_names
        for density in _densities(name, numbers)
    ]
    raw["study"] = {"name": f"{raw['data']['name'].partition(':')[0]}-{raw['network'].get('name', 'conv2')}"}
    return build(apply(raw, changes), where="command line")


def _densities(pruner: str, asked: list[float]) -> list[float]:
    """The densities asked for, or the only one that a control has."""
    only = getattr(pruners.modules("control").get(pruner), "DENSITY", None)
    return asked if only is None else [only]
