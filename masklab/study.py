"""A study's configuration: read from TOML, validated, and never changed afterwards."""

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pydantic
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from masklab import errors, networks, pruners, weights
from masklab.archive import directory
from masklab.errors import ConfigError


def _level(value: Any) -> Any:
    if value == "member" or (type(value) is int and value >= 1):
        return value
    raise PydanticCustomError("level", 'input should be a whole number from 1, or "member"')


Level = Annotated[int | Literal["member"], pydantic.BeforeValidator(_level)]
SEED_SOURCES = ("weights", "scores", "batches", "augment", "refresh", "mask")
OVERRIDES = ("weight_init", "fan_scale", "score_init", "rank")


class Section(BaseModel):
    """A table of the study file: frozen, strictly typed, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Head(Section):
    """`[study]`."""

    name: str = Field(
        default="study",
        min_length=1,
        max_length=120,
        description="name of the study; also of its default directory",
    )
    keep_scores: Literal["final", "none"] = Field(
        default="final", description="whether member files hold the final scores"
    )


class Seeds(Section):
    """`[seeds]`: an integer L means L draws (member i uses draw i mod L), "member" a draw for each."""

    study: int = Field(default=0, ge=0, lt=2**63, description="seed from which every stream is derived")
    weights: Level = Field(
        default=3, description="draws of the base weights; members that share one form a block"
    )
    scores: Level = Field(default="member", description="draws of the initial scores")
    batches: Level = Field(default="member", description="draws of the order of the training images")
    augment: Level = Field(default="member", description="draws of the augmentation")
    refresh: Level = Field(default="member", description="draws of the refresh events")
    mask: Level = Field(default="member", description="draws of the random control's masks")
    crossed: bool = Field(
        default=False, description="full factorial of the integer sources; members = their product"
    )

    def product(self) -> int:
        """Members of a crossed design."""
        return math.prod(level for source in SEED_SOURCES if isinstance(level := getattr(self, source), int))

    def levels(self, index: int) -> dict[str, int]:
        """Draw of each source that member `index` uses; never depends on the population.

        Examples:
            >>> Seeds(weights=3).levels(4)["weights"], Seeds(weights=3).levels(4)["scores"]
            (1, 4)
            >>> design = Seeds(weights=2, scores=3, crossed=True)
            >>> [(design.levels(i)["weights"], design.levels(i)["scores"]) for i in range(4)]
            [(0, 0), (0, 1), (0, 2), (1, 0)]
        """
        found, remaining = {}, index
        for source in reversed(SEED_SOURCES):
            level = getattr(self, source)
            if level == "member":
                found[source] = index
            elif self.crossed:
                remaining, found[source] = divmod(remaining, level)
            else:
                found[source] = index % level
        return {source: found[source] for source in SEED_SOURCES}


class DataSection(Section):
    """`[data]`."""

    name: str = Field(default="digits", description="data set")
    path: str | None = Field(
        default=None, description="where it lies, for data sets that are read from files"
    )
    validation_fraction: float = Field(
        default=0.1, ge=0, lt=1, description="share of the training images held out to choose the best epoch"
    )


class NetworkSection(Section):
    """`[network]`."""

    name: str = Field(default="conv2", description="network")
    width: float = Field(
        default=1.0, gt=0, le=64, description="factor on every channel count and hidden width"
    )
    activation: str = Field(default="relu", description="activation")


class Training(Section):
    """`[training]`."""

    epochs: int = Field(default=20, ge=1, le=100_000, description="passes over the training images")
    batch_size: int = Field(default=128, ge=1, description="images per step")
    learning_rate: float = Field(
        default=0.1, gt=0, description="SGD learning rate on the scores at the start"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="SGD momentum")
    weight_decay: float = Field(default=1e-4, ge=0, description="SGD weight decay on the scores")
    schedule: Literal["cosine", "constant"] = Field(default="cosine", description="learning rate per epoch")
    augment: Literal["none", "crop-flip"] = Field(
        default="none", description="crop after padding by 4 pixels, and horizontal flip"
    )
    weight_init: str = Field(default="kaiming-normal", description="distribution of the base weights")
    fan_scale: str = Field(
        default="kept", description="factor on the fan: kept = the kept fraction, none = 1"
    )
    score_init: str = Field(default="uniform", description="distribution of the initial scores")
    rank: Literal["abs", "signed"] = Field(
        default="abs", description="weights are ranked by |score| or by score"
    )


class Analysis(Section):
    """`[analysis]`: sampling of analyses; not part of any digest."""

    interpolation_pairs: int = Field(
        default=6,
        ge=0,
        description="sampled pairs per cell of populations on which interpolation is measured",
    )
    interpolation_points: int = Field(
        default=11, ge=3, le=1001, description="points on each path, ends included"
    )


class Population(BaseModel):
    """`[[population]]`: members that differ only in seeds; further keys are the pruner's own options."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)

    pruner: str = Field(description="<gate>, <gate>+<refresh> or a control")
    density: float = Field(gt=0, le=1, description="fraction of weights kept")
    members: int = Field(default=8, ge=1, le=1_000_000, description="number of members")
    name: str = Field(
        pattern=rf"^{directory.POPULATION_NAME.pattern}$",
        max_length=100,
        description="id of the population; default <pruner>-d<density>",
    )

    @property
    def overrides(self) -> dict[str, Any]:
        """Fields of `[training]` that this population replaces."""
        return {key: value for key, value in self._extra.items() if key in OVERRIDES}

    @property
    def options(self) -> dict[str, Any]:
        """The pruner's own options, as given."""
        return {key: value for key, value in self._extra.items() if key not in OVERRIDES}

    @property
    def _extra(self) -> dict[str, Any]:
        return self.model_extra or {}


