"""What `results.json` holds, as far as the page reads it; anything else in the file is ignored."""

from typing import Any, Literal

from pydantic import Field, model_validator

from masklab.report import records
from masklab.report.landscape import rows

AccuracyMetric = Literal["accuracy", "best_epoch_accuracy", "validation_accuracy"]
MovementMetric = Literal["flipped_per_epoch", "to_final"]


class Span(records.Record):
    """Smallest and largest of something that is counted per member."""

    min: int | None
    max: int | None


class Imported(records.Record):
    """Where an imported population came from; `weights`: how much is known of its base weights."""

    format: str
    weights: Literal["whole", "kept", "none"]
    files: list[dict[str, str]]
    unknown: list[str]


class Population(records.Record):
    """One population; `kept` is a mean where members differ, and only `compared` ones are in overlaps."""

    name: str
    pruner: str
    gate: str | None = None
    refresh: str | None = None
    control: str | None = None
    density: float
    members: int
    stored: int
    failed: int
    blocks: int
    size: int | None
    kept: float | None
    options: dict[str, Any]
    overrides: dict[str, Any]
    refresh_events: Span | None
    trained: bool
    compared: bool = True
    imported: Imported | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_trained(cls, row: Any) -> Any:  # older results: no control is trained
        if isinstance(row, dict) and "trained" not in row:
            return {**row, "trained": row.get("control") is None}
        return row


class Member(records.Record):
    """One stored subnetwork; accuracies are fractions in [0, 1], and None where they are not known."""

    id: str
    population: str
    index: int
    block: int
    accuracy: float | None
    validation_accuracy: float | None
    best_epoch: int | None
    best_epoch_accuracy: float | None
    refresh_events: int
    kept_density: float


class Failure(records.Record):
    """One member whose training failed."""

    id: str
    cause: str | None
    step: int | str | None = None


class Accuracy(records.Record):
    """Accuracy of one population; fractions in [0, 1]."""

    population: str
    metric: AccuracyMetric
    sd: float | None
    sampling_sd: float | None = None
    min: float | None
    max: float | None
    estimate: records.Estimate


class Overlap(records.Record):
    """Mean overlap of the masks of all pairs of one kind, in one layer or in the whole mask."""

    a: str
    b: str
    layer: str
    metric: str
    block: records.Block
    seed: records.Seed
    estimate: records.Estimate
    chance: float | None
    z: float | None = None
    pairs: int


class Movement(records.Record):
    """How far masks move between two epochs, mean over members: a Hamming fraction, or one per epoch."""

    population: str
    epoch: int
    to: int
    layer: str
    metric: MovementMetric
    estimate: records.Estimate
    chance: float | None
    members: int


class Settling(records.Record):
    """Epoch from which on masks stay within `tolerance` of the final one, mean over members."""

    population: str
    layer: str
    tolerance: float
    to: int
    estimate: records.Estimate
    chance: float | None
    members: int


class Generated(records.Record):
    """A null that was generated; `replicates` sets of masks, or None where it is an expectation."""

    null: str
    text: str
    replicates: int | None


class Warn(records.Record):
    """Something the reader must know before believing a number; `where` names what it is about."""

    code: str
    text: str
    where: str | dict[str, Any] | None = None


class Layer(records.Record):
    """A masked layer of the network."""

    name: str
    size: int


class Parameter(records.Record):
    """A parameter that is not masked; `rule` says what it is instead: zero, one, drawn, constructed, …."""

    name: str
    shape: list[int]
    rule: str


class Network(records.Record):
    """The network that members mask, nameless if not known; `buffers` are running statistics of norms."""

    name: str | None
    width: float | None = None
    activation: str | None = None
    batchnorm: str | None = None
    mask_only: list[str] = Field(default_factory=list)
    mask_except: list[str] = Field(default_factory=list)
    layers: list[Layer]
    unmasked: list[Parameter] = Field(default_factory=list)
    buffers: list[Any] = Field(default_factory=list)


class Data(records.Record):
    """The data set; `train`, `validation` and `test` are numbers of images. None where it is not known."""

    name: str | None
    digest: str | None
    train: int | None
    validation: int | None
    test: int | None
    classes: list[str]
    input_shape: list[int]


class Planned(records.Record):
    """What the study says of a population beyond `Population`."""

    name: str
    digest: str


class Provenance(records.Record):
    """Where the numbers come from; times in seconds. `earlier`: the same of runs before the last."""

    created: str
    updated: str | None = None
    command: str | None = None
    versions: dict[str, str | None]
    hardware: dict[str, Any]
    git: dict[str, Any] | None = None
    wall_s: dict[str, float | None] | None = None
    earlier: list[dict[str, Any]] = Field(default_factory=list)


class Study(records.Record):
    """The resolved study; without a digest of its recipe all of its masks were imported."""

    name: str
    seeds: dict[str, Any]
    data: Data
    network: Network
    training: dict[str, Any]
    plan: dict[str, Any] | None = None
    recipe_digest: str | None
    populations: list[Planned]
    provenance: Provenance


class Results(records.Record):
    """All of `results.json`; `without_pairs` says why nothing was measured that needs all pairs.

    Without `landscape_work` no landscape was measured.
    """

    schema_version: Literal[3]
    study: Study
    created: str
    input: str | None = None
    without_pairs: str | None = None
    populations: list[Population]
    members: list[Member]
    failures: list[Failure]
    accuracy: list[Accuracy]
    overlap: list[Overlap]
    stability: list[records.Measured]
    spread: list[records.Measured]
    consensus: list[records.Consensus]
    tests: list[records.Test]
    clusters: list[records.Cluster]
    structure: list[records.Structure]
    function: list[records.Function]
    ensembles: list[records.Ensemble]
    scatter: list[records.Couple]
    scope: records.Scope | None = None
    diversity: list[records.Diversity]
    rarefaction: list[records.Rarefaction]
    nulls: list[Generated] = Field(default_factory=list)
    landscape: list[rows.Path]
    chains: list[rows.Chain]
    neighbourhood: list[rows.Flips]
    algebra: list[rows.Algebra]
    transfer: list[rows.Transfer]
    planes: list[rows.Plane]
    landscape_work: rows.Work | None
    movement: list[Movement] = Field(default_factory=list)
    settling: list[Settling] = Field(default_factory=list)
    embeddings: list[records.Embedding]
    warnings: list[Warn]
