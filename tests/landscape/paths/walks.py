"""Walking a path, and what its states say as NumPy arrays."""

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch

from masklab import seeds
from masklab.landscape.ends import End, Ends, State
from masklab.landscape.paths import Random, all_paths

TENTHS = [point / 10 for point in range(11)]

RANDOM = [name for name, path in all_paths().items() if path.RANDOM]


def stream(number: int) -> Random:
    """The same numbers each time."""
    return lambda: seeds.stream(number, "split", layer="walks")


def walk(ends: Ends, name: str, a: str | End, b: str | End, t: list[float], number: int = 0) -> State:
    """States of a path between two members."""
    first, last = (end if isinstance(end, End) else ends.of(end) for end in (a, b))
    path = all_paths()[name]
    return path.states(ends, first, last, torch.tensor(t), stream(number) if path.RANDOM else None)


def weights(end: End, state: State) -> dict[str, np.ndarray]:
    """Layer → effective weights, [points, size]."""
    return {layer: state[f"{layer}.weight"].flatten(1).numpy() for layer in end.mask}


def whole(end: End, state: State) -> np.ndarray:
    """Effective weights of the whole network, [points, size]."""
    return np.concatenate(list(weights(end, state).values()), axis=1)


def own(end: End) -> np.ndarray:
    """The member's own effective weights, [size]."""
    return np.concatenate([values.flatten().numpy() for values in end.effective.values()])


def promised(t: float, number: int) -> int:
    """`floor(t · number + ½)` where t is a multiple of one tenth, thirtieth or so."""
    exact = Fraction(t).limit_denominator(60) * number + Fraction(1, 2)
    return exact.numerator // exact.denominator


def planted(ends: Ends, scores: Mapping[str, Mapping[str, torch.Tensor]]) -> Ends:
    """The same members with other scores; those that are not given are their own."""
    other = Ends(ends.archive, ends.device)
    other.of = ends.of
    other.scores = lru_cache(lambda member: dict(scores.get(member) or ends.scores(member)))
    return other


def renamed(end: End) -> End:
    """An end that no file has, such as a snapshot."""
    return dataclasses.replace(end, id=f"{end.id}@1")
