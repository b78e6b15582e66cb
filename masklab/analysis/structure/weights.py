"""Base weights under a mask: signs and norms of kept and pruned, growth by refreshes, distinct values.

The norm of the pruned weights is that of the mask's complement: kept² + pruned² = all². Published plots show
the norm of a mirrored set of indices instead, which is an arbitrary half of the layer.

Source: a random mask that keeps k of N weights keeps k/N of any sum over the weights in expectation, so that
the chance level of a squared norm is exact; that of a norm is its square root.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from masklab.analysis.overlap import WHOLE
from masklab.analysis.structure import table
from masklab.archive import blocks
from masklab.archive.description import Recipe
from masklab.archive.member import Member

METRICS = (
    "positive_kept",
    "positive_pruned",
    "norm_kept",
    "norm_pruned",
    "norm_all",
    "norm_initial",
    "norm_ratio",
    "squared_norm_share_kept",
    "rms_kept",
    "rms_pruned",
    "distinct_share",
)
"""Share of positive base weights among the kept and among the pruned ones; ℓ2 norms of the kept, the pruned,
all base weights, and of the initial draw; all ÷ initial; kept² ÷ all²; root mean squares; distinct values
within layers ÷ weights (chance: in the initial draw)."""

_NOT_BY_MASK = "the mask takes no part in it"
_NO_INITIAL = "the initial draw is not known (imported)"

Values = Mapping[str, Float32[np.ndarray, " _"]]


@dataclass(frozen=True)
class Sums:
    """What is summed over some weights.

    Attributes:
        size: Number of weights.
        positive: Those above 0.
        squared: Sum of their squares.
    """

    size: int = 0
    positive: int = 0
    squared: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.size + other.size, self.positive + other.positive, self.squared + other.squared)


@dataclass(frozen=True)
class Layer:
    """The base weights of one layer, summed up.

    Attributes:
        kept: Over the kept weights.
        pruned: Over the others.
        squared: Sum of squares of all.
        distinct: Distinct values among all.
        initial: Sum of squares of the initial draw; NaN where it is not known.
        initial_distinct: Distinct values of the initial draw; NaN where it is not known.
    """

    kept: Sums
    pruned: Sums
    squared: float
    distinct: float
    initial: float
    initial_distinct: float

    def __add__(self, other: "Layer") -> "Layer":
        return Layer(
            self.kept + other.kept,
            self.pruned + other.pruned,
            self.squared + other.squared,
            self.distinct + other.distinct,
            self.initial + other.initial,
            self.initial_distinct + other.initial_distinct,
        )


class Draws:
    """Base weights of members, one member at a time; an initial draw is made once for those that follow."""

    def __init__(self) -> None:
        self._held: tuple[int, int, str, float] | None = None
        self._values: Values = {}
        self._facts: dict[str, tuple[float, float]] = {}

    def measure(self, member: Member, masks: Mapping[str, Bool[np.ndarray, "..."]]) -> table.Found:
        """Signs and norms of one member, per layer and in the whole mask.

        Args:
            member: The member.
            masks: Its masks by layer.

        Raises:
            ArchiveError: The base weights cannot be rebuilt, or do not have the stored digest.
        """
        if not (member.has_weights and blocks.known(member)):
            why = "the base weights of pruned weights are not known (imported)"
            undefined = table.One(math.nan, math.nan, why)
            return {(name, metric, None): undefined for name in (WHOLE, *masks) for metric in METRICS}
        if member.recipe is not None:
            self._draw(member, member.recipe)
        own = self._values
        if member.recipe is None or any(layer.origin is not None for layer in member.layers):
            own = {name: values.reshape(-1) for name, values in member.weights().items()}
        drawn = member.recipe is not None
        sums = {name: self._layer(name, own[name], mask.reshape(-1), drawn) for name, mask in masks.items()}
        first, *rest = sums.values()
        found = _found(WHOLE, sum(rest, first))
        for name, layer in sums.items():
            found |= _found(name, layer)
        return found

    def _draw(self, member: Member, recipe: Recipe) -> None:
        """Hold the initial draw of a recipe."""
        wanted = (recipe.seed, recipe.level, recipe.init, recipe.factor)  # refreshes draw nothing here
        if wanted != self._held:
            self._values = {layer.name: recipe.initial(layer) for layer in member.layers}
            self._facts = {
                name: (_squared(values), _distinct(values)) for name, values in self._values.items()
            }
            self._held = wanted

    def _layer(
        self, name: str, values: Float32[np.ndarray, " size"], mask: Bool[np.ndarray, " size"], drawn: bool
    ) -> Layer:
        squared, distinct = self._facts[name] if drawn else (math.nan, math.nan)
        untouched = drawn and values is self._values[name]
        return Layer(
            _sums(values[mask]),
            _sums(values[~mask]),
            squared if untouched else _squared(values),
            distinct if untouched else _distinct(values),
            squared,
            distinct,
        )


def _squared(values: Float32[np.ndarray, " _"]) -> float:
    exact = values.astype(np.float64)
    return float(exact @ exact)


def _distinct(values: Float32[np.ndarray, " _"]) -> float:
    return float(np.unique(values).size)


def _sums(values: Float32[np.ndarray, " _"]) -> Sums:
    return Sums(values.size, int(np.count_nonzero(values > 0)), _squared(values))


def _found(name: str, layer: Layer) -> table.Found:
    kept, pruned = layer.kept, layer.pruned
    whole = kept + pruned
    density, positive = kept.size / whole.size, whole.positive / whole.size
    rms = math.sqrt(layer.squared / whole.size)
    unknown = _NO_INITIAL if math.isnan(layer.initial) else _NOT_BY_MASK
    none_kept, none_pruned = "the mask keeps no weight", "the mask prunes no weight"
    ones = (
        _one(kept.positive, kept.size, positive, none_kept),
        _one(pruned.positive, pruned.size, positive, none_pruned),
        table.One(math.sqrt(kept.squared), math.sqrt(density * layer.squared)),
        table.One(math.sqrt(pruned.squared), math.sqrt((1 - density) * layer.squared)),
        table.One(math.sqrt(layer.squared), math.nan, _NOT_BY_MASK),
        table.One(math.sqrt(layer.initial), math.nan, unknown),
        _one(math.sqrt(layer.squared), math.sqrt(layer.initial), math.nan, unknown),
        _one(kept.squared, layer.squared, density, "every base weight is 0"),
        _one(math.sqrt(kept.squared), math.sqrt(kept.size), rms, none_kept),
        _one(math.sqrt(pruned.squared), math.sqrt(pruned.size), rms, none_pruned),
        table.One(layer.distinct / whole.size, layer.initial_distinct / whole.size, unknown),
    )
    return {(name, metric, None): one for metric, one in zip(METRICS, ones, strict=True)}


def _one(part: float | int, whole: float | int, chance: float, why: str) -> table.One:
    """A quotient; undefined where the second is 0 or not known."""
    return table.One(part / whole if whole > 0 else math.nan, chance, why)
