"""How high is the barrier between two members, on every path between them?

One row per cell of populations, path and split. Which pairs are walked, as far as a limit allows: on `linear`
all cells, on the other paths those of pairs within one population (all cells where a path is possible within
none), in turn: one pair per cell, then a second, and so on. Only when all of these have their pairs, and
`TOGETHER` pairs of every other cell of the other paths fit as well, these follow; then further ones in turn.
Paths of one cell take the same pairs, as far as they are possible for them.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float64

from masklab.analysis import estimates
from masklab.errors import ConfigError
from masklab.landscape import barriers, paths
from masklab.landscape import pairs as pairing
from masklab.landscape.context import Context, Found, Row
from masklab.landscape.ends import State
from masklab.landscape.images import SPLITS
from masklab.landscape.tasks import Outcome, Task, own_key

SHARE = 0.6
KEYS = ("landscape",)

STRAIGHT = "linear"
"""The path that is walked in all cells."""

TOGETHER = 3
"""Pairs per cell below which the other paths are not walked across populations: fewer have no interval."""

LOOKED_AT = 200
"""Pairs per cell of which it is asked whether a path is possible for them."""

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class _Part:
    """A path in a cell.

    Attributes:
        name: The path's name.
        cell: The cell, with more pairs than are walked.
        pairs: Pairs that are walked if there is no limit, in the order in which they are added.
        of: How many there are that the path is possible for.
    """

    name: str
    cell: pairing.Cell
    pairs: list[Pair]
    of: int


@dataclass(frozen=True, eq=False)
class _Walk:
    """One pair, one order, one split; barriers of resamples as in `barriers.resampled`."""

    error: Float64[np.ndarray, " points"]
    loss: Float64[np.ndarray, " points"]
    errors: Float64[np.ndarray, "2 resamples"]
    losses: Float64[np.ndarray, "2 resamples"]


def plan(context: Context, evaluations: int | None) -> list[Task]:
    """Walks between pairs of members, interior points only.

    Raises:
        ConfigError: A path that was asked for by name is possible for no pair.
    """
    first, later = _in_order(context, _parts(context))
    together = [part.pairs[:TOGETHER] for part in later]
    steps = [
        *([step] for step in _in_turn(first)),
        *([[(part.name, pair) for part, own in zip(later, together, strict=True) for pair in own]]),
        *([step] for step in _in_turn(later, TOGETHER)),
    ]
    asked = [[task for name, pair in step for task in _tasks(context, name, pair)] for step in steps]
    costs = [sum(map(context.cost, tasks)) for tasks in asked]
    number = pairing.affordable(costs, evaluations, least=len(first))
    return [task for tasks in asked[:number] for task in tasks]


def _in_order(context: Context, parts: list[_Part]) -> tuple[list[_Part], list[_Part]]:
    """Parts that come first, and those that are walked only if there is room for all of them."""
    within = {part.name for part in parts if part.cell.a == part.cell.b}
    own = [part for part in parts if part.cell.a == part.cell.b]
    across = [part for part in parts if part.cell.a != part.cell.b]
    leading = [part for part in across if part.name == STRAIGHT or part.name not in within]
    return own + leading, [part for part in across if part not in leading]


def _in_turn(parts: list[_Part], start: int = 0) -> list[tuple[str, Pair]]:
    return pairing.in_turn([[(part.name, pair) for pair in part.pairs[start:]] for part in parts])


def _parts(context: Context) -> list[_Part]:
    """Every path in every cell that has a pair for it."""
    most = context.settings.interpolation_pairs
    looked_at = max(LOOKED_AT, most) if most else 0
    cells = pairing.sample(context.names, context.blocks, looked_at, context.archive.seed)
    asked = context.settings.paths
    found = []
    for name in asked or sorted(paths.all_paths(), key=lambda name: name != STRAIGHT):
        own = [part for cell in cells if (part := _part(context, name, cell, most))]
        if asked and cells and not own:
            why = paths.all_paths()[name].why_not(context.ends, *cells[0].pairs[0])
            raise ConfigError(f"path {name!r}: {why}")
        found += own
    return found


def _part(context: Context, name: str, cell: pairing.Cell, most: int) -> _Part | None:
    path = paths.all_paths()[name]
    possible = [pair for pair in cell.pairs if path.why_not(context.ends, *pair) is None]
    share = len(possible) / len(cell.pairs)  # of those looked at: exact where these are all
    return _Part(name, cell, possible[:most], max(1, round(share * cell.of))) if possible else None


def _orders(context: Context, name: str) -> int:
    return context.settings.path_orders if paths.all_paths()[name].RANDOM else 1


def _key(name: str, order: int, pair: Pair) -> str:
    return f"path/{name}/{order}/{pair[0]}/{pair[1]}"


def _tasks(context: Context, name: str, pair: Pair) -> Iterator[Task]:
    """Every order of a path between two members."""
    inner = len(context.grid) - 2
    for order in range(_orders(context, name)):
        build = partial(_states, context, name, order, pair)
        yield Task(_key(name, order, pair), inner, build, SPLITS, pair)


def _states(context: Context, name: str, order: int, pair: Pair, positions: Sequence[int]) -> State:
    path, (a, b) = paths.all_paths()[name], pair
    t = torch.tensor([context.grid[1 + at] for at in positions], device=context.device)
    random = partial(context.random, "path", name, str(order), a, b) if path.RANDOM else None
    return path.states(context.ends, context.ends.of(a), context.ends.of(b), t, random)


def found(context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
    """Rows of `landscape`, and of the table `interpolation`: one per point of each walk."""
    import threadpoolctl

    keys = {task.key for task in tasks}
    rows: list[Row] = []
    points: list[Row] = []
    with threadpoolctl.threadpool_limits(1):  # others would sum in another order
        shares = {
            split: barriers.resampling(context.images.number(split), context.random("bootstrap", split))
            for split in SPLITS
        }
        for part in _parts(context):
            pairs = [pair for pair in part.pairs if _key(part.name, 0, pair) in keys]
            orders = range(_orders(context, part.name))
            for split in SPLITS if pairs else ():
                walks = [
                    [
                        _walk(context, part.name, order, pair, split, outcomes, shares[split])
                        for order in orders
                    ]
                    for pair in pairs
                ]
                rows.append(_row(context, part, pairs, walks, split))
                points += _point_rows(context, part, pairs, walks, split)
    return Found(rows={KEYS[0]: rows}, tables={"interpolation": points})


def _walk(
    context: Context,
    name: str,
    order: int,
    pair: Pair,
    split: str,
    outcomes: Mapping[str, Outcome],
    shares: np.ndarray,
) -> _Walk:
    """What was measured on the way, the members' own answers at its ends."""
    all_of = [outcomes[own_key(pair[0])], outcomes[_key(name, order, pair)], outcomes[own_key(pair[1])]]
    wrong = np.concatenate([outcome.wrong(split) for outcome in all_of])
    losses = np.concatenate([outcome.losses[split] for outcome in all_of])
    grid = np.array(context.grid)
    return _Walk(
        wrong.mean(axis=1),
        losses.mean(axis=1, dtype=np.float64),
        barriers.resampled(wrong, grid, shares),
        barriers.resampled(losses, grid, shares),
    )


