"""Bits of masks that are flipped, drawn or counted, and the members on which that is tried.

A mask is one flat row of bits here, layer after layer in the network's order. Flips come in an order of their
own and are counted from its beginning, so that more flips contain the fewer.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from masklab.analysis import estimates, jackknife
from masklab.archive import Member
from masklab.landscape.context import Context, Row
from masklab.landscape.tasks import Outcome, Task, own_key

Bits = Bool[np.ndarray, " weights"]
Order = Int64[np.ndarray, " flips"]

MOST_MEMBERS = 6
"""Members of a population that are tried at most."""

LEAST_MEMBERS = 2
"""Members of a population that are tried at least, if it has as many: one has no interval."""

SPLIT = "test"

_OVER_SETS = "mean over draws of base weights, t interval with n − 1 degrees of freedom"
_OVER_PAIRS = "t interval from leaving out one mask at a time (jackknife)"
_LEAST_SETS = 3


def flat(layers: Mapping[str, Bool[np.ndarray, "..."]]) -> Bits:
    """Bits of all layers in one row."""
    return np.concatenate([values.ravel() for values in layers.values()])


def layered(
    rows: Bool[Tensor, "networks weights"], like: Mapping[str, Bool[Tensor, "..."]]
) -> dict[str, Bool[Tensor, "networks ..."]]:
    """Layer → masks of its shape, from rows of bits.

    Args:
        rows: Bits of whole masks.
        like: Layer → a mask of its shape.
    """
    parts = rows.split([mask.numel() for mask in like.values()], dim=1)
    return {name: part.view(-1, *like[name].shape) for name, part in zip(like, parts, strict=True)}


def flipped(
    mask: Mapping[str, Bool[Tensor, "..."]], order: Order, counts: Sequence[int]
) -> dict[str, Bool[Tensor, "networks ..."]]:
    """Layer → masks in which the first so many bits of an order are flipped.

    Args:
        mask: Layer → the mask before.
        order: Places of bits, each at most once.
        counts: Flips of each network.
    """
    row = torch.cat([own.flatten() for own in mask.values()])
    rows, places = row.repeat(len(counts), 1), torch.from_numpy(order).to(row.device)
    for own, count in zip(rows, counts, strict=True):
        own[places[:count]] = ~row[places[:count]]
    return layered(rows, mask)


def kept_after(mask: Bits, order: Order, counts: Sequence[int]) -> list[int]:
    """Kept bits after so many flips each.

    Examples:
        >>> kept_after(np.array([True, True, False]), np.array([2, 0, 1]), [0, 1, 2, 3])
        [2, 3, 2, 1]
    """
    gained = np.concatenate([[0], np.where(mask[order], -1, 1).cumsum()])
    return [int(mask.sum() + gained[count]) for count in counts]


def swaps(mask: Mapping[str, Bool[np.ndarray, "..."]], random: np.random.RandomState) -> Order:
    """Order in which a kept and a pruned bit of one layer follow each other: any even number keeps densities.

    Layers take turns in proportion to how many swaps they allow: the i-th of c has its turn at (i − ½)/c of
    the whole. Layers without a kept or without a pruned bit allow none.

    Source: Webster's method of apportionment (Balinski and Young, Fair Representation, 1982), turn by turn.

    Args:
        mask: Layer → bits.
        random: Stream; a layer's bits are drawn after those of the layers before it.
    """
    turns, pairs, start = [np.zeros(0)], [np.zeros((0, 2), dtype=np.int64)], 0
    for own in mask.values():
        bits = own.ravel()
        kept, pruned = (random.permutation(np.flatnonzero(bits == which)) for which in (True, False))
        number = min(len(kept), len(pruned))
        turns.append((np.arange(number) + 0.5) / max(1, number))
        pairs.append(start + np.stack([kept[:number], pruned[:number]], axis=1))
        start += bits.size
    return np.concatenate(pairs)[np.argsort(np.concatenate(turns), kind="stable")].ravel()


def swaps_of(member: Member, layer: str | None = None) -> int:
    """Swaps that a member's mask allows, from what its file says of its layers."""
    own = [part for part in member.layers if layer in (None, part.name)]
    return sum(min(part.kept, part.size - part.kept) for part in own)


def by_margin(
    mask: Mapping[str, Bool[np.ndarray, "..."]], keys: Mapping[str, Float[np.ndarray, "*shape"]]
) -> Order:
    """All bits, nearest to the threshold of their layer first; on ties the earlier one.

    The threshold lies in the middle between the least kept and the greatest pruned key (where there is only
    one of the two, on it); distances from it are divided by the standard deviation of the layer's keys.

    Args:
        mask: Layer → bits.
        keys: Layer → what its weights are ranked by.
    """
    distances = []
    for name, own in mask.items():
        key, bits = keys[name].ravel().astype(np.float64), own.ravel()
        least, greatest = key[bits].min(initial=np.inf), key[~bits].max(initial=-np.inf)
        edges = [edge for edge in (least, greatest) if np.isfinite(edge)]
        distances.append(np.abs(key - np.mean(edges)) / (key.std() or 1.0))
    return np.argsort(np.concatenate(distances), kind="stable").astype(np.int64)


