"""What masks look like: where they keep weights, which, and what is left connected.

One file per statistic. Each looks at one member at a time: its `measure` gives the values of one member with
their chance levels, and `table` makes means over members of them.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from masklab import archive as archives
from masklab.analysis.design import Design
from masklab.analysis.distances import Distances
from masklab.analysis.overlap import WHOLE
from masklab.analysis.structure import axes, dead, layers, paths, rates, table, weights

Row = dict[str, Any]
Arrays = dict[str, Float64[np.ndarray, " _"]]


def measure(
    archive: archives.Archive, design: Design, distances: Distances | None
) -> tuple[list[Row], Arrays]:
    """Everything about the structure of stored masks.

    Linear in the members. One member is in memory at a time, and one draw of base weights.

    Args:
        archive: Where they are stored.
        design: Which members, by population and draw of base weights.
        distances: Their intersection counts, members in the order of the design; None: no layer's share of
            the distance is measured.

    Returns:
        Rows `{population, layer, metric, axis, estimate, chance}` ordered by population, layer (`"whole"`,
        then the network's order) and metric. `axis` is `output` (filters), `input`, `kernel` (positions of a
        convolution), or None; `chance` is what random masks of the same kept counts show. `why` says why
        `chance` is None, or how many members a mean is without. Simulated chance levels have their
        distribution as `null`; shares of the distance have `block` and `weight_share` (see `layers.shares`).
        Also the mean keep rates over members, in [0, 1], by `<population>/<layer>/<axis>`.

    Raises:
        ArchiveError: A member is missing or damaged.
    """
    along, draws = paths.chain(archive.study), weights.Draws()
    found, sums = table.Table(design, simulated=paths.METRICS, rare=(*dead.METRICS, *paths.METRICS)), {}
    twins = {place for name in design.names for place in design.members(name)[: paths.TWINS].tolist()}
    for place in np.lexsort((design.population, design.block)).tolist():  # equal draws follow each other
        member = archive.member(design.ids[place])
        masks = member.mask()
        counts = {name: axes.count(mask) for name, mask in masks.items()}
        twin = None
        if along.layers and place in twins:
            twin = paths.random_twin(counts, along, archive.seed, member.id)
        found.add(place, layers.measure(counts))
        found.add(place, rates.measure(counts))
        found.add(place, dead.measure(counts))
        found.add(place, paths.measure(counts, along, twin))
        found.add(place, draws.measure(member, masks))
        for (layer, axis), rate in rates.vectors(counts).items():
            key = f"{design.names[design.population[place]]}/{layer}/{axis}"
            sums[key] = sums.get(key, 0.0) + rate
    shares = {} if distances is None else layers.shares(design, distances)
    rows = []
    for name in design.names:
        for layer in (WHOLE, *(own["name"] for own in archive.study["network"]["layers"])):
            rows += found.rows(name, layer)
            rows += [row for row in shares.get(name, []) if row["layer"] == layer]
    return rows, _means(sums, design)


def _means(sums: Arrays, design: Design) -> Arrays:
    """Mean keep rates, in the order of the populations."""
    return {
        key: total / len(design.members(name))
        for name in design.names
        for key, total in sums.items()
        if key.rsplit("/", 2)[0] == name
    }
