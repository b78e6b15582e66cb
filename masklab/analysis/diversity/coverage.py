"""Union of masks: which share of the weights at least one of m masks keeps.

From the number of weights that exactly c of n masks keep, the mean over all subsets of m is exact: a weight
that c masks keep is missed by C(n−c, m) of the C(n, m) subsets.

Source: Hurlbert, The nonconcept of species diversity (Ecology 52, 1971), with weights for species.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int64

from masklab.analysis import estimates
from masklab.analysis.diversity import groups, rarefaction

METRIC = "coverage"

_EXACT = "the mean over all subsets of these masks; no interval"


def expected(kept_by: Int64[np.ndarray, " counts"]) -> Float64[np.ndarray, " counts"]:
    """Mean share of weights that at least one of m masks keeps, over all subsets of m = 0 … n masks.

    Args:
        kept_by: Number of weights that exactly c of the n masks keep, c = 0 … n.

    Examples:
        >>> expected(np.array([1, 2, 1])).tolist()  # two masks that share one of three weights of four
        [0.0, 0.5, 0.75]
    """
    n = len(kept_by) - 1
    missed = np.ones(n + 1)  # share of the subsets that miss a weight kept by c masks
    found = np.zeros(n + 1)
    for m in range(1, n + 1):
        # C(n−c, m) ÷ C(n, m) is that of m − 1 times (n − c − m + 1) ÷ (n − m + 1)
        missed = missed * np.maximum(n - np.arange(n + 1) - m + 1, 0) / (n - m + 1)
        found[m] = 1 - float((kept_by * missed).sum() / kept_by.sum())
    return found


def chance(
    sizes: Int64[np.ndarray, " layers"], kept: Int64[np.ndarray, "layers own"]
) -> Float64[np.ndarray, " counts"]:
    """The same for independent masks that keep as many weights of each layer.

    A weight is missed by all masks of a subset with the product of their shares pruned; the mean over subsets
    of m is an elementary symmetric mean, built up mask after mask.

    Args:
        sizes: Weights per layer.
        kept: Kept weights per layer and mask.
    """
    pruned = 1 - kept / sizes[:, None]
    layers, n = pruned.shape
    missed = np.zeros((layers, n + 1))
    missed[:, 0] = 1
    for members in range(1, n + 1):
        m = np.arange(1, members + 1)
        added = missed[:, :members] * pruned[:, members - 1, None] * (m / members)
        missed[:, 1 : members + 1] = missed[:, 1 : members + 1] * (1 - m / members) + added
    return 1 - (sizes @ missed) / sizes.sum()


def rows(
    group: groups.Group,
    sizes: Int64[np.ndarray, " layers"],
    kept: Int64[np.ndarray, "layers own"],
    kept_by: Mapping[str, Int64[np.ndarray, " counts"]],
) -> list[groups.Row]:
    """Rows like those of `rarefaction`, for groups of one part, with their `chance`.

    Args:
        group: Whose masks.
        sizes: Weights per layer.
        kept: Kept weights per layer and member of the group.
        kept_by: Population → number of weights that exactly c of its masks keep.
    """
    histogram = kept_by.get(group.population)
    if histogram is None or len(group.parts) != 1:
        return []
    observed, level = expected(histogram), chance(sizes, kept)
    method = groups.said(group, "mean over all subsets, exact")
    return [
        {
            "population": group.population,
            "block": group.block,
            "metric": METRIC,
            "size": m,
            "estimate": estimates.estimate(
                float(observed[m]), np.nan, np.nan, method=method, n=m, why=_EXACT
            ),
            "null": None,
            "chance": float(level[m]),
            "members": group.members,
        }
        for m in rarefaction.sizes(group.members)
    ]
