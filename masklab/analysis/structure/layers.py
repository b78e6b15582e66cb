"""Where in a network masks keep weights, and where they differ: density and share of the distance per layer.

Source: leave-one-out jackknife of a ratio of sums over pairs (Efron and Stein, The jackknife estimate of
variance, Annals of Statistics 9, 1981; conservative near chance, where single masks explain nothing).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masklab.analysis import estimates, jackknife
from masklab.analysis.design import Design
from masklab.analysis.distances import Distances
from masklab.analysis.overlap import WHOLE
from masklab.analysis.structure import axes, table

DENSITY, DISTANCE_SHARE = "density", "distance_share"
"""Kept share of the weights; a layer's Hamming count ÷ that of the whole mask, each summed over pairs."""

METHOD = (
    "ratio of sums over pairs; leave-one-mask-out jackknife, t with n − 1 degrees of freedom, conservative "
    "near chance; for these weight draws"
)


def measure(layers: axes.Layers) -> table.Found:
    """Density of one member, per layer and in the whole mask.

    Chance is a random mask with the same kept count in the whole.

    Args:
        layers: Kept weights of each layer.
    """
    whole = sum(layer.kept for layer in layers.values()) / sum(layer.size for layer in layers.values())
    found: table.Found = {(WHOLE, DENSITY, None): table.One(whole, whole)}
    for name, layer in layers.items():
        found[name, DENSITY, None] = table.One(layer.kept / layer.size, whole)
    return found


@dataclass(frozen=True, eq=False)
class _Cell:
    """Pairs within one population that are summed together.

    Attributes:
        name: The population.
        block: `"within"` where both share a draw of base weights, else `"across"`.
        members: Places of the members that are in a pair.
        chosen: Which pairs of these members count, both ways round.
        sums: Per layer, each member's Hamming counts, summed over its pairs.
        expected: Per layer, the Hamming count that independent masks would show, summed over all pairs.
    """

    name: str
    block: str
    members: Int64[np.ndarray, " own"]
    chosen: Bool[np.ndarray, "own own"]
    sums: list[Float64[np.ndarray, " own"]] = field(default_factory=list)
    expected: list[float] = field(default_factory=list)


def shares(design: Design, distances: Distances) -> dict[str, list[table.Row]]:
    """Each layer's share of the distance within populations: population → rows, in the order of the layers.

    Rows carry `block`, as overlaps do, and `weight_share`, the layer's share of the weights, beside `chance`,
    its share of the distance between independent masks of the same kept counts.

    Args:
        design: The members.
        distances: Their intersection counts.
    """
    found = [cell for name in design.names for cell in _cells(design, name)]
    for layer in distances.layers:
        counts, kept, size = distances.hamming_count(layer), distances.kept(layer), distances.size(layer)
        for cell in found:
            own = kept[cell.members].astype(float)
            level = np.add.outer(own, own) - 2 * np.multiply.outer(own, own) / size
            pairs = np.where(cell.chosen, counts[np.ix_(cell.members, cell.members)], 0)
            cell.sums.append(pairs.sum(axis=1).astype(float))
            cell.expected.append(float(level[cell.chosen].sum()) / 2)
    return {
        name: [row for cell in found if cell.name == name for row in _rows(cell, distances)]
        for name in design.names
    }


def _cells(design: Design, name: str) -> Iterator[_Cell]:
    members = design.members(name)
    sharing = np.equal.outer(design.block[members], design.block[members])
    others = ~np.eye(len(members), dtype=bool)
    for block, pairs in (("within", sharing & others), ("across", ~sharing)):
        in_pair = pairs.any(axis=1)
        if in_pair.any():
            yield _Cell(name, block, members[in_pair], pairs[np.ix_(in_pair, in_pair)])


def _rows(cell: _Cell, distances: Distances) -> Iterator[table.Row]:
    by_member, expected = np.stack(cell.sums), math.fsum(cell.expected)
    by_layer = by_member.sum(axis=1) / 2  # each pair stands in the sums of both of its members
    total = by_layer.sum()
    value, half, why = np.full(len(by_layer), np.nan), np.full(len(by_layer), np.nan), "the masks are equal"
    if total > 0:
        value = by_layer / total
        half, why = _half_width(by_layer, by_member)
    for at, layer in enumerate(distances.layers):
        low, high = value[at] - half[at], value[at] + half[at]
        row = {
            "population": cell.name,
            "layer": layer,
            "metric": DISTANCE_SHARE,
            "axis": None,
            "block": cell.block,
            "weight_share": distances.size(layer) / distances.size(),
            "estimate": estimates.estimate(value[at], low, high, method=METHOD, n=len(cell.members), why=why),
            "chance": cell.expected[at] / expected if expected else None,
        }
        yield row if expected else {**row, "why": "every mask keeps all weights, or none"}


def _half_width(
    by_layer: Float64[np.ndarray, " layers"], by_member: Float64[np.ndarray, "layers own"]
) -> tuple[Float64[np.ndarray, " layers"], str]:
    """Half widths of the intervals, and why there are none."""
    units, undefined = by_member.shape[1], np.full(len(by_layer), np.nan)
    if units < jackknife.LEAST_UNITS:
        return undefined, f"an interval needs at least {jackknife.LEAST_UNITS} masks; there are {units}"
    without = by_layer[:, None] - by_member
    totals = without.sum(axis=0)
    if (totals <= 0).any():
        return undefined, "leaving out one mask leaves no pair, or none that differs"
    return jackknife.half_width(without / totals), ""
