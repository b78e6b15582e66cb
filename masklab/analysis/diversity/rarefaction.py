"""Rarefaction: what fewer masks would show, and so whether more masks would still add something.

A curve that flattens says that further masks are like those at hand; one that follows the diagonal, as that
of matched random masks does, says that every mask is new.

Source: Hurlbert, The nonconcept of species diversity (Ecology 52, 1971); Gotelli and Colwell, Quantifying
biodiversity (Ecology Letters 4, 2001).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from masklab import seeds
from masklab.analysis import estimates
from masklab.analysis.diversity import groups, neighbours, vendi

METRICS = ("vendi", "distinct")

SUBSETS = 100
"""Random subsets per size."""

SUBSETS_OF_TWINS = 10
"""Random subsets per size of each set of matched random masks."""

LARGEST = 512
"""Largest subset."""

Square = Float64[np.ndarray, "members members"]
Counts = Int64[np.ndarray, "members members"]

_UNDEFINED = "a mask keeps every weight, or none, of every layer, so that its bits correlate with nothing"
_SUBSETS = "subsets of the masks at hand: no interval"
_EXACT = "there is only one subset of all masks"


def sizes(members: int) -> list[int]:
    """Sizes of subsets: powers of two and the whole, up to `LARGEST`.

    Examples:
        >>> sizes(12), sizes(1)
        ([1, 2, 4, 8, 12], [1])
    """
    powers = [2**at for at in range(members.bit_length()) if 2**at < members]
    return [size for size in (*powers, members) if size <= LARGEST]


def rows(
    group: groups.Group,
    kernels: Sequence[Square],
    counts: Sequence[Counts],
    seed: int,
) -> list[groups.Row]:
    """Rows `{population, block, metric, size, estimate, null, members, subsets}`, by metric and size.

    A subset is drawn within one part, from each of those that are large enough in turn; those of growing size
    are nested. `subsets` is `{low, high, n}`, quantiles over the subsets of the masks at hand, which are no
    interval for other masks; None where all masks are taken, or where there is no value.

    Args:
        group: Whose masks.
        kernels: φ of all members of the design: of their masks first, then of matched random ones.
        counts: Hamming distances as numbers of bits, likewise.
        seed: The study's seed.
    """
    random = seeds.stream(seed, "split", layer=f"analysis/rarefaction/{group.population}/{group.block}")
    orders = [[random.permutation(part) for part in group.parts] for _ in range(SUBSETS)]
    copies = [_labels(group, own) for own in counts]
    found: dict[str, list[groups.Row]] = {metric: [] for metric in METRICS}
    for size in sizes(max(len(part) for part in group.parts)):
        whole = [part for part in group.parts if len(part) == size]
        exact = max(len(part) for part in group.parts) == size
        subsets = np.stack(whole) if exact else _subsets(orders, size)
        few = subsets if exact else subsets[:SUBSETS_OF_TWINS]
        scores = [_scores(kernel, few if at else subsets) for at, kernel in enumerate(kernels)]
        numbers = [_distinct(label, few if at else subsets) for at, label in enumerate(copies)]
        for metric, (observed, *twins) in zip(METRICS, (scores, numbers), strict=True):
            null = [float(twin.mean()) for twin in twins]
            row = groups.row(group, metric, _estimate(group, observed, size, exact), null)
            found[metric].append({**row, "size": size, "subsets": None if exact else _spread(observed)})
    return [row for metric in METRICS for row in found[metric]]


def _labels(group: groups.Group, counts: Counts) -> Int64[np.ndarray, " members"]:
    """Number of the group of equal masks of each member of the design that is in a part."""
    found = np.arange(len(counts))
    for part in group.parts:
        found[part] = part[neighbours.labels(groups.submatrix(counts, part))]
    return found


def _subsets(orders: list[list[groups.Places]], size: int) -> Int64[np.ndarray, "subsets size"]:
    """First members of every order, of one large enough part after the other."""
    chosen = []
    for at, parts in enumerate(orders):
        large = [part for part in parts if len(part) >= size]
        chosen.append(large[at % len(large)][:size])
    return np.stack(chosen)


def _scores(kernel: Square, subsets: Int64[np.ndarray, "subsets size"]) -> Float64[np.ndarray, " subsets"]:
    """Vendi score of every subset."""
    return np.array([vendi.score(groups.submatrix(kernel, subset)) for subset in subsets])


def _distinct(
    labels: Int64[np.ndarray, " members"], subsets: Int64[np.ndarray, "subsets size"]
) -> Float64[np.ndarray, " subsets"]:
    """Number of distinct masks in every subset."""
    ordered = np.sort(labels[subsets], axis=1)
    return 1.0 + (np.diff(ordered, axis=1) != 0).sum(axis=1)


def _estimate(
    group: groups.Group, values: Float64[np.ndarray, " subsets"], size: int, exact: bool
) -> groups.Row:
    method = "of all masks" if exact else f"mean over {len(values)} random subsets"
    why = _EXACT if exact else _SUBSETS
    if not np.isfinite(values).all():
        why = _UNDEFINED
    return estimates.estimate(
        float(values.mean()), np.nan, np.nan, method=groups.said(group, method), n=size, why=why
    )


def _spread(values: Float64[np.ndarray, " subsets"]) -> groups.Row | None:
    """Quantiles over subsets; None where the values are undefined."""
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - estimates.LEVEL) / 2, (1 + estimates.LEVEL) / 2])
    return {"low": float(low), "high": float(high), "n": len(values)}
