"""Networks between two members that take each coordinate from one of them, and how many they have taken."""

import threading
import weakref
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Integer
from torch import Tensor

from masklab.landscape.ends import End, Ends, Masks, State, blend
from masklab.landscape.paths import Random, Rule
from masklab.training import selection

Taken = Mapping[str, Bool[Tensor, "points *shape"]]
"""Layer → which coordinates come from the second member."""

Value = TypeVar("Value")

_DENOMINATOR = 1000
"""Grids have at most 1001 points."""


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Under one gate and one set of base weights a mask between the ends has effective weights of its own."""
    return "mask" if ends.shares(a, b) else "effective"


def share(a: End, b: End) -> bool:
    """Whether two ends have one gate and one set of base weights; for members as `Ends.shares` says."""
    return a.gate_name == b.gate_name and a.recipe is not None and a.recipe == b.recipe


def mixed(a: End, b: End, taken: Taken, t: Float[Tensor, " points"]) -> State:
    """States whose coordinates come from a, or from b where taken; what surrounds them is blended.

    Args:
        a: Where the path begins.
        b: Where it ends.
        taken: Coordinates that come from b.
        t: Positions; 0 and 1 are the members themselves, whatever is taken.
    """
    if share(a, b):
        masks = {layer: torch.where(own, b.mask[layer], a.mask[layer]) for layer, own in taken.items()}
        return masked(a, b, masks, t)
    state = {
        f"{layer}.weight": torch.where(own, b.effective[layer], a.effective[layer])
        for layer, own in taken.items()
    }
    return _with_ends(state | blend(a.around, b.around, t), a, b, t)


def masked(a: End, b: End, masks: Masks, t: Float[Tensor, " points"]) -> State:
    """States of masks between two members that share gate and base weights.

    Args:
        a: Where the path begins.
        b: Where it ends.
        masks: One mask for each position.
        t: Positions; 0 and 1 are the members themselves.
    """
    return _with_ends(a.with_masks(masks) | blend(a.around, b.around, t), a, b, t)


def _with_ends(state: State, a: End, b: End, t: Float[Tensor, " points"]) -> State:
    """The members' own values at 0 and 1: a gain that is summed anew may differ in its last digit."""
    for end, place in ((a, 0), (b, 1)):
        if (at := (t == place).nonzero().flatten()).numel():
            for name, values in end.state.items():
                state[name][at] = values
    return state


def differing(a: End, b: End) -> dict[str, Bool[Tensor, "*shape"]]:
    """Coordinates that must be taken from b: those whose bits differ, or whose effective values do."""
    if share(a, b):
        return {layer: own != b.mask[layer] for layer, own in a.mask.items()}
    return {layer: own != b.effective[layer] for layer, own in a.effective.items()}


@lru_cache(4096)
def place(t: float) -> Fraction:
    """The fraction that a position stands for: 0.7 is no floating-point number, and 0.7 · 5 is to be 3.5.

    Args:
        t: Position, 0 … 1; one within half a unit of float32 of a fraction with a denominator of at most
            1000, as all places of grids are, is that fraction, and any other one is itself.

    Examples:
        >>> place(0.7), place(1 / 3), place(2**-20)
        (Fraction(7, 10), Fraction(1, 3), Fraction(1, 1048576))
    """
    near = Fraction(t).limit_denominator(_DENOMINATOR)
    return near if abs(near - Fraction(t)) <= Fraction(1, 2**25) else Fraction(t)


def count(t: float, number: int) -> int:
    """How many of so many items have moved at a position: `floor(t · number + ½)`, without rounding errors.

    Examples:
        >>> [count(t, 5) for t in (0.0, 0.1, 0.3, 0.7, 1.0)]
        [0, 1, 2, 4, 5]
    """
    return int(place(t) * number + Fraction(1, 2))


def numbered(
    where: Bool[Tensor, "*shape"], ranks: Integer[Tensor, " chosen"] | Integer[np.ndarray, " chosen"]
) -> Int32[Tensor, "*shape"]:
    """The rank of each chosen coordinate, in the order in which they lie; the others have the largest number.

    Args:
        where: Which are chosen.
        ranks: Their ranks.
    """
    found = torch.full(where.shape, torch.iinfo(torch.int32).max, dtype=torch.int32, device=where.device)
    return found.masked_scatter_(where, torch.as_tensor(ranks, dtype=torch.int32, device=where.device))


def first(
    ranks: Int32[Tensor, "*shape"], number: int, t: Float[Tensor, " points"]
) -> Bool[Tensor, "points *shape"]:
    """Coordinates that have moved at each position: those with the first `count(t, number)` ranks.

    Args:
        ranks: Ranks, from 0; those of coordinates that never move are at least `number`.
        number: How many there are.
        t: Positions.
    """
    counts = torch.tensor([count(at, number) for at in t.tolist()], dtype=torch.int32, device=ranks.device)
    return ranks < counts.view(-1, *[1] * ranks.ndim)


def stream(random: Random | None) -> np.random.RandomState:
    """The random numbers of a path that needs some.

    Raises:
        ValueError: There are none.
    """
    return _required(random)()


def _required(random: Random | None) -> Random:
    if random is None:
        raise ValueError("a random path needs a stream of random numbers")
    return random


class _Last(threading.local):
    """The walk of which a thread built a part last, and what it follows from."""

    walk: "weakref.ref[Random] | None" = None
    value: Any = None


_last = _Last()


def kept(random: Random | None, make: Callable[[np.random.RandomState], Value]) -> Value:
    """What a random path follows from, made anew only when a thread turns to another walk.

    Few large networks fit into one call, so that a walk is built in many parts; drawing the order of ten
    million weights takes longer than building a part.

    Args:
        random: The stream of one walk, an object of its own: between two ends, in one order.
        make: Makes it from that stream.

    Raises:
        ValueError: There is no stream.
    """
    walk = _required(random)
    if _last.walk is None or _last.walk() is not walk:
        _last.value = make(walk())
        _last.walk = weakref.ref(walk)
    return _last.value


def without_scores(ends: Ends, a: str, b: str) -> str | None:
    """Which of two members has no scores, and when members have some; None where both have."""
    for member in (a, b):
        if not ends.card(member).scored:
            return (
                f"needs scores, and {member} has none: pruners store theirs where [study] has "
                'keep_scores = "final", controls have none'
            )
    return None


def keys(ends: Ends, member: str) -> dict[str, Float[Tensor, "*shape"]]:
    """Layer → what a member's weights are ranked by."""
    rank = ends.card(member).rank
    return {layer: selection.rank_key(scores, rank) for layer, scores in ends.scores(member).items()}
