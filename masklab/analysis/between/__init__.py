"""How pruners differ: in where their masks lie, how widely they spread, how accurate they are, as clusters.

All tests exchange labels of populations between members of equal seeds, where these are known
(`permutations`). With several draws of base weights one stratified test over all of them is given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from masklab.analysis.between import clustering, paired, pairwise, permanova, permdisp
from masklab.analysis.design import Design
from masklab.analysis.distances import Distances
from masklab.errors import DataError

Row = dict[str, Any]


def rows(
    design: Design,
    distances: Distances,
    accuracies: Mapping[str, float | None],
    twins: Sequence[Distances],
    seed: int,
) -> dict[str, list[Row]]:
    """Tests of all populations together and of every pair, and clusterings.

    `tests`: `verdicts.row` of "permanova", "permdisp" and "accuracy"; `adjusted_p` is over the pairs of one
    test.
    `clusters`: `{"method", "quantity", "against" ("population", "block" or null), "estimate", "null" (twins),
    "chance", "p", "smallest_p", "permutations", "exact", "parameters", "why"?}`.

    Args:
        design: Who is compared.
        distances: Intersection counts of the same members in the same order.
        accuracies: Member id → accuracy; None, or no entry, where it is not known.
        twins: Intersection counts of random masks with the same kept counts, one per set of twins.
        seed: Seed of the drawn relabelings.

    Raises:
        DataError: The distances are not those of the design's members.
    """
    for each in (distances, *twins):
        if len(each.ids) != len(design):
            raise DataError(f"distances of {len(each.ids)} members; the design has {len(design)}")
    if distances.ids != design.ids:
        raise DataError("distances are not in the order of the design's members")
    if not len(design):
        return {"tests": [], "clusters": []}
    squared = distances.hamming()
    tests = [
        *pairwise.rows(permanova.row, design, squared, seed),
        *pairwise.rows(permdisp.row, design, squared, seed),
        *paired.rows(design, accuracies, seed),
    ]
    return {"tests": tests, "clusters": clustering.rows(design, distances, twins, seed)}
