"""The tables of a study file: frozen, strictly typed, every field with its default and meaning."""

import math
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from masklab import networks, pruners
from masklab.archive import directory


def _level(value: Any) -> Any:
    if value == "member" or (type(value) is int and value >= 1):
        return value
    raise PydanticCustomError("level", 'input should be a whole number from 1, or "member"')


Level = Annotated[int | Literal["member"], pydantic.BeforeValidator(_level)]
SEED_SOURCES = ("weights", "scores", "batches", "augment", "refresh", "mask")
LARGEST = 3.4e38
"""Rates are multiplied in float32."""

OVERRIDES = ("weight_init", "fan_scale", "score_init", "rank", "selection")


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
    snapshots: list[Annotated[int, Field(ge=0)]] = Field(
        default=[], description="epochs after which masks are stored too (0 = before the first step)"
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
    mask: Level = Field(default="member", description="draws of the untrained controls' masks")
    crossed: bool = Field(
        default=False, description="full factorial of the integer sources; members = their product"
    )

    def sources(self) -> dict[str, int | Literal["member"]]:
        """Source → number of draws, or "member"."""
        return {source: getattr(self, source) for source in SEED_SOURCES}

    def product(self) -> int:
        """Members of a crossed design."""
        return math.prod(level for level in self.sources().values() if isinstance(level, int))

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
    download: bool = Field(default=False, description="whether a data set may be fetched from its source")
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
    batchnorm: Literal["frozen", "learned"] = Field(
        default="frozen", description="scale and shift of batch normalisation: 1 and 0, or trained"
    )
    mask_only: list[str] = Field(default=[], description="name patterns of the layers that are masked")
    mask_except: list[str] = Field(default=[], description="name patterns of layers that are not masked")

    @property
    def settings(self) -> networks.Settings:
        """What the networks package builds from."""
        return networks.Settings.of(self.model_dump())


class Training(Section):
    """`[training]`."""

    epochs: int = Field(default=20, ge=1, le=100_000, description="passes over the training images")
    batch_size: int = Field(default=128, ge=1, description="images per step")
    optimizer: Literal["sgd", "adam"] = Field(default="sgd", description="optimiser of the scores")
    learning_rate: float = Field(
        default=0.1, gt=0, le=LARGEST, description="learning rate on the scores at the start"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="SGD momentum, or Adam's first decay rate")
    weight_decay: float = Field(default=1e-4, ge=0, le=LARGEST, description="weight decay on the scores")
    schedule: Literal["cosine", "cosine-step", "constant"] = Field(
        default="cosine", description="learning rate: cosine per epoch, cosine per step, or constant"
    )
    warmup_epochs: int = Field(default=0, ge=0, description="epochs of linear warm-up before the schedule")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of the label given to all")
    augment: str = Field(default="none", description="augmentation of the training images")
    weight_init: str = Field(default="kaiming-normal", description="distribution of the base weights")
    fan_scale: str = Field(
        default="kept", description="factor on the fan: kept = the kept fraction, none = 1"
    )
    score_init: str = Field(default="uniform", description="distribution of the initial scores")
    rank: Literal["abs", "signed"] = Field(
        default="abs", description="weights are ranked by |score| or by score"
    )
    selection: Literal["layer", "global"] = Field(
        default="layer", description="every layer keeps its share, or one ranking over the whole network"
    )
    ramp_epochs: int | None = Field(
        default=None,
        ge=0,
        description="epochs over which global selection falls from one half to the density",
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
    paths: list[str] | None = Field(
        default=None,
        min_length=1,
        description="paths that are walked between members; default all that the members allow",
    )
    path_orders: int = Field(
        default=2, ge=1, le=1000, description="random orders (or draws) of each path that is random"
    )
    batchnorm_statistics: Literal["re-estimate", "keep"] = Field(
        default="re-estimate",
        description="running statistics between members: plain means over training batches, or the members' "
        "own, interpolated",
    )
    batchnorm_batches: int = Field(
        default=8, ge=1, le=100_000, description="training batches from which statistics are re-estimated"
    )
    landscape_images: int = Field(
        default=1000,
        ge=2,
        description="most test images of the landscape; and half as many training images",
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
        """The recipe with a population's overrides; a population made from another one has that one's."""
        source = self.source_of(population)
        return self.training.model_copy(update=(source or population).overrides)

    def pruner_of(self, population: Population) -> pruners.Pruner:
        """A population's pruner, options resolved."""
        source = self.source_of(population)
        gate = self.pruner_of(source).gate_name if source else None
        return pruners.resolve(population.pruner, population.options, self.training.epochs, gate)

    def source_of(self, population: Population) -> Population | None:
        """The population that a control's `of` names; None where there is none."""
        wanted = population.options.get("of")
        return next((other for other in self.population if wanted and other.name == wanted), None)
