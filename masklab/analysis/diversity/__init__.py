"""How many masks really: effective number, rarefaction, nearest neighbours, intrinsic dimension.

Everything is per population, first among masks of equal base weights, then of all (see `groups`), and has
beside it what matched random masks show: as many, with the same kept counts per layer.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64

from masklab.analysis import design as designs
from masklab.analysis import distances as distance_measures
from masklab.analysis.diversity import coverage, dimension, groups, neighbours, rarefaction, vendi

Row = groups.Row


def rows(
    design: designs.Design,
    distances: distance_measures.Distances,
    twins: Sequence[distance_measures.Distances],
    seed: int,
    kept_by: Mapping[str, Int64[np.ndarray, " counts"]] | None = None,
) -> dict[str, list[Row]]:
    """Rows of `diversity` and `rarefaction`, ordered by population, block and metric.

    `diversity`: `{population, block, metric, estimate, null, members}`; `rarefaction`: the same with `size`,
    and with `chance` where the metric is `coverage`. `null` is `{mean, low, high, n, range}` over the twins;
    where it is None, `why` says so.

    Args:
        design: The members, in the order of the distances.
        distances: Intersection counts.
        twins: Intersection counts of matched random masks, each like `distances`.
        seed: The study's seed.
        kept_by: Population → number of weights that exactly c of its masks keep, c = 0 … n; without it there
            is no coverage.
    """
    found: dict[str, list[Row]] = {"diversity": [], "rarefaction": []}
    if not len(design):
        return found
    everything = (distances, *twins)
    kernels = [vendi.kernel(*one.strata()) for one in everything]
    counts = [np.asarray(one.hamming_count(), dtype=np.int64) for one in everything]
    layer_sizes, shared = distances.strata()
    kept = np.asarray(shared.diagonal(axis1=1, axis2=2), dtype=np.int64)
    for group in groups.of(design):
        found["diversity"] += [
            *vendi.rows(group, kernels[0], kernels[1:]),
            *neighbours.rows(group, distances.size(), counts[0], counts[1:]),
            *dimension.rows(group, counts[0], counts[1:]),
        ]
        found["rarefaction"] += rarefaction.rows(group, kernels, counts, seed)
        found["rarefaction"] += coverage.rows(
            group, layer_sizes, kept[:, np.concatenate(group.parts)], kept_by or {}
        )
    return found
