"""What `results.json` holds, as far as the page reads it; anything else in the file is ignored."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

Block = Literal["within", "across"]
Seed = Literal["same", "different"]
OverlapMetric = Literal["hamming", "jaccard", "jaccard_similarity", "chance_corrected"]
AccuracyMetric = Literal["accuracy", "best_epoch_accuracy", "validation_accuracy"]
MovementMetric = Literal["flipped_per_epoch", "to_final"]


class Record(BaseModel):
    """Base of all records: frozen, finite numbers only."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Estimate(Record):
    """A number with its interval; what is undefined is None and says why.

    Attributes:
        value: The estimate, or None.
        low: Lower end of the interval, or None.
        high: Upper end of the interval, or None.
        level: Confidence level of the interval, for instance 0.95.
        method: How the interval was obtained.
        n: Number of values behind it.
        why: Reason for a None.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    n: int
    why: str | None = None


class Span(Record):
    """Smallest and largest of something that is counted per member."""

    min: int | None
    max: int | None


class Imported(Record):
    """Where an imported population came from; `weights`: how much is known of its base weights."""

    format: str
    weights: Literal["whole", "kept", "none"]
    files: list[dict[str, str]]
    unknown: list[str]


class Population(Record):
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


class Member(Record):
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


class Failure(Record):
    """One member whose training failed."""

    id: str
    cause: str | None
    step: int | str | None = None


class Accuracy(Record):
    """Accuracy of one population; fractions in [0, 1]."""

    population: str
    metric: AccuracyMetric
    sd: float | None
    sampling_sd: float | None = None
    min: float | None
    max: float | None
    estimate: Estimate


class Overlap(Record):
    """Mean overlap of the masks of all pairs of one kind, in one layer or in the whole mask."""

    a: str
    b: str
    layer: str
    metric: OverlapMetric
    block: Block
    seed: Seed
    estimate: Estimate
    chance: float | None
    pairs: int


class Curve(Record):
    """Accuracy along a path, over the pairs: mean, smallest and largest at each point."""

    mean: list[float]
    low: list[float]
    high: list[float]


class Barrier(Record):
    """Barriers of a path; an error barrier is a fraction."""

    entezari_error: Estimate
    entezari_loss: Estimate | None = None


class Path(Record):
    """Accuracy on the path between two masks, over all pairs of one kind."""

    a: str
    b: str
    path: str
    block: Block
    seed: Seed
    pairs: int
    of_pairs: int | None = None
    points: list[float]
    accuracy: Curve
    barrier: Barrier
    images: int
    split: str


class Movement(Record):
    """How far masks move between two epochs, mean over members: a Hamming fraction, or one per epoch."""

    population: str
    epoch: int
    to: int
    layer: str
    metric: MovementMetric
    estimate: Estimate
    chance: float | None
    members: int


class Point(Record):
    """A member's place in an embedding."""

    id: str
    x: float
    y: float


class Embedding(Record):
    """Members in two dimensions."""

    method: str
    distance: str
    points: list[Point]
    axes: list[str]
    explained: list[float | None] | None = None
    parameters: dict[str, Any]


class Warn(Record):
    """Something the reader must know before believing a number; `where` names what it is about."""

    code: str
    text: str
    where: str | dict[str, Any] | None = None


class Layer(Record):
    """A masked layer of the network."""

    name: str
    size: int


class Parameter(Record):
    """A parameter that is not masked; `rule` says what it is instead: zero, one, drawn, constructed, …."""

    name: str
    shape: list[int]
    rule: str


class Network(Record):
    """The network that members mask, nameless if not known; `buffers` are running statistics of norms."""

    name: str | None
    width: float | None = None
    activation: str | None = None
    batchnorm: str | None = None
    mask_only: list[str] = []
    mask_except: list[str] = []
    layers: list[Layer]
    unmasked: list[Parameter] = []
    buffers: list[Any] = []


class Data(Record):
    """The data set; `train`, `validation` and `test` are numbers of images. None where it is not known."""

    name: str | None
    digest: str | None
    train: int | None
    validation: int | None
    test: int | None
    classes: list[str]
    input_shape: list[int]


class Planned(Record):
    """What the study says of a population beyond `Population`."""

    name: str
    digest: str


class Provenance(Record):
    """Where the numbers come from; times in seconds."""

    created: str
    updated: str | None = None
    command: str | None = None
    versions: dict[str, str | None]
    hardware: dict[str, Any]
    git: dict[str, Any] | None = None
    wall_s: dict[str, float | None] | None = None


class Study(Record):
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


class Results(Record):
    """All of `results.json`."""

    schema_version: Literal[1]
    study: Study
    created: str
    input: str | None = None
    populations: list[Population]
    members: list[Member]
    failures: list[Failure]
    accuracy: list[Accuracy]
    overlap: list[Overlap]
    landscape: list[Path]
    movement: list[Movement] = []
    embeddings: list[Embedding]
    warnings: list[Warn]