def largest(
    keys: Float[np.ndarray, " weights"], sizes: Sequence[int], kept: Sequence[int]
) -> Bool[np.ndarray, " weights"]:
    """Exactly so many largest keys of each layer; keys are all different.

    Examples:
        >>> largest(np.array([0.1, 0.3, 0.2, 0.4, 0.5]), [3, 2], [2, 0]).tolist()
        [False, True, True, False, False]
    """
    mask, start = np.zeros(len(keys), dtype=bool), 0
    for size, number in zip(sizes, kept, strict=True):
        part = np.argpartition(keys[start : start + size], size - number - 1 if number < size else 0)
        mask[start + part[size - number :]] = True
        start += size
    return mask


def sampled(context: Context, most: int) -> dict[str, list[str]]:
    """Population → at most so many of its members, spread over draws of base weights; more contain fewer.

    Populations with equal members have equal ones chosen, so that they can be compared.
    """
    found = {}
    for name, ids in context.members.items():
        turns: dict[int, list[str]] = {}
        for at in context.random("members").permutation(len(ids)):
            turns.setdefault(context.blocks[ids[at]], []).append(ids[at])
        rounds = itertools.chain.from_iterable(itertools.zip_longest(*turns.values()))
        chosen = set([own for own in rounds if own is not None][:most])
        found[name] = [own for own in ids if own in chosen]
    return found


def affordable(context: Context, plans: Sequence[list[Task]], evaluations: int | None) -> list[Task]:
    """The largest of several plans that costs at most so many evaluations; the first, whatever it costs.

    Args:
        context: The study.
        plans: From small to large.
        evaluations: The limit; None for none.
    """
    found = plans[0]
    for tasks in plans[1:]:
        if evaluations is None or sum(context.cost(task) for task in tasks) <= evaluations:
            found = tasks
    return found


def header(context: Context) -> Row:
    """What every row says of its images."""
    number = context.images.number(SPLIT)
    return {"split": SPLIT, "statistics": context.statistics, "images": number}


def chance(context: Context) -> float:
    """Accuracy of always naming the most common class."""
    labels = context.images.labels[SPLIT]
    return float(np.bincount(labels).max() / len(labels))


def own_accuracy(outcomes: Mapping[str, Outcome], member: str) -> float:
    """Accuracy of a member itself."""
    return float(outcomes[own_key(member)].accuracy(SPLIT)[0])


def over_members(
    context: Context, values: Mapping[str, float], limits: tuple[float, float] = estimates.ANY
) -> Row:
    """Estimate of a mean over members.

    Args:
        context: The study.
        values: Member → its value; at least one.
        limits: Least and largest value that there can be.
    """
    draws = len({context.blocks[own] for own in values})
    return estimates.mean_over_members(list(values.values()), draws, limits=limits)


def over_sets(
    values: Sequence[float], pairs: Sequence[tuple[str, str]] | None, limits: tuple[float, float]
) -> Row:
    """Estimate of a mean over sets of members: over draws of base weights, or over pairs of members.

    Args:
        values: One value per set; at least one.
        pairs: The pairs, with an interval over their masks; None where sets are whole draws.
        limits: Least and largest value that there can be.
    """
    numbers = np.asarray(values, dtype=np.float64)
    mean, half, n, why = float(numbers.mean()), np.nan, len(numbers), ""
    if pairs is not None:
        means = _mean_over_pairs(numbers, pairs)
        half, n, why = float(means.high[0] - means.value[0]), means.units, means.why
    elif n < _LEAST_SETS:
        why = f"an interval needs at least {_LEAST_SETS} draws of base weights; there are {n}"
    elif np.ptp(numbers) == 0:
        why = "all draws have the same value"
    else:
        half = estimates.t_quantile(n - 1) * float(numbers.std(ddof=1)) / n**0.5
    method = _OVER_SETS if pairs is None else _OVER_PAIRS
    return estimates.estimate(mean, mean - half, mean + half, method=method, n=n, why=why, limits=limits)


def _mean_over_pairs(
    values: Float64[np.ndarray, " pairs"], pairs: Sequence[tuple[str, str]]
) -> jackknife.Means:
    members = sorted({member for pair in pairs for member in pair})
    units = np.array([int(member.rpartition("/")[2]) for member in members], dtype=np.int64)
    table = np.zeros((1, len(members), len(members)))
    chosen = np.zeros(table.shape[1:], dtype=bool)
    for value, pair in zip(values, pairs, strict=True):
        a, b = map(members.index, pair)
        chosen[a, b], table[0, a, b] = True, value
    return jackknife.mean_over_pairs(table, chosen, units, units)
