"""Distances between members for the heat map: cell by cell, or between groups where there are many."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from masklab.report import load
from masklab.report.explorer import data

MOST = 120
"""Rows of the heat map; with more members than that, rows are groups of them."""

_LEVELS = 65_534
_NOTHING = 65_535


@dataclass(frozen=True)
class Cells:
    """The heat map.

    Attributes:
        groups: Places of the members in each row, in clustered order; one each where none are aggregated.
        document: What the script gets: `groups`; `low` and `step`, with which a value is `low + step · q`;
            `values`, the q of the upper triangle row by row with its diagonal, as little-endian 16-bit
            numbers in base64, 65,535 where there is no pair; `chance`, by populations.
        low: Smallest value.
        high: Largest value.
    """

    groups: list[list[int]]
    document: data.Document
    low: float
    high: float

    @property
    def aggregated(self) -> bool:
        """Whether a row stands for more than one member."""
        return any(len(group) > 1 for group in self.groups)


def make(analysis: load.Analysis) -> Cells | None:
    """The heat map, or None with fewer than two members that are compared."""
    distances = analysis.distances
    if distances is None or len(distances.ids) < 2:
        return None
    order = _clustered(distances.hamming)
    groups = _grouped(analysis, [distances.ids[place] for place in order])
    at = {name: place for place, name in enumerate(distances.ids)}
    means = _means(distances.hamming, [[at[name] for name in group] for group in groups])
    upper = means[np.triu_indices(len(groups))]
    low, high = float(np.nanmin(upper)), float(np.nanmax(upper))
    step = (high - low) / _LEVELS
    levels = np.rint((upper - low) / step) if step > 0.0 else upper - low
    packed = np.where(np.isnan(levels), _NOTHING, levels).astype("<u2")
    known = {name: place for place, name in enumerate(analysis.members)}
    placed = [[known[name] for name in group] for group in groups]
    document = {
        "groups": placed,
        "low": low,
        "step": step,
        "values": base64.b64encode(packed.tobytes()).decode(),
        "chance": _chance(analysis),
    }
    return Cells(placed, document, low, high)


def _clustered(hamming: Float64[np.ndarray, "members members"]) -> list[int]:
    """Rows in the order of the leaves of the average-linkage tree."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    tree = hierarchy.linkage(squareform(hamming, checks=False), method="average")
    return hierarchy.leaves_list(tree).tolist()


def _grouped(analysis: load.Analysis, ids: Sequence[str]) -> list[list[str]]:
    """Members in clustered order, in groups of neighbours where there are more than `MOST`.

    A group is of one population and one draw of base weights; of one population alone where even these are
    more than `MOST`. Groups are as small as they can be, and stand where their members stand on average.
    """
    if len(ids) <= MOST:
        return [[name] for name in ids]
    cells: dict[tuple[str, int], list[str]] = {}
    for name in ids:
        member = analysis.members[name]
        cells.setdefault((member.population, member.block), []).append(name)
    if len(cells) > MOST:
        whole: dict[tuple[str, int], list[str]] = {}
        for name in ids:
            whole.setdefault((analysis.members[name].population, 0), []).append(name)
        cells = whole
    sizes = [len(cell) for cell in cells.values()]
    size = next(
        (size for size in range(2, max(sizes)) if sum(-(-count // size) for count in sizes) <= MOST),
        max(sizes),
    )
    groups = [
        [str(name) for name in part]
        for cell in cells.values()
        for part in np.array_split(np.array(cell, dtype=object), -(-len(cell) // size))
    ]
    at = {name: place for place, name in enumerate(ids)}
    return sorted(groups, key=lambda group: (float(np.mean([at[name] for name in group])), group))


def _means(
    hamming: Float64[np.ndarray, "members members"], groups: Sequence[Sequence[int]]
) -> Float64[np.ndarray, "groups groups"]:
    """Mean distance over all pairs of different members of two groups, NaN where there is no such pair."""
    inside = np.zeros((len(groups), len(hamming)))
    for row, group in enumerate(groups):
        inside[row, group] = 1.0
    sizes = inside.sum(1)
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    sums = inside @ (hamming - np.diag(np.diag(hamming))) @ inside.T
    return np.divide(sums, pairs, out=np.full_like(sums, np.nan), where=pairs > 0.0)


def _chance(analysis: load.Analysis) -> list[list[float | None]]:
    """Hamming distance of independent masks with the same kept counts, by two populations."""
    at = {name: place for place, name in enumerate(analysis.names)}
    levels: list[list[float | None]] = [[None] * len(at) for _ in at]
    for row in analysis.results.overlap:
        if row.metric == "hamming" and row.layer == load.WHOLE and row.chance is not None:
            a, b = at[row.a], at[row.b]
            levels[a][b] = levels[b][a] = round(row.chance, 6)
    return levels
