"""Overlap of masks within and between populations, each value with its chance level beside it.

Every metric is linear in the intersection or Jaccard's (see `masklab.analysis.pairwise`); what is expected at
chance is in `masklab.analysis.chance`.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Num

from masklab.analysis import cells, chance, estimates, jackknife, pairwise
from masklab.analysis.design import Design
from masklab.analysis.distances import Distances
from masklab.analysis.nulls import summary
from masklab.analysis.nulls.magnitude import MEMBERS, Magnitude

MAGNITUDE = "chance_corrected_magnitude"
"""Corrected for what the magnitudes of the base weights explain (see `masklab.analysis.nulls.magnitude`)."""

METRICS = (
    "hamming",
    "jaccard",
    "jaccard_similarity",
    "dice_similarity",
    "overlap_coefficient",
    "kappa",
    "phi",
    "observed_over_expected",
    "chance_corrected",
)
"""Functions of `pairwise`; I ÷ E and (I − E) ÷ (I_max − E) of the intersection. `MAGNITUDE` comes after."""

LAYERED = ("hamming", "jaccard", "jaccard_similarity", "chance_corrected")
"""Those of `METRICS` that single layers have; the others follow from the counts in `overlap.npz`."""

LIMITS = {
    **dict.fromkeys(("hamming", "jaccard", "jaccard_similarity"), estimates.SHARE),
    **dict.fromkeys(("dice_similarity", "overlap_coefficient"), estimates.SHARE),
    **dict.fromkeys(("kappa", "phi"), (-1.0, 1.0)),
    "observed_over_expected": (0.0, math.inf),
    **dict.fromkeys(("chance_corrected", MAGNITUDE), (-math.inf, 1.0)),
}
"""Values that a metric can have."""

TESTED = ("observed_over_expected", "chance_corrected")
"""Effect sizes that the z of the mean intersection stands beside."""

WHOLE = "whole"
"""Name of the whole mask where a layer's name may stand."""

METHOD = (
    "mean over pairs; leave-one-mask-out jackknife, t with n − 1 degrees of freedom; conservative near "
    "chance; for these weight draws"
)

_UNDEFINED = "in at least one pair a mask keeps every weight, or none, so that only one overlap is possible"
_UNKNOWN = "no pair of members whose base weights are known"
_SAMPLED = f"over the first members of each population, at most {MEMBERS}"
_FIXED = "in at least one pair the magnitudes of the base weights leave no other overlap than the largest"

_AT_ONCE = 2**20
"""Numbers of one kind in memory at a time: many metrics or twins together where members are few."""

_ROUNDING = 1e-9
"""Share of the largest intersection below which what is left to vary is rounding."""

Row = dict[str, Any]
Shared = Num[np.ndarray, "*replicates rows columns"]


@dataclass(frozen=True, eq=False)
class _Counts:
    """What the kept counts of the pairs of two populations say of one layer or, stratified, of all."""

    sizes: Int64[np.ndarray, " strata"]
    first: Int64[np.ndarray, "strata rows"]
    second: Int64[np.ndarray, "strata columns"]
    expected: Float64[np.ndarray, "rows columns"]
    room: Float64[np.ndarray, "rows columns"]

    def values(self, metric: str, shared: Shared) -> Float64[np.ndarray, "*replicates rows columns"]:
        """A metric of every pair, given the intersections."""
        if metric == "observed_over_expected":
            return chance.ratio(shared, self.expected)
        if metric == "chance_corrected":
            return chance.ratio(shared - self.expected, self.room)
        function: Callable[..., np.ndarray] = getattr(pairwise, metric)
        return function(shared, self.first.sum(axis=0), int(self.sizes.sum()), self.second.sum(axis=0))

    def level(self, metric: str) -> Float64[np.ndarray, "rows columns"]:
        """What independent masks of the same kept counts show on average."""
        if metric in ("jaccard", "jaccard_similarity"):
            similarity = chance.expected_jaccard_similarity(self.sizes, self.first, self.second)
            return 1 - similarity if metric == "jaccard" else similarity
        return self.values(metric, self.expected)


