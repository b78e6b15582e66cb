"""How flat accuracy is around a member on the cube of masks: what k flipped bits cost.

Kinds of flips: `random` (any k bits), `swap` (k/2 kept bits out and k/2 pruned ones in, so that every layer
keeps its density), `margin` (the k bits whose final scores are nearest to the threshold that decided about
them: that of their layer, in standard deviations of the layer's ranking keys, or, where weights were selected
over the whole network, the one threshold of all), and `layer` (a tenth of the bits of one layer, swapped).
The gate's rule is applied anew to the flipped mask. Flips are nested: the same order of bits for every k.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch

from masklab.analysis import estimates
from masklab.landscape import flips, measures, mixing, sampling
from masklab.landscape.context import Context, Found, Row
from masklab.landscape.ends import State
from masklab.landscape.tasks import Outcome, Task

SHARE = 0.15
KEYS = ("neighbourhood",)

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of the network's weights that are flipped; at least one weight."""

LAYER_SHARE = 0.1
"""Share of a layer's weights that are swapped."""

WHOLE = "whole"


def plan(context: Context, evaluations: int | None) -> list[Task]:
    """Members are added in turn, to every population alike; all kinds of flips for each."""
    return sampling.grown(context, partial(_tasks, context), evaluations)


def found(context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
    """Rows by population, kind, layer and number of flips."""
    planned = {task.key for task in tasks}
    rows: list[Row] = []
    for population, ids in context.members.items():
        for kind in _ORDERS:
            own = [member for member in ids if _key(kind, member) in planned]
            cells: dict[tuple[str, int], dict[str, tuple[int, float, float]]] = {}
            for member in own:
                for cell, point in _points(context, kind, member, outcomes).items():
                    cells.setdefault(cell, {})[member] = point
            made = [_row(context, outcomes, (population, kind), *cell) for cell in cells.items()]
            rows += _ranked(made) if kind == "layer" else made
    return Found(rows={"neighbourhood": rows})


def _tasks(context: Context, members: Sequence[str]) -> list[Task]:
    return [
        Task(
            _key(kind, member),
            networks,
            partial(_states, context, kind, member),
            splits=(measures.SPLIT,),
            members=(member,),
        )
        for member in members
        for kind in _ORDERS
        if (networks := len(_counts(context, kind, member)))
    ]


def _key(kind: str, member: str) -> str:
    return f"neighbourhood/{kind}/{member}"


def _counts(context: Context, kind: str, member: str) -> list[tuple[str, int]]:
    """Layer and number of flips of each network, from what the member's file says."""
    stored = context.archive.member(member)
    size = sum(layer.size for layer in stored.layers)
    if kind == "layer":
        return [
            (layer.name, 2 * min(max(1, int(LAYER_SHARE * layer.size / 2 + 0.5)), swaps))
            for layer in stored.layers
            if (swaps := flips.swaps_of(stored, layer.name))
        ]
    numbers = [max(1, int(share * size + 0.5)) for share in SHARES]
    if kind == "swap":
        most = 2 * flips.swaps_of(stored)
        numbers = [even for number in numbers if (even := 2 * max(1, number // 2)) <= most]
    if kind == "margin" and not context.ends.card(member).scored:
        numbers = []
    return [(WHOLE, number) for number in dict.fromkeys(numbers)]


def _random(context: Context, member: str, layer: str) -> flips.Order:
    mask = flips.flat(context.archive.member(member).mask())
    return context.random("neighbourhood", "random", member).permutation(len(mask))


def _swap(context: Context, member: str, layer: str) -> flips.Order:
    mask = context.archive.member(member).mask()
    return flips.swaps(mask, context.random("neighbourhood", "swap", member))


def _margin(context: Context, member: str, layer: str) -> flips.Order:
    keys = {name: key.cpu().numpy() for name, key in mixing.keys(context.ends, member).items()}
    whole = context.ends.card(member).selection == "global"
    return flips.by_margin(context.archive.member(member).mask(), keys, whole=whole)


def _layer(context: Context, member: str, layer: str) -> flips.Order:
    mask = context.archive.member(member).mask()
    start = sum(own.size for own in list(mask.values())[: list(mask).index(layer)])
    random = context.random("neighbourhood", "layer", member, layer)
    return start + flips.swaps({layer: mask[layer]}, random)


_ORDERS = {"random": _random, "swap": _swap, "margin": _margin, "layer": _layer}
"""Kind → order in which the bits of a member are flipped."""


def _orders(
    context: Context, kind: str, member: str, positions: Sequence[int] | None = None
) -> list[tuple[str, flips.Order, list[int]]]:
    """Layer, order and numbers of flips of a task's networks, those of one order together."""
    counts = _counts(context, kind, member)
    chosen = counts if positions is None else [counts[at] for at in positions]
    layers = dict.fromkeys(layer for layer, _ in chosen)
    return [
        (layer, _ORDERS[kind](context, member, layer), [count for own, count in chosen if own == layer])
        for layer in layers
    ]


def _states(context: Context, kind: str, member: str, positions: Sequence[int]) -> State:
    end = context.ends.of(member)
    parts = [
        flips.flipped(end.mask, order, counts)
        for _, order, counts in _orders(context, kind, member, positions)
    ]
    return end.with_masks({name: torch.cat([part[name] for part in parts]) for name in end.mask})


def _points(
    context: Context, kind: str, member: str, outcomes: Mapping[str, Outcome]
) -> dict[tuple[str, int], tuple[int, float, float]]:
    """Layer and place among its numbers of flips → flips, density and accuracy."""
    mask = flips.flat(context.archive.member(member).mask())
    accuracies = iter(outcomes[_key(kind, member)].accuracy(measures.SPLIT).tolist())
    return {
        (layer, at): (count, kept / len(mask), next(accuracies))
        for layer, order, counts in _orders(context, kind, member)
        for at, (count, kept) in enumerate(zip(counts, flips.kept_after(mask, order, counts), strict=True))
    }


def _row(
    context: Context,
    outcomes: Mapping[str, Outcome],
    of: tuple[str, str],
    cell: tuple[str, int],
    points: Mapping[str, tuple[int, float, float]],
) -> Row:
    """One row.

    Args:
        context: The study.
        outcomes: The members' own, among others.
        of: Population and kind.
        cell: Layer, and place among its numbers of flips.
        points: Member → flips, density and accuracy.
    """
    layer = cell[0]
    sizes = {own["name"]: own["size"] for own in context.archive.study["network"]["layers"]}
    number = float(np.mean([count for count, _, _ in points.values()]))
    drops = {own: measures.own_accuracy(outcomes, own) - point[2] for own, point in points.items()}
    each = {own: drop / points[own][0] for own, drop in drops.items()}
    accuracies = {own: point[2] for own, point in points.items()}
    return {
        "population": of[0],
        "kind": of[1],
        "layer": layer,
        "flips": number,
        "share": number / (sizes[layer] if of[1] == "layer" else sum(sizes.values())),
        "density": float(np.mean([density for _, density, _ in points.values()])),
        "members": len(points),
        **measures.header(context),
        "accuracy": measures.over_members(context, accuracies, estimates.SHARE),
        "drop": measures.over_members(context, drops, (-1.0, 1.0)),
        "drop_per_flip": measures.over_members(context, each),
        "rank": None,
        "chance": measures.chance(context),
    }


def _ranked(rows: list[Row]) -> list[Row]:
    """Layers of a population with their rank: 1 is the most sensitive one, on ties the earlier."""
    order = sorted(rows, key=lambda row: -row["drop"]["value"])
    return [row | {"rank": 1 + order.index(row)} for row in rows]
