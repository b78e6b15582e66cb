"""How many weights are kept by exactly t of n masks, beside what independent masks would show.

For independent masks with given kept counts, the number of masks that keep a weight of layer l is a sum of
independent Bernoulli variables with the members' densities k_il/N_l (Poisson-binomial).

Source: exact convolution; for the weights kept by all (core) and by none, mean and variance of the number of
elements common to random subsets of fixed sizes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import estimates, jackknife, overlap
from masklab.analysis.counts import tallies

Row = dict[str, Any]

MOST_LAYERS = 64
MOST_MEMBERS = 64
"""Layers, and members of a group, beyond which layers get no histogram, only core and never kept."""

LEAST_MEMBERS = 5
"""Members of a group from which there is an interval: by simulation, one of 3 or 4 covers 88 to 92 %."""

METHOD = (
    "share of weights; leave-one-mask-out jackknife of the same share of one mask fewer, t with n − 1 "
    "degrees of freedom, cut at 0 and 1; for these weight draws"
)

MOST_LEVELS = 256
"""Members of a group beyond which there is no histogram at all, only core and never kept."""

_Kept = Int64[np.ndarray, "layers members"]


def expected_histogram(
    sizes: Int64[np.ndarray, " layers"], kept: _Kept
) -> Float64[np.ndarray, "layers levels"]:
    """Expected number of weights kept by exactly 0, 1, … all of independent masks.

    Args:
        sizes: Weights per layer.
        kept: Weights that each mask keeps.

    Examples:
        >>> expected_histogram(np.array([8]), np.array([[4, 2]])).tolist()
        [[3.0, 4.0, 1.0]]
    """
    found = np.zeros((len(sizes), kept.shape[1] + 1))
    found[:, 0] = sizes
    for density in (kept / sizes[:, None]).T:
        found[:, 1:] += density[:, None] * (found[:, :-1] - found[:, 1:])
        found[:, 0] *= 1 - density
    return found


def expected_ends(sizes: Int64[np.ndarray, " layers"], kept: _Kept) -> Float64[np.ndarray, "layers 2"]:
    """Both ends of `expected_histogram`, in time linear in the masks: kept by none, and by all.

    Args:
        sizes: Weights per layer.
        kept: Weights that each mask keeps.

    Examples:
        >>> expected_ends(np.array([8]), np.array([[4, 2]])).tolist()
        [[3.0, 1.0]]
    """
    density = kept / sizes[:, None]
    return sizes[:, None] * np.stack([(1 - density).prod(axis=1), density.prod(axis=1)], axis=1)


def common_variance(sizes: Int64[np.ndarray, " layers"], chosen: _Kept) -> Float64[np.ndarray, " layers"]:
    """Variance of the number of weights in all of several independent random subsets of fixed sizes.

    Var = N(N − 1)Π k_i(k_i − 1)/(N(N − 1)) + μ − μ², μ = NΠ(k_i/N).

    Args:
        sizes: Weights per layer.
        chosen: Size of each subset: kept counts for the core, N − k for the weights that none keeps.
    """
    size = sizes[:, None]
    one = (chosen / size).prod(axis=1)
    other = (np.maximum(chosen - 1, 0) / np.maximum(size - 1, 1)).prod(axis=1)
    # μ + N(N − 1)·one·other − μ², in a form that does not subtract squares of N
    return np.maximum(sizes * one * (1 - other + sizes * (other - one)), 0.0)


@dataclass(frozen=True, eq=False)
class _Part:
    """Groups of one population with equally many members; sums over them, per layer."""

    members: int
    levels: list[int]
    groups: Int64[np.ndarray, " groups"]
    found: Int64[np.ndarray, "layers levels"]
    expected: Float64[np.ndarray, "layers levels"]
    variance: Float64[np.ndarray, "layers 2"]
    without: Int64[np.ndarray, "layers 2 units"]


def rows(counted: tallies.Tallies, groups: tallies.Groups, block: str) -> list[Row]:
    """Histogram per population; draws of equally many members are averaged, `of` says how many.

    `kept_by` 0 and `of` (never kept, core) have `chance_sd` and an estimate with its interval. Groups of one
    member are left out. Layers have the whole histogram up to 64 layers and 64 members, the whole mask up to
    256 members.

    Args:
        counted: The members.
        groups: The groups.
        block: What the rows call them.
    """
    layers = [overlap.WHOLE, *counted.layers] if counted.layers else []
    found: list[Row] = []
    for population, name in enumerate(counted.design.names):
        own = np.where(groups.division.population == population, groups.division.sizes, 0)
        for n in np.unique(own[own > 1]).tolist():
            part = _part(counted, groups, np.flatnonzero(own == n), n)
            for at, layer in enumerate(layers):
                fields = {"population": name, "layer": layer, "block": block, "of": n}
                fields["draws"] = len(part.groups)
                chosen = slice(None) if layer == overlap.WHOLE else slice(at - 1, at)
                full = at == 0 or (len(counted.layers) <= MOST_LAYERS and n <= MOST_MEMBERS)
                found += ({**fields, **row} for row in _levels(part, counted.sizes, chosen, full))
    return found


def _part(counted: tallies.Tallies, groups: tallies.Groups, chosen: np.ndarray, n: int) -> _Part:
    sizes, histograms = counted.sizes, [groups.histograms[at] for at in chosen]
    levels, chance = list(range(n + 1)), expected_histogram
    if n > MOST_LEVELS:
        levels, chance = [0, n], expected_ends
    expected, variance = np.zeros((len(sizes), len(levels))), np.zeros((len(sizes), 2))
    without = []
    total = np.sum(histograms, axis=0)
    for group, histogram in zip(chosen, histograms, strict=True):
        members = np.flatnonzero(groups.division.of == group)
        kept = counted.kept[:, members]
        expected += chance(sizes, kept)
        variance[:, 0] += common_variance(sizes, sizes[:, None] - kept)
        variance[:, 1] += common_variance(sizes, kept)
        ends = total[:, [0, n]] - histogram[:, [0, n]]
        own = np.stack(
            [histogram[:, :1] + groups.alone[:, members], histogram[:, n:] + groups.missing[:, members]], 1
        )
        without.append(ends[:, :, None] + own)
    return _Part(n, levels, chosen, total[:, levels], expected, variance, np.concatenate(without, axis=2))


def _levels(part: _Part, sizes: Int64[np.ndarray, " layers"], layers: slice, full: bool) -> Iterator[Row]:
    n, weights = part.members, int(sizes[layers].sum()) * len(part.groups)
    found, expected = part.found[layers].sum(axis=0), part.expected[layers].sum(axis=0)
    for at, level in enumerate(part.levels):
        if not full and level not in (0, n):
            continue
        share = int(found[at]) / weights
        row: Row = {"kept_by": level, "share": share, "chance": float(expected[at]) / weights}
        row |= {"chance_sd": None, "estimate": None}
        if level in (0, n):
            end = level // n
            row["chance_sd"] = math.sqrt(float(part.variance[layers, end].sum())) / weights
            row["estimate"] = _estimate(share, part.without[layers, end].sum(axis=0) / weights, n)
        yield row


def _estimate(share: float, without: Float64[np.ndarray, " units"], n: int) -> Row:
    units = len(without)
    if n < LEAST_MEMBERS:
        why = f"an interval needs groups of at least {LEAST_MEMBERS} masks; there are {n}"
        return estimates.estimate(share, math.nan, math.nan, method=METHOD, n=units, why=why)
    half = float(jackknife.with_width(jackknife.half_width(without), np.array(share)))
    ends, why = (share - half, share + half), jackknife.SAME if math.isnan(half) else ""
    return estimates.estimate(share, *ends, method=METHOD, n=units, why=why, limits=estimates.SHARE)
