"""Rows of `results.json` on the landscape between masks, as far as the page reads them."""

from typing import Literal

from pydantic import Field

from masklab.report import records

Split = Literal["test", "train"]
Statistics = Literal["none", "keep", "re-estimate"]


class Row(records.Record):
    """What every row says of the images that networks were evaluated on."""

    split: Split
    statistics: Statistics
    images: int
    chance: float


class Curve(records.Record):
    """Values along a path, over pairs and orders: mean, smallest and largest at each point."""

    mean: list[float]
    low: list[float]
    high: list[float]


class Barrier(records.Record):
    """Barriers of a path; error barriers are fractions, loss barriers nats."""

    entezari_error: records.Estimate
    entezari_loss: records.Estimate
    frankle_error: records.Estimate | None = None
    frankle_loss: records.Estimate | None = None


class Images(records.Record):
    """Bootstrap over images of a mean barrier.

    Attributes:
        low: Lower end of the interval.
        high: Upper end.
        bias: By how much the barrier is too large on average.
        corrected: The barrier less its bias.
        chance: What straight paths would show by noise alone.
        resamples: Number of resamples.
        why: Reason for a None.
    """

    low: float | None
    high: float | None
    bias: float | None
    corrected: float | None
    chance: float | None
    resamples: int
    why: str | None = None


class Walked(Row):
    """What rows of paths have in common.

    Attributes:
        over_images: Bootstrap over images, by kind of barrier; empty where it was not made.
        connected: Share of the pairs, or members, whose error barrier is below `threshold`.
    """

    path: str
    barrier: Barrier
    over_images: dict[str, Images] = Field(default_factory=dict)
    connected: records.Estimate
    threshold: float


class Path(Walked):
    """Accuracy on the paths of one kind between masks, over all pairs of one kind, on one split.

    Attributes:
        rule: What stands between the ends: `"weights"`, `"mask"`, `"effective"` or `"mixed"`.
        orders: Random orders walked of each pair; 1 where the path is not random.
    """

    a: str
    b: str
    block: records.Block
    seed: records.Seed
    rule: str
    orders: int
    pairs: int
    of_pairs: int
    points: list[float]
    accuracy: Curve


class Chain(Walked):
    """Barrier between the masks at two successive snapshots of the same members."""

    population: str
    epoch: int
    to: int
    members: int
    hamming: records.Estimate
    accuracy: records.Estimate


class Flips(Row):
    """Accuracy after so many flipped bits; for `kind` "layer" all of them are in that layer.

    Attributes:
        drop: Accuracy lost against the members themselves.
        drop_per_flip: The same per flipped bit.
        rank: 1 = the layer whose flips cost most.
    """

    population: str
    kind: str
    layer: str
    flips: float
    share: float
    members: int
    accuracy: records.Estimate
    drop: records.Estimate
    drop_per_flip: records.Estimate
    rank: int | None


class Algebra(Row):
    """Accuracy of what an operation makes of the masks of a population; `gain` is over their members."""

    population: str
    operation: str
    masks: float
    density_kind: Literal["own", "matched"]
    density: float
    sets: int
    accuracy: records.Estimate
    gain: records.Estimate


class Transfer(Row):
    """Accuracy of masks on other base weights than their own; `change` is against their own."""

    population: str
    weights: str
    members: int
    accuracy: records.Estimate
    change: records.Estimate


class Corner(records.Record):
    """A member in a plane."""

    id: str
    x: float
    y: float
    accuracy: float


class Plane(Row):
    """Accuracy over a plane; the values stand in `landscape.npz` under `array`.

    Attributes:
        block: Whether the members lie on one draw of base weights; None for flips, and where not recorded.
        flips: Bits of each set that are flipped at 1; None between members.
        at: Members that lie in it.
    """

    population: str
    kind: Literal["members", "flips"]
    block: records.Block | None = None
    members: list[str]
    x: list[float]
    y: list[float]
    flips: int | None
    array: str
    accuracy_min: float
    accuracy_max: float
    at: list[Corner]


class Asked(records.Record):
    """What was spent on a question, of what it could have used."""

    name: str
    wanted: int
    evaluations: int
    networks: int


class Predictions(records.Record):
    """How often a batched evaluation classes an image otherwise than a member's stored prediction."""

    members: int
    images: int
    differing: int


class MembersAccuracy(records.Record):
    """Mean accuracy of a population's members, as they are stored and with re-estimated statistics."""

    population: str
    members: int
    stored: float | None
    re_estimated: float | None


class Work(records.Record):
    """How the landscape was measured; evaluations are networks × images. No `paths`: all that there are."""

    budget: int
    source: str
    evaluations: int
    networks: int
    images: dict[str, int]
    of_images: dict[str, int]
    statistics: Statistics
    batches: int
    statistics_images: int
    engine: str
    device: str
    orders: int
    points: int
    paths: list[str] | None
    questions: list[Asked]
    stored_predictions: Predictions
    members_accuracy: list[MembersAccuracy] = Field(default_factory=list)
