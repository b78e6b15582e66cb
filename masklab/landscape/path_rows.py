"""What rows and tables say of the walks on one path in one cell of pairs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from masklab.analysis import estimates
from masklab.landscape import barriers, measures, paths
from masklab.landscape import pairs as pairing
from masklab.landscape.context import Context, Row

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Part:
    """A path in a cell.

    Attributes:
        name: The path's name.
        cell: The cell, with more pairs than are walked.
        pairs: Pairs that are walked if there is no limit, in the order in which they are added.
        of: How many there are that the path is possible for: counted where all pairs of the cell were looked
            at, else estimated from the share of those that were, a random sample.
    """

    name: str
    cell: pairing.Cell
    pairs: list[Pair]
    of: int


@dataclass(frozen=True, eq=False)
class Walk:
    """One pair, one order, one split; barriers of resamples as in `barriers.resampled`."""

    error: Float64[np.ndarray, " points"]
    loss: Float64[np.ndarray, " points"]
    errors: Float64[np.ndarray, "2 resamples"]
    losses: Float64[np.ndarray, "2 resamples"]


@dataclass(frozen=True, eq=False)
class Walked:
    """What was walked on a path in a cell, on one split.

    Attributes:
        part: The path in the cell.
        split: The split.
        pairs: Pairs.
        walks: Of each pair, its orders.
    """

    part: Part
    split: str
    pairs: list[Pair]
    walks: list[list[Walk]]

    @property
    def each(self) -> Iterator[tuple[Row, Walk]]:
        """What tables say of every walk first, and the walk."""
        cell = self.part.cell
        for pair, own in zip(self.pairs, self.walks, strict=True):
            for order, walk in enumerate(own):
                named: Row = {
                    "a": cell.a,
                    "b": cell.b,
                    "block": cell.block,
                    "seed": cell.seed,
                    "member_a": pair[0],
                    "member_b": pair[1],
                    "path": self.part.name,
                    "order": order,
                    "split": self.split,
                }
                yield named, walk


def row(context: Context, walked: Walked) -> Row:
    """The row of `landscape`."""
    part, cell, split = walked.part, walked.part.cell, walked.split
    pairs, walks = walked.pairs, walked.walks
    error = np.array([[walk.error for walk in own] for own in walks])  # [pairs, orders, points]
    loss = np.array([[walk.loss for walk in own] for own in walks])
    heights = {
        name: values.mean(axis=1) for name, values in barriers.of(error, loss, np.array(context.grid)).items()
    }
    every = [walk for own in walks for walk in own]
    resamples = {
        "entezari_error": np.mean([walk.errors for walk in every], axis=0),
        "entezari_loss": np.mean([walk.losses for walk in every], axis=0),
    }
    rules = {_rule(context, part, pair) for pair in pairs}
    connected = (heights["entezari_error"] < barriers.CONNECTED).astype(float)
    return {
        "a": cell.a,
        "b": cell.b,
        "path": part.name,
        "block": cell.block,
        "seed": cell.seed,
        "split": split,
        "rule": rules.pop() if len(rules) == 1 else "mixed",
        "statistics": context.statistics,
        "orders": len(walks[0]),
        "pairs": len(pairs),
        "of_pairs": part.of,
        "images": context.images.number(split),
        "of_images": context.images.of[split],
        "points": context.grid,
        "accuracy": _band(1 - error),
        "loss": _band(loss),
        "chance": measures.chance(context, split),
        "barrier": {
            name: measures.over_masks(pairs, values, barriers.limits(name))
            for name, values in heights.items()
        },
        "over_pairs": {name: _spread(values) for name, values in heights.items()},
        "over_images": {
            name: barriers.over_images(float(heights[name].mean()), values)
            for name, values in resamples.items()
        },
        "connected": measures.over_masks(pairs, connected, estimates.SHARE),
        "threshold": barriers.CONNECTED,
    }


def _spread(values: Float64[np.ndarray, " pairs"]) -> Row:
    """Least, middle and largest value over pairs; null what is not finite."""
    each = {"min": values.min(), "median": np.median(values), "max": values.max()}
    return {name: estimates.number(value) for name, value in each.items()}


def _band(curves: Float64[np.ndarray, "pairs orders points"]) -> Row:
    """Mean over pairs and orders at each point, and the least and largest of them."""
    both = (0, 1)
    each = {"mean": curves.mean(both), "low": curves.min(both), "high": curves.max(both)}
    return {name: [estimates.number(value) for value in values] for name, values in each.items()}


def points(context: Context, walked: Walked) -> Iterator[Row]:
    """Rows of the table `interpolation`: one per point of each walk."""
    for named, walk in walked.each:
        for t, error, loss in zip(context.grid, walk.error, walk.loss, strict=True):
            values = {"accuracy": 1 - float(error), "loss": estimates.number(loss)}
            yield {**named, "t": round(t, 9), **values}


def heights(context: Context, walked: Walked) -> Iterator[Row]:
    """Rows of the table `barriers`: one per walk."""
    for named, walk in walked.each:
        found = barriers.of(walk.error, walk.loss, np.array(context.grid)).items()
        rule = _rule(context, walked.part, (named["member_a"], named["member_b"]))
        yield {**named, "rule": rule, **{name: estimates.number(float(value)) for name, value in found}}


def _rule(context: Context, part: Part, pair: Pair) -> paths.Rule:
    return paths.all_paths()[part.name].rule(context.ends, *pair)