def rows(
    design: Design,
    distances: Distances,
    magnitude: Magnitude | None = None,
    twins: Sequence[Distances] | None = None,
) -> list[Row]:
    """Every pair of populations, layer and metric, split by shared base weights and by shared seeds.

    Rows `{a, b, layer, metric, block, seed, estimate, chance, z, null, pairs}`. Pairs of distinct members
    only. `block` is `"within"` where both share a draw of base weights, `seed` is `"same"` where they have
    the same seeds in two populations. Cells without pairs are left out. Single layers have
    `LAYERED` only. Rows are ordered by populations, layer (`"whole"`, then the network's order), metric,
    block and seed. `z` is that of the cell's mean intersection under chance, and stands only on rows of
    `TESTED`; `null` is the same cell's mean in the twins.

    Args:
        design: The members, in the order of `distances`.
        distances: Intersection counts of the members.
        magnitude: Expected intersections given the magnitudes of the base weights; adds `MAGNITUDE`.
        twins: Independent random masks with the same kept counts (see `masklab.analysis.nulls.twins`).
    """
    if not distances.layers:
        return []
    groups = [list(own) for _, own in itertools.groupby(cells.of(design), key=lambda one: (one.a, one.b))]
    kept = np.stack([distances.kept(name) for name in distances.layers])
    found: list[tuple[int, int, list[Row]]] = []
    for place, layer in enumerate((None, *distances.layers)):
        own = slice(None) if layer is None else slice(place - 1, place)
        metrics = METRICS if layer is None else LAYERED
        nulls = _nulls(groups, distances.sizes[own], kept[own], twins or (), layer, metrics)
        shared = distances.intersection_count(layer)
        for number, group in enumerate(groups):
            counts = _counts(distances.sizes[own], kept[own], group[0])
            made = _rows(design, group, counts, shared, layer or WHOLE, metrics, nulls[number])
            if magnitude is not None:
                made += _magnitude_rows(design, group, counts, shared, magnitude, layer)
            found.append((number, place, made))
            del counts  # matrices of all pairs may be large
        del shared
    found.sort(key=lambda one: one[:2])
    return [row for _, _, made in found for row in made]


def _counts(
    sizes: Int64[np.ndarray, " strata"], kept: Int64[np.ndarray, "strata members"], cell: cells.Cell
) -> _Counts:
    first, second = kept[:, cell.rows], kept[:, cell.columns]
    expected = chance.expected_intersection(sizes, first, second)
    return _Counts(sizes, first, second, expected, chance.room(sizes, first, second))


