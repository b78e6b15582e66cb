"""Overlap of masks within and between populations, each value with its chance level beside it."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from masklab.analysis import chance, estimates, jackknife
from masklab.analysis.distances import Distances

METRICS = ("hamming", "jaccard", "jaccard_similarity", "chance_corrected")
"""Hamming and Jaccard distance, Jaccard similarity, and (I − E) ÷ (I_max − E) of the intersection."""

WHOLE = "whole"
"""Name of the whole mask where a layer's name may stand."""

METHOD = (
    "mean over pairs; leave-one-mask-out jackknife, t with n − 1 degrees of freedom; for these weight draws"
)

_UNDEFINED = "in at least one pair a mask keeps every weight, or none, so that only one overlap is possible"

Row = dict[str, Any]
Matrices = Float64[np.ndarray, "metrics members members"]


@dataclass(frozen=True, eq=False)
class _Cell:
    """Pairs that are averaged together: members `rows` × members `columns`, where `chosen`."""

    a: str
    b: str
    block: str
    seed: str
    rows: Int64[np.ndarray, " rows"]
    columns: Int64[np.ndarray, " columns"]
    chosen: Bool[np.ndarray, "rows columns"]


def rows(
    populations: Sequence[str],
    distances: Distances,
    blocks: Mapping[str, int],
    unpaired: Collection[str] = (),
) -> list[Row]:
    """Every pair of populations, layer and metric, split by shared base weights and by shared seeds.

    Pairs of distinct members only. `block` is `"within"` where both share a draw of base weights, `seed` is
    `"same"` where they have the same index in two populations. Cells without pairs are left out. Rows are
    ordered by populations, layer (`"whole"`, then the network's order), metric, block and seed.

    Args:
        populations: Names in the study's order.
        distances: Intersection counts of the stored members.
        blocks: Member id → draw of base weights.
        unpaired: Populations whose members share no seeds with those of equal index elsewhere.
    """
    indices = _units(distances.ids, unpaired)
    cells = list(_cells(populations, distances.ids, blocks, indices))
    found = []
    for place, layer in enumerate((None, *distances.layers)):
        observed, expected = _matrices(distances, layer)
        for number, cell in enumerate(cells):
            for metric, row in enumerate(_cell_rows(cell, layer or WHOLE, observed, expected, indices)):
                order = (populations.index(cell.a), populations.index(cell.b), place, metric, number)
                found.append((order, row))
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def _units(ids: Sequence[str], unpaired: Collection[str]) -> Int64[np.ndarray, " members"]:
    """Number of the seeds of each member: its index, or one of its own in an unpaired population."""
    named = [member.rpartition("/") for member in ids]
    found = {int(index) for name, _, index in named if name not in unpaired}
    free = max(found, default=-1) + 1
    return np.array(
        [free + place if name in unpaired else int(index) for place, (name, _, index) in enumerate(named)],
        dtype=np.int64,
    )


def _cells(
    populations: Sequence[str],
    ids: Sequence[str],
    blocks: Mapping[str, int],
    indices: Int64[np.ndarray, " members"],
) -> Iterator[_Cell]:
    population_of = np.array([member.rpartition("/")[0] for member in ids])
    block_of = np.array([blocks[member] for member in ids])
    for a, b in itertools.combinations_with_replacement(populations, 2):
        first, second = np.flatnonzero(population_of == a), np.flatnonzero(population_of == b)
        pairs = np.ones((len(first), len(second)), dtype=bool)
        if a == b:
            pairs = np.triu(pairs, 1)
        sharing = np.equal.outer(block_of[first], block_of[second])
        paired = np.equal.outer(indices[first], indices[second])
        for block, in_block in (("within", sharing), ("across", ~sharing)):
            for seed, with_seed in (("same", paired), ("different", ~paired)):
                chosen = pairs & in_block & with_seed
                if chosen.any():
                    yield _Cell(a, b, block, seed, first, second, chosen)


def _matrices(distances: Distances, layer: str | None) -> tuple[Matrices, Matrices]:
    """Observed values and chance levels of all pairs, in the order of `METRICS`."""
    sizes, intersections = distances.strata(layer)
    kept = np.ascontiguousarray(intersections.diagonal(axis1=1, axis2=2))
    corrected = chance.corrected(sizes, intersections)
    similarity = chance.expected_jaccard_similarity(sizes, kept)
    observed = (
        distances.hamming(layer),
        distances.jaccard(layer),
        distances.jaccard_similarity(layer),
        corrected,
    )
    expected = (
        chance.expected_hamming(sizes, kept),
        1 - similarity,
        similarity,
        np.where(np.isnan(corrected), np.nan, 0.0),
    )
    return np.stack(observed), np.stack(expected)


def _cell_rows(
    cell: _Cell, layer: str, observed: Matrices, expected: Matrices, indices: Int64[np.ndarray, " members"]
) -> Iterator[Row]:
    where = (slice(None), cell.rows[:, None], cell.columns)
    means = jackknife.mean_over_pairs(observed[where], cell.chosen, indices[cell.rows], indices[cell.columns])
    levels = expected[where][:, cell.chosen].mean(axis=1)
    for at, metric in enumerate(METRICS):
        value, low, high = means.value[at], means.low[at], means.high[at]
        yield {
            "a": cell.a,
            "b": cell.b,
            "layer": layer,
            "metric": metric,
            "block": cell.block,
            "seed": cell.seed,
            "estimate": estimates.estimate(
                value,
                low,
                high,
                method=METHOD,
                n=means.units,
                why=_UNDEFINED if np.isnan(value) else means.why,
            ),
            "chance": estimates.number(levels[at]),
            "pairs": means.pairs,
        }