def _row(context: Context, part: _Part, pairs: list[Pair], walks: list[list[_Walk]], split: str) -> Row:
    cell, grid = part.cell, np.array(context.grid)
    error = np.array([[walk.error for walk in own] for own in walks])  # [pairs, orders, points]
    loss = np.array([[walk.loss for walk in own] for own in walks])
    heights = {
        "entezari_error": barriers.entezari(error, grid).mean(axis=1),
        "entezari_loss": barriers.entezari(loss, grid).mean(axis=1),
        "frankle_error": barriers.frankle(error).mean(axis=1),
        "frankle_loss": barriers.frankle(loss).mean(axis=1),
    }
    every = [walk for own in walks for walk in own]
    resamples = {
        "entezari_error": np.mean([walk.errors for walk in every], axis=0),
        "entezari_loss": np.mean([walk.losses for walk in every], axis=0),
    }
    rules = {paths.all_paths()[part.name].rule(context.ends, *pair) for pair in pairs}
    connected = (heights["entezari_error"] < barriers.CONNECTED).astype(float)
    labels = context.images.labels[split]
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
        "chance": float(np.bincount(labels).max() / len(labels)),
        "barrier": {
            name: barriers.over_masks(pairs, values, barriers.limits(name))
            for name, values in heights.items()
        },
        "over_images": {
            name: barriers.over_images(float(heights[name].mean()), values)
            for name, values in resamples.items()
        },
        "connected": barriers.over_masks(pairs, connected, estimates.SHARE),
        "threshold": barriers.CONNECTED,
    }


def _band(curves: Float64[np.ndarray, "pairs orders points"]) -> Row:
    """Mean over pairs and orders at each point, and the least and largest of them."""
    both = (0, 1)
    each = {"mean": curves.mean(both), "low": curves.min(both), "high": curves.max(both)}
    return {name: [estimates.number(value) for value in values] for name, values in each.items()}


def _point_rows(
    context: Context, part: _Part, pairs: list[Pair], walks: list[list[_Walk]], split: str
) -> Iterator[Row]:
    cell, orders = part.cell, range(len(walks[0]))
    for (pair, own), order in itertools.product(zip(pairs, walks, strict=True), orders):
        for at, t in enumerate(context.grid):
            yield {
                "a": cell.a,
                "b": cell.b,
                "block": cell.block,
                "seed": cell.seed,
                "member_a": pair[0],
                "member_b": pair[1],
                "path": part.name,
                "order": order,
                "split": split,
                "t": round(t, 9),
                "accuracy": 1 - float(own[order].error[at]),
                "loss": estimates.number(own[order].loss[at]),
            }
