"""How high is the barrier between two members, on every path between them?

One row per cell of populations, path and split. Which pairs are walked, as far as a limit allows: on `linear`
all cells, on the other paths those of pairs within one population (all cells where a path is possible within
none), in turn: one pair per cell, then a second, and so on. Only when all of these have their pairs, and
`TOGETHER` pairs of every other cell of the other paths fit as well, these follow; then further ones in turn.
Paths of one cell take the same pairs, as far as they are possible for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from masklab.errors import ConfigError
from masklab.landscape import barriers, once, path_rows, paths, sampling
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
"""Pairs per cell, a random sample, of which it is asked whether a path is possible for them."""

Pair = path_rows.Pair


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
    asked = ([task for name, pair in step for task in _tasks(context, name, pair)] for step in steps)
    return sampling.beginning(context, asked, evaluations, least=len(first))


def _in_order(
    context: Context, parts: list[path_rows.Part]
) -> tuple[list[path_rows.Part], list[path_rows.Part]]:
    """Parts that come first, and those that are walked only if there is room for all of them."""
    within = {part.name for part in parts if part.cell.a == part.cell.b}
    own = [part for part in parts if part.cell.a == part.cell.b]
    across = [part for part in parts if part.cell.a != part.cell.b]
    leading = [part for part in across if part.name == STRAIGHT or part.name not in within]
    return own + leading, [part for part in across if part not in leading]


def _in_turn(parts: list[path_rows.Part], start: int = 0) -> list[tuple[str, Pair]]:
    return sampling.in_turn([[(part.name, pair) for pair in part.pairs[start:]] for part in parts])


@once.per_context
def _parts(context: Context) -> list[path_rows.Part]:
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


def _part(context: Context, name: str, cell: pairing.Cell, most: int) -> path_rows.Part | None:
    path = paths.all_paths()[name]
    possible = [pair for pair in cell.pairs if path.why_not(context.ends, *pair) is None]
    share = len(possible) / len(cell.pairs)  # of those looked at: exact where these are all
    return path_rows.Part(name, cell, possible[:most], max(1, round(share * cell.of))) if possible else None


def _orders(context: Context, name: str) -> int:
    return context.settings.path_orders if paths.all_paths()[name].RANDOM else 1


def _key(name: str, order: int, pair: Pair) -> str:
    return f"path/{name}/{order}/{pair[0]}/{pair[1]}"


def _tasks(context: Context, name: str, pair: Pair) -> Iterator[Task]:
    """Every order of a path between two members."""
    inner, is_random = len(context.grid) - 2, paths.all_paths()[name].RANDOM
    for order in range(_orders(context, name)):
        random = partial(context.random, "path", name, str(order), *pair) if is_random else None
        build = partial(_states, context, name, pair, random)
        yield Task(_key(name, order, pair), inner, build, SPLITS, pair)


def _states(
    context: Context, name: str, pair: Pair, random: paths.Random | None, positions: Sequence[int]
) -> State:
    a, b = map(context.ends.of, pair)
    t = torch.tensor([context.grid[1 + at] for at in positions], device=context.device)
    return paths.all_paths()[name].states(context.ends, a, b, t, random)


def found(context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
    """Rows of `landscape`, and of the tables `interpolation` (all points) and `barriers` (all walks)."""
    import threadpoolctl

    keys = {task.key for task in tasks}
    rows: list[Row] = []
    points: list[Row] = []
    heights: list[Row] = []
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
                walked = path_rows.Walked(part, split, pairs, walks)
                rows.append(path_rows.row(context, walked))
                points += path_rows.points(context, walked)
                heights += path_rows.heights(context, walked)
    return Found(rows={KEYS[0]: rows}, tables={"interpolation": points, "barriers": heights})


def _walk(
    context: Context,
    name: str,
    order: int,
    pair: Pair,
    split: str,
    outcomes: Mapping[str, Outcome],
    shares: np.ndarray,
) -> path_rows.Walk:
    """What was measured on the way, the members' own answers at its ends."""
    all_of = [outcomes[own_key(pair[0])], outcomes[_key(name, order, pair)], outcomes[own_key(pair[1])]]
    wrong = np.concatenate([outcome.wrong(split) for outcome in all_of])
    losses = np.concatenate([outcome.losses[split] for outcome in all_of])
    grid = np.array(context.grid)
    return path_rows.Walk(
        wrong.mean(axis=1),
        losses.mean(axis=1, dtype=np.float64),
        barriers.resampled(wrong, grid, shares),
        barriers.resampled(losses, grid, shares),
    )
