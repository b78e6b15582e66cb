"""Bits of masks that are flipped, drawn or counted.

A mask is one flat row of bits here, layer after layer in the network's order. Flips come in an order of their
own and are counted from its beginning, so that more flips contain the fewer.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from masklab.archive import Member

Bits = Bool[np.ndarray, " weights"]
Order = Int64[np.ndarray, " flips"]


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
    mask: Mapping[str, Bool[np.ndarray, "..."]],
    keys: Mapping[str, Float[np.ndarray, "..."]],
    *,
    whole: bool = False,
) -> Order:
    """All bits, nearest to the threshold that decided about them first; on ties the earlier one.

    A threshold lies in the middle between the least kept and the greatest pruned key (where there is only one
    of the two, on it). Where weights were selected layer by layer, each layer has one, and distances from it
    are divided by the standard deviation of the layer's keys, as layers differ in scale. Where they were
    selected over the whole network there is one for all, and distances from it are compared as they are.

    Args:
        mask: Layer → bits.
        keys: Layer → what its weights are ranked by.
        whole: Whether weights were selected over the whole network.
    """
    if whole:
        row = np.concatenate([keys[name].ravel() for name in mask])
        return by_margin({"the network": flat(mask)}, {"the network": row})
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
