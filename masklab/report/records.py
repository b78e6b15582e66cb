"""Rows of `results.json` that hold statistics, as far as the page reads them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Block = Literal["within", "across"]
Seed = Literal["same", "different"]


class Record(BaseModel):
    """Base of all records: frozen, finite numbers only; anything else in the file is ignored."""

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


class Null(Record):
    """Values of matched random masks: their mean, and from `low` to `high` what `range` says."""

    mean: float
    low: float
    high: float
    n: int
    range: str = ""


class Measured(Record):
    """One statistic of one population in one layer or in the whole mask, with its chance level."""

    population: str
    layer: str
    metric: str
    block: str
    estimate: Estimate
    chance: float | None
    pairs: int


class Consensus(Record):
    """Share of the weights that exactly `kept_by` of `of` masks keep, mean over draws of base weights."""

    population: str
    layer: str
    block: str
    of: int
    draws: int
    kept_by: int
    share: float
    chance: float | None
    estimate: Estimate | None = None


class Test(Record):
    """One test; without `a` and `b` it is of all populations together, without `b` of one alone.

    Attributes:
        test: Its name.
        a: First population.
        b: Second population.
        estimate: The effect, in words in `effect`, with its interval.
        effect: What the estimate is.
        chance: Expectation of the effect if there is none.
        p: Two-sided unless `method` says otherwise.
        adjusted_p: Corrected for the number of tests.
        smallest_p: The smallest that the permutations allow; None where the test has none.
        permutations: Number of relabelings.
        exact: Whether these are all that there are.
        n: Number of members or units.
        method: How it was done.
        why: Reason why something is undefined.
    """

    test: str
    a: str | None
    b: str | None
    estimate: Estimate
    effect: str
    chance: float | None
    p: float | None
    adjusted_p: float | None
    smallest_p: float | None
    permutations: int | None
    exact: bool | None
    n: int
    method: str
    why: str | None = None


class Cluster(Record):
    """One quantity of one clustering, beside that of matched random masks and of exchanged labels."""

    method: str
    quantity: str | None
    against: str | None
    estimate: Estimate
    null: Null | None
    chance: float | None = None
    p: float | None
    smallest_p: float | None
    parameters: dict[str, Any]
    why: str | None = None


class Structure(Record):
    """One number on where masks keep weights; only shares of the distance have a `block`."""

    population: str
    layer: str
    metric: str
    axis: str | None
    estimate: Estimate
    chance: float | None
    block: str | None = None
    why: str | None = None


class Function(Record):
    """How differently pairs of members predict; `limits` are further levels to compare with, by name."""

    a: str
    b: str
    block: Block
    seed: Seed
    metric: str
    estimate: Estimate
    chance: float | None
    pairs: int
    images: int
    limits: dict[str, float | None] = {}


class Ensemble(Record):
    """Ensembles of `size` members; `gain` is over their mean member, `independent` if errors were."""

    population: str
    rule: str
    size: int
    estimate: Estimate
    gain: Estimate
    mean_member: float | None
    independent: float | None
    members: int
    images: int


class Couple(Record):
    """Two members of one population: how far their masks are apart, and how often they disagree."""

    id_a: str
    id_b: str
    block: Block
    hamming: float
    disagreement: float


class Scatter(Record):
    """How many of the pairs are in the scatter."""

    shown: int
    of: int


class Scope(Record):
    """Which members the predictions cover; `labels` says why the true classes are not known."""

    members: int
    images: int
    left_out: dict[str, int]
    labels: str | None
    scatter: Scatter | None = None


class Diversity(Record):
    """How many masks there really are, among those of one draw or of all, beside matched random masks."""

    population: str
    block: str
    metric: str
    estimate: Estimate
    null: Null | None
    members: int
    why: str | None = None


class Rarefaction(Diversity):
    """The same among fewer masks; `chance` is exact where there is one."""

    size: int
    chance: float | None = None


class Quality(Record):
    """How far an embedding can be trusted; what is undefined is None and says why."""

    trustworthiness: float | None
    shepard: float | None
    stability: float | None
    neighbors: int
    why: str | None = None


class Point(Record):
    """A member's place in an embedding."""

    id: str
    x: float
    y: float


class Twin(Record):
    """The same embedding of random masks with the same kept counts."""

    points: list[Point]
    explained: list[float | None] | None = None
    quality: Quality


class Embedding(Record):
    """Members in two dimensions; `null` and `p` are of the trustworthiness, against all twins."""

    method: str
    distance: str
    points: list[Point]
    axes: list[str]
    explained: list[float | None] | None = None
    parameters: dict[str, Any]
    quality: Quality | None
    twin: Twin | None
    null: Null | None
    p: float | None
    smallest_p: float | None
    distinguishable: bool | None
    why: str | None = None
