"""Do masks fall into groups by themselves, and are these the pruners?

Average linkage on √Hamming is cut at the number of populations; HDBSCAN finds the number itself and leaves
noise. Both are compared with the labels of the populations and with the draws of base weights: over several
draws these, and not the pruners, are what a clustering finds first. Beside each value stands the same of
random masks with the same kept counts (twins), and for populations also what exchanged labels would give.

Source: Sokal and Rohlf, The comparison of dendrograms by objective methods (Taxon 11, 1962); Hubert and
Arabie, Comparing partitions (Journal of Classification 2, 1985); Campello, Moulavi and Sander, Density-based
clustering based on hierarchical density estimates (PAKDD 2013).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import estimates
from masklab.analysis.between import permutations
from masklab.analysis.design import Design
from masklab.analysis.distances import Distances
from masklab.analysis.nulls import summary

LEAST_MEMBERS = 3
"""Members below which there is no clustering."""

LARGEST_MINIMUM = 5
"""Members of a cluster that HDBSCAN asks for, where populations are large enough."""


_NO_INTERVAL = "no interval: a clustering jumps where one mask is left out; compare with the null"

Row = dict[str, Any]
Square = Float64[np.ndarray, "members members"]
Labels = Int64[np.ndarray, " members"]


def rows(design: Design, distances: Distances, twins: Sequence[Distances], seed: int) -> list[Row]:
    """Quality of both clusterings and their agreement with populations and draws of base weights.

    Args:
        design: Who is clustered.
        distances: Their intersection counts.
        twins: The same of random masks with the same kept counts.
        seed: Seed of the drawn relabelings.
    """
    if not len(design):
        return []
    if len(design) < LEAST_MEMBERS:
        return [_missing(design, method) for method in ("average-linkage", "hdbscan")]
    minimum, note = _minimum(design)
    relabelings = permutations.of(design, seed)
    null = [_clusterings(design, twin.hamming(), minimum) for twin in twins]
    found = []
    for at, (method, parts, values) in enumerate(_clusterings(design, distances.hamming(), minimum)):
        for quantity, against in values:
            row = {
                "method": method,
                "quantity": quantity,
                "against": against,
                **_value(values[quantity, against], len(design)),
                "null": summary.of([one[at][2][quantity, against] for one in null]),
                "parameters": {"clusters": len(design.names)}
                if method == "average-linkage"
                else {"min_cluster_size": minimum, "why": note},
            }
            found.append(row | _exchanged(row, parts, relabelings))
    return found


def adjusted_rand(clusters: Labels, labels: permutations.Batch) -> Float64[np.ndarray, " permutations"]:
    """Adjusted Rand index of one clustering with several labelings of equal sizes; NaN where all are trivial.

    Args:
        clusters: Cluster of each member, from 0.
        labels: Labelings, from 0.

    Examples:
        >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([[1, 1, 0, 0], [0, 1, 0, 1]])).round(6).tolist()
        [1.0, -0.5]
    """
    member = np.eye(clusters.max() + 1)[clusters]
    together = np.zeros(len(labels))
    for label in np.unique(labels[0]):
        together += _pairs((labels == label) @ member).sum(axis=1)
    own, other = _pairs(member.sum(axis=0)).sum(), _pairs(np.bincount(labels[0])).sum()
    expected = own * other / math.comb(len(clusters), 2)
    most = (own + other) / 2
    if most == expected:
        return np.full(len(labels), np.nan)
    return (together - expected) / (most - expected)


def _pairs(count: np.ndarray) -> np.ndarray:
    return count * (count - 1) / 2


def _clusterings(
    design: Design, hamming: Square, minimum: int
) -> list[tuple[str, Labels, dict[tuple[str, str | None], float]]]:
    """Method, clusters and every quantity of both methods."""
    distance = np.sqrt(hamming)
    cut, correlation = linked(distance, len(design.names))
    dense = _dense(distance, minimum)
    noise = dense < 0
    alone = dense.copy()
    alone[noise] = dense.max() + 1 + np.arange(noise.sum())  # noise belongs to no cluster, not to one
    return [
        (
            "average-linkage",
            cut,
            {("cophenetic_correlation", None): correlation} | _agreement(design, cut),
        ),
        (
            "hdbscan",
            alone,
            {("clusters", None): float(dense.max() + 1), ("noise", None): float(noise.mean())}
            | _agreement(design, alone),
        ),
    ]


def _agreement(design: Design, clusters: Labels) -> dict[tuple[str, str | None], float]:
    _, block = np.unique(design.block, return_inverse=True)
    return {
        ("adjusted_rand_index", "population"): _agreeing(clusters, design.population),
        ("adjusted_rand_index", "block"): _agreeing(clusters, block),
    }


def _agreeing(clusters: Labels, labels: Labels) -> float:
    """NaN for a single label: nothing could agree with it."""
    return float(adjusted_rand(clusters, labels[None])[0]) if labels.max() > 0 else math.nan


def linked(distance: Square, clusters: int) -> tuple[Labels, float]:
    """Clusters by average linkage, and the cophenetic correlation; NaN where all distances are equal."""
    from scipy.cluster import hierarchy
    from scipy.spatial import distance as spatial

    condensed = spatial.squareform(distance, checks=False)
    tree = hierarchy.linkage(condensed, "average")
    heights = hierarchy.cophenet(tree)
    constant = min(np.ptp(condensed), np.ptp(heights)) <= 1e-12 * condensed.max()
    correlation = math.nan if constant else float(np.corrcoef(condensed, heights)[0, 1])
    parts = hierarchy.cut_tree(tree, n_clusters=min(clusters, len(distance)))[:, 0]
    return parts.astype(np.int64), correlation


def _dense(distance: Square, minimum: int) -> Labels:
    """Clusters by HDBSCAN; −1 is noise."""
    from sklearn import cluster

    settings: dict[str, Any] = {"metric": "precomputed", "min_cluster_size": minimum, "copy": True}
    found = cluster.HDBSCAN(**settings).fit(distance)
    return found.labels_.astype(np.int64)


def _minimum(design: Design) -> tuple[int, str]:
    """Least members of a cluster, and why they are fewer than `LARGEST_MINIMUM`; empty if they are not."""
    _, sizes = np.unique(np.stack([design.population, design.block]), axis=1, return_counts=True)
    smallest = int(sizes.min())
    if smallest >= LARGEST_MINIMUM:
        return LARGEST_MINIMUM, ""
    counted = f"{smallest} member{'s' * (smallest != 1)}"
    return max(2, smallest), f"a population has {counted} on a draw of base weights"


def _value(value: float, n: int) -> Row:
    why = _NO_INTERVAL if math.isfinite(value) else "all distances, labels or clusters are equal"
    return {"estimate": estimates.estimate(value, math.nan, math.nan, method="value", n=n, why=why)}


def _exchanged(row: Row, clusters: Labels, relabelings: permutations.Relabelings) -> Row:
    """Test of the agreement with populations; the reason where there is none."""
    value = row["estimate"]["value"]
    if row["against"] != "population":
        return permutations.NONE | {"why": "labels of populations only are exchanged; compare with the null"}
    if value is None:
        return permutations.NONE | {"why": row["estimate"]["why"]}
    outcome = relabelings.test(value, lambda labels: adjusted_rand(clusters, labels))
    found = {**outcome.fields(), "chance": outcome.chance}
    return found | ({"why": outcome.why} if outcome.why else {})


def _missing(design: Design, method: str) -> Row:
    counted = f"{len(design)} member{'s' * (len(design) != 1)}"
    why = f"a clustering needs at least {LEAST_MEMBERS} members; there are {counted}"
    nothing = estimates.estimate(math.nan, math.nan, math.nan, method="value", n=len(design), why=why)
    row = {"method": method, "quantity": None, "against": None, "estimate": nothing, "null": None}
    return row | {"parameters": {}} | permutations.NONE | {"why": why}