class Study(Section):
    """A whole study file."""

    study: Head = Head()
    seeds: Seeds = Seeds()
    data: DataSection = DataSection()
    network: NetworkSection = NetworkSection()
    training: Training = Training()
    analysis: Analysis = Analysis()
    population: list[Population] = Field(min_length=1)

    def training_of(self, population: Population) -> Training:
        """The recipe with a population's overrides."""
        return self.training.model_copy(update=population.overrides)

    def pruner_of(self, population: Population) -> pruners.Pruner:
        """A population's pruner, options resolved."""
        return pruners.resolve(population.pruner, population.options, self.training.epochs)


class _Typed(float):
    """A number that remembers how it was typed, for a population's default name."""

    text: str


def typed(text: str) -> float:
    """A float that keeps its spelling; raises ValueError when `text` is no number."""
    number = _Typed(text)
    number.text = text
    return number


def read(path: Path, changes: Mapping[str, str] | None = None) -> Study:
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
        if not key or table not in Study.model_fields or table == "population":
            known = ", ".join(name for name in Study.model_fields if name != "population")
            raise ConfigError(f"--set {field}: expected TABLE.KEY=VALUE with one of the tables {known}")
        if not isinstance(raw.setdefault(table, {}), dict):
            raise ConfigError(f"{table} must be a table: [{table}]")
        try:
            parsed = tomllib.loads(f"value = {text}")
        except (ValueError, RecursionError):
            parsed = {}
        raw[table][key] = parsed["value"] if set(parsed) == {"value"} else text
    return raw


def build(raw: dict[str, Any], where: str = "study") -> Study:
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
        raw = {**raw, "population": [_named(entry, raw) for entry in raw["population"]]}
    try:
        study = Study.model_validate(raw)
    except pydantic.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(error, Study)}") from error
    _check(study, where)
    return study


def _named(entry: Any, raw: Mapping[str, Any]) -> Any:
    """A population with the defaults that depend on what else stands in the study."""
    if not isinstance(entry, dict):
        return entry
    filled = dict(entry)
    if "name" not in filled and "pruner" in filled and "density" in filled:
        density = filled["density"]
        typed_name = f"{filled['pruner']}-d{getattr(density, 'text', density)}".lower()
        filled["name"] = re.sub(r"[^a-z0-9.+_-]", "-", typed_name)
    seeds = raw.get("seeds")
    if "members" not in filled and isinstance(seeds, dict) and seeds.get("crossed") is True:
        try:
            filled["members"] = Seeds.model_validate(seeds).product()
        except pydantic.ValidationError:
            return filled
    return filled


def _check(study: Study, where: str) -> None:
    """What one field's type cannot say."""
    seen: set[str] = set()
    if study.network.name not in networks.names():
        raise ConfigError(
            f"{where}: network.name: {errors.unknown('network', study.network.name, networks.names())}"
        )
    if study.network.activation not in networks.ACTIVATIONS:
        known = errors.unknown("activation", study.network.activation, networks.ACTIVATIONS)
        raise ConfigError(f"{where}: network.activation: {known}")
    _check_training(study.training, f"{where}: training")
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
        try:
            study.pruner_of(population)
        except pydantic.ValidationError as error:
            known = pruners.options_type(population.pruner)
            raise ConfigError(
                f"{place}: {_explain(error, known, *OVERRIDES, *Population.model_fields)}"
            ) from error
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from error


def _check_training(training: Training, place: str) -> None:
    for kind, known in (
        ("weight_init", weights.WEIGHT_INITS),
        ("score_init", weights.SCORE_INITS),
        ("fan_scale", weights.FAN_SCALES),
        ("rank", get_args(Training.model_fields["rank"].annotation)),
    ):
        if getattr(training, kind) not in tuple(known):
            raise ConfigError(f"{place}: {errors.unknown(kind, str(getattr(training, kind)), known)}")


def _explain(error: pydantic.ValidationError, model: type[BaseModel], *also_known: str) -> str:
    """First problem of a validation, in one line: field, what was got, what is allowed."""
    problems = error.errors(include_url=False)
    first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = [*_fields_at(model, first["loc"][:-1]), *also_known]
        return (
            errors.unknown("key", place, known if len(first["loc"]) == 1 else _prefixed(place, known)) + more
        )
    got = "" if first["type"] == "missing" else f", got {_short(first['input'])}"
    return f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}{got}{more}"


def _prefixed(place: str, known: list[str]) -> list[str]:
    parent = place.rpartition(".")[0]
    return [f"{parent}.{name}" for name in known]


def _short(value: Any) -> str:
    text = repr(float(value)) if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for part in loc:
        field = model.model_fields.get(str(part))
        if (
            field is None
            or not isinstance(field.annotation, type)
            or not issubclass(field.annotation, BaseModel)
        ):
            break
        model = field.annotation
    return list(model.model_fields)


def from_options(
    options: Mapping[str, Any], pruner_names: list[str], densities: list[str], changes: Mapping[str, str]
) -> Study:
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
        {"pruner": name, "density": density, **shared} for name in pruner_names for density in numbers
    ]
    raw["study"] = {"name": f"{raw['data']['name'].partition(':')[0]}-{raw['network'].get('name', 'conv2')}"}
    return build(apply(raw, changes), where="command line")