def _nulls(
    groups: Sequence[Sequence[cells.Cell]],
    sizes: Int64[np.ndarray, " strata"],
    kept: Int64[np.ndarray, "strata members"],
    twins: Sequence[Distances],
    layer: str | None,
    metrics: Sequence[str],
) -> list[Float64[np.ndarray, "metrics cells twins"]]:
    """Mean of each metric over the pairs of each cell, twin by twin."""
    found = [np.empty((len(metrics), len(group), len(twins))) for group in groups]
    step = max(1, _AT_ONCE // max(1, kept.shape[1] ** 2))
    for start in range(0, len(twins), step):
        together = np.stack([twin.intersection_count(layer) for twin in twins[start : start + step]])
        for group, means in zip(groups, found, strict=True):
            counts = _counts(sizes, kept, group[0])
            shared = together[:, group[0].rows[:, None], group[0].columns]
            for place, metric in enumerate(metrics):
                values = counts.values(metric, shared)
                for at, cell in enumerate(group):
                    means[place, at, start : start + step] = values[:, cell.chosen].mean(axis=1)
    return found


def _rows(
    design: Design,
    group: Sequence[cells.Cell],
    counts: _Counts,
    intersections: Num[np.ndarray, "members members"],
    layer: str,
    metrics: Sequence[str],
    nulls: Float64[np.ndarray, "metrics cells twins"],
) -> list[Row]:
    """Rows of some metrics in one layer, for the cells of two populations."""
    first, second = group[0].rows, group[0].columns
    shared = intersections[np.ix_(first, second)]
    z = _z(group, counts, shared)
    found = []
    step = max(1, _AT_ONCE // shared.size)
    for start in range(0, len(metrics), step):
        together = metrics[start : start + step]
        values = np.stack([counts.values(metric, shared) for metric in together])
        means = [
            jackknife.mean_over_pairs(values, cell.chosen, design.unit[first], design.unit[second])
            for cell in group
        ]
        del values
        for at, metric in enumerate(together):
            level = counts.level(metric)
            for number, cell in enumerate(group):
                found.append(
                    _row(cell, layer, metric, means[number], at, _UNDEFINED)
                    | {"chance": estimates.number(float(level[cell.chosen].mean()))}
                    | {"z": z[number] if metric in TESTED else None}
                    | {"null": summary.of(nulls[start + at, number])}
                    | {"pairs": means[number].pairs}
                )
    return found


def _row(cell: cells.Cell, layer: str, metric: str, means: jackknife.Means, at: int, undefined: str) -> Row:
    method = f"{METHOD}; {_SAMPLED}" if metric == MAGNITUDE else METHOD
    value, low, high = means.value[at], means.low[at], means.high[at]
    why = undefined if np.isnan(value) else means.why
    return {
        "a": cell.a,
        "b": cell.b,
        "layer": layer,
        "metric": metric,
        "block": cell.block,
        "seed": cell.seed,
        "estimate": estimates.estimate(
            value, low, high, method=method, n=means.units, why=why, limits=LIMITS[metric]
        ),
    }


def _z(
    group: Sequence[cells.Cell], counts: _Counts, shared: Num[np.ndarray, "rows columns"]
) -> list[float | None]:
    excess = shared - counts.expected
    variance = chance.intersection_variance(counts.sizes, counts.first, counts.second)
    return [estimates.number(chance.z_of_mean(excess[cell.chosen], variance[cell.chosen])) for cell in group]


def _magnitude_rows(
    design: Design,
    group: Sequence[cells.Cell],
    counts: _Counts,
    intersections: Num[np.ndarray, "members members"],
    magnitude: Magnitude,
    layer: str | None,
) -> list[Row]:
    """Rows of `MAGNITUDE`, over the pairs of members that were sampled for it."""
    rows, columns = group[0].rows, group[0].columns
    first, of_first = magnitude.places([design.ids[at] for at in rows])
    second, of_second = magnitude.places([design.ids[at] for at in columns])
    expected = magnitude.expectation(layer)[np.ix_(of_first, of_second)]
    shared = intersections[np.ix_(rows[first], columns[second])]
    most = np.zeros(expected.shape)
    for one, other in zip(counts.first[:, first], counts.second[:, second], strict=True):
        most += np.minimum.outer(one, other)
    room = np.where(most - expected > _ROUNDING * most, most - expected, 0.0)
    values = chance.ratio(shared - expected, room)[None]
    units = design.unit[rows[first]], design.unit[columns[second]]
    found = []
    for cell in group:
        chosen, nothing = cell.chosen[np.ix_(first, second)], np.full(1, np.nan)
        means = jackknife.Means(nothing, nothing, nothing, 0, 0, _UNKNOWN)
        if chosen.any():
            means = jackknife.mean_over_pairs(values, chosen, *units)
        row = _row(cell, layer or WHOLE, MAGNITUDE, means, 0, _FIXED if means.pairs else _UNKNOWN)
        level = None if np.isnan(means.value[0]) else 0.0
        found.append(row | {"chance": level, "z": None, "null": None, "pairs": means.pairs})
    return found
