"""One value per population and layer, with the same value without each member: intervals and differences.

A statistic is given per group of members. Groups of one population (its draws of base weights) are averaged
by their number of pairs, layers by their number of weights.

Source: Efron and Stein, The jackknife estimate of variance (Annals of Statistics 9, 1981).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import chance, estimates, jackknife
from masklab.analysis.counts import columns, tallies

NO_PAIR = "no two masks share a draw of base weights"

ByGroup = Float64[np.ndarray, "layers groups"]
ByMember = Float64[np.ndarray, "layers members"]
Strata = Float64[np.ndarray, " strata"]


@dataclass(frozen=True, eq=False)
class Sample:
    """A statistic of one population; strata are the whole mask, then each layer. NaN where undefined.

    Attributes:
        value: Statistic per stratum.
        without: The same leaving out each member that is in a pair.
        units: Unit of each of these members.
        chance: Expectation for independent masks with the same kept counts per layer.
        chance_sd: Standard deviation under chance.
        pairs: Number of pairs.
        undefined: Why the statistic has no value where it has none.
    """

    value: Strata
    without: Float64[np.ndarray, "strata units"]
    units: Int64[np.ndarray, " units"]
    chance: Strata
    chance_sd: Strata
    pairs: int
    undefined: str

    @property
    def influence(self) -> Float64[np.ndarray, "strata units"]:
        """Share of each unit in the value's error; the sum of squares is the jackknife variance."""
        n = max(len(self.units), 1)
        return math.sqrt((n - 1) / n) * (self.without - _mean(self.without))

    @property
    def z(self) -> Strata:
        """Distance from chance in standard deviations under chance; NaN where nothing can vary."""
        return chance.ratio(self.value - self.chance, self.chance_sd)

    def reason(self, stratum: int) -> str:
        """Why the value or its interval is undefined; empty where both are defined."""
        if not self.pairs:
            return NO_PAIR
        if np.isnan(self.value[stratum]):
            return self.undefined
        if len(self.units) < jackknife.LEAST_UNITS:
            return f"an interval needs at least {jackknife.LEAST_UNITS} masks; there are {len(self.units)}"
        if np.isnan(self.without[stratum]).any():
            return "leaving out one mask leaves nothing that varies"
        return ""

    def estimate(self, stratum: int, method: str) -> dict[str, Any]:
        """The value with its leave-one-mask-out interval, t with n − 1 degrees of freedom."""
        n, value, why = len(self.units), float(self.value[stratum]), self.reason(stratum)
        half = math.nan
        if not why:
            without = jackknife.half_width(self.without[stratum])
            half = float(jackknife.with_width(without, np.array(value)))
            why = jackknife.SAME if math.isnan(half) else ""
        return estimates.estimate(value, value - half, value + half, method=method, n=n, why=why)


def by_population(
    counted: tallies.Tallies,
    groups: tallies.Groups,
    statistic: tuple[ByGroup, ByMember],
    null: tuple[ByGroup, ByGroup],
    undefined: str = "",
) -> list[Sample]:
    """Average a statistic over the groups of each population, and over layers.

    Args:
        counted: Sizes and members.
        groups: The groups.
        statistic: Per group; and per member that of its group without it. NaN where undefined, which then
            counts neither for the layer nor for the whole mask.
        null: Its expectation and its variance under chance, per group.
        undefined: Why it can be undefined for groups of two and more.
    """
    division = groups.division
    found = []
    for at in range(len(counted.design.names)):
        own = np.flatnonzero((division.population == at) & (division.sizes > 1))
        members = np.flatnonzero(np.isin(division.of, own))
        found.append(_average(counted, division, own, members, statistic, null, undefined))
    return found


def _average(
    counted: tallies.Tallies,
    division: columns.Division,
    own: Int64[np.ndarray, " own"],
    members: Int64[np.ndarray, " units"],
    statistic: tuple[ByGroup, ByMember],
    null: tuple[ByGroup, ByGroup],
    undefined: str,
) -> Sample:
    value, size = statistic[0][:, own], division.sizes[own]
    pairs = size * (size - 1) // 2
    weight = np.where(np.isnan(value), 0.0, pairs)
    by_layer = chance.ratio(weight, np.broadcast_to(weight.sum(axis=1, keepdims=True), weight.shape))
    layer_weight = np.where(weight.any(axis=1), counted.sizes, 0).astype(float)
    by_size = layer_weight / max(layer_weight.sum(), 1.0)
    group = np.searchsorted(own, division.of[members])
    leaving = _leaving(weight, value, statistic[1][:, members], group, size)
    return Sample(
        _strata(_sum(by_layer * value), by_size),
        _strata(leaving, by_size),
        counted.design.unit[members],
        _strata(_sum(by_layer * null[0][:, own]), by_size),
        np.sqrt(_strata(_sum(by_layer**2 * null[1][:, own]), by_size**2)),
        int(pairs.sum()),
        undefined,
    )


def _sum(terms: ByGroup) -> Float64[np.ndarray, " layers"]:
    """Sum over the groups that have a value; NaN where none has."""
    found = np.nansum(terms, axis=1)
    return np.where(np.isnan(terms).all(axis=1), np.nan, found)


def _strata(
    layers: Float64[np.ndarray, "layers *units"], weight: Float64[np.ndarray, " layers"]
) -> Float64[np.ndarray, "strata *units"]:
    """The weighted sum over the layers of positive weight, then the layers; NaN if there are none."""
    some = weight > 0
    whole = (
        np.tensordot(weight[some], layers[some], axes=1) if some.any() else np.full(layers.shape[1:], np.nan)
    )
    return np.concatenate([whole[None], layers])


def _leaving(
    weight: ByGroup,
    value: ByGroup,
    leaving: ByMember,
    group: Int64[np.ndarray, " members"],
    sizes: Int64[np.ndarray, " groups"],
) -> ByMember:
    """Value of each layer without each member; its group then counts with the pairs that remain."""
    remaining = np.where(weight > 0, (sizes - 1) * (sizes - 2) / 2, 0.0)[:, group]
    replaced = np.where(weight > 0, weight * value, 0.0)
    total = replaced.sum(axis=1, keepdims=True) - replaced[:, group]
    total += np.where(remaining > 0, remaining * leaving, 0.0)
    return chance.ratio(total, weight.sum(axis=1, keepdims=True) - weight[:, group] + remaining)


def _mean(values: Float64[np.ndarray, "strata units"]) -> Float64[np.ndarray, "strata 1"]:
    return values.mean(axis=1, keepdims=True) if values.shape[1] else np.zeros((len(values), 1))
