"""Hundreds of synthetic members: who they are, how far apart their masks are, and the overlap of those."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import builder
from .recipe import LAYERS, PRUNERS, Pruner

Row = dict[str, Any]

METRICS = ("hamming", "jaccard", "observed_over_expected", "jaccard_similarity", "chance_corrected")


@dataclass(frozen=True)
class Crowd:
    """Members of a study as arrays, one entry each: places of populations, indices, draws of base weights."""

    names: list[str]
    pruners: tuple[Pruner, ...]
    densities: list[float]
    place: np.ndarray
    index: np.ndarray
    draw: np.ndarray

    @property
    def ids(self) -> list[str]:
        return [f"{self.names[p]}/{index:04d}" for p, index in zip(self.place, self.index, strict=True)]

    @property
    def rows(self) -> list[tuple[int, int, int]]:
        return list(zip(self.place.tolist(), self.index.tolist(), self.draw.tolist(), strict=True))


def make(populations: int, members: int, draws: int) -> Crowd:
    """Every pruner at density 0.5, then again at 0.3, 0.2 and 0.1."""
    densities = [(0.5, 0.3, 0.2, 0.1)[p // len(PRUNERS)] for p in range(populations)]
    pruners = tuple(PRUNERS[p % len(PRUNERS)] for p in range(populations))
    names = [f"{pruner[0]}-d{density}" for pruner, density in zip(pruners, densities, strict=True)]
    place = np.repeat(np.arange(populations), members)
    index = np.tile(np.arange(members), populations)
    return Crowd(names, pruners, densities, place, index, index % draws)


def places(random: np.random.RandomState, own: Crowd) -> np.ndarray:
    """Members in a space of six dimensions: populations apart, draws a little."""
    centres = random.standard_normal((len(own.names), 6))
    draws = 0.5 * random.standard_normal((int(own.draw.max()) + 1, 6))
    return centres[own.place] + draws[own.draw] + 0.4 * random.standard_normal((len(own.place), 6))


def distances(own: Crowd, where: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of `overlap.npz`, as if masks had these places: all of them keep what their density says."""
    squared = (where**2).sum(1)
    apart = np.maximum(0.0, squared[:, None] + squared[None] - 2.0 * where @ where.T)
    trained = np.array([pruner[2] > 0.0 for pruner in own.pruners])[own.place]
    near = 0.6 * np.exp(-0.3 * apart) * np.where(own.draw[:, None] == own.draw[None], 1.0, 0.2)
    near *= np.outer(trained, trained)
    density = np.array(own.densities)[own.place]
    layers = []
    for at, size in enumerate(LAYERS.values()):
        kept = np.floor(size * density + 0.5)
        expected, most = np.outer(kept, kept) / size, np.minimum.outer(kept, kept)
        shared = np.rint(expected + (most - expected) * near * (1.0 - 0.1 * at)).astype(np.int32)
        np.fill_diagonal(shared, kept)
        layers.append(shared)
    both = np.stack(layers)
    whole = both.sum(0)
    two = np.add.outer(np.diag(whole), np.diag(whole))
    return {
        "ids": np.array(own.ids),
        "layers": np.array(list(LAYERS)),
        "sizes": np.array(list(LAYERS.values())),
        "intersections": both,
        "hamming": (two - 2 * whole) / sum(LAYERS.values()),
        "jaccard": 1.0 - whole / (two - whole),
    }


def cells(own: Crowd) -> dict[tuple[str, str, str, str], tuple[np.ndarray, np.ndarray]]:
    """(a, b, block, seed) → rows and columns of its pairs."""
    found = {}
    for p, q in itertools.combinations_with_replacement(range(len(own.names)), 2):
        rows, columns = np.flatnonzero(own.place == p), np.flatnonzero(own.place == q)
        i, j = (part.ravel() for part in np.meshgrid(rows, columns, indexing="ij"))
        same, equal = own.draw[i] == own.draw[j], own.index[i] == own.index[j]
        for block, seed in (("within", "different"), ("across", "different"), ("within", "same")):
            chosen = (same == (block == "within")) & (equal == (seed == "same")) & (i < j)
            if chosen.any():
                found[own.names[p], own.names[q], block, seed] = i[chosen], j[chosen]
    return found


def estimate(values: np.ndarray) -> Row:
    """Mean with a normal interval."""
    mean = float(values.mean())
    common = {"level": 0.95, "method": "jackknife over members", "n": len(values)}
    if len(values) == 1:
        return {"value": mean, "low": None, "high": None, **common, "why": "one value has no interval"}
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    return {"value": mean, "low": mean - half, "high": mean + half, **common}


def overlap(own: Crowd, both: np.ndarray) -> list[Row]:
    """Rows of `overlap` for intersection counts [layers, members, members]."""
    kept = np.stack([np.diag(layer) for layer in both]).astype(float)
    sizes = np.array(list(LAYERS.values()), dtype=float)
    found = []
    for (a, b, block, seed), (i, j) in cells(own).items():
        shared = both[:, i, j].astype(float)
        expected, most = kept[:, i] * kept[:, j] / sizes[:, None], np.minimum(kept[:, i], kept[:, j])
        union = kept[:, i] + kept[:, j]
        for at, layer in enumerate(("whole", *LAYERS)):
            pick = slice(None) if at == 0 else slice(at - 1, at)
            sums = [part[pick].sum(0) for part in (shared, expected, most, union)]
            measured = _measured(*sums, size=float(sizes[pick].sum()))
            for metric, (value, chance) in zip(METRICS, measured, strict=True):
                row = {"a": a, "b": b, "layer": layer, "metric": metric, "block": block, "seed": seed}
                z = 12.34 if metric in builder.TESTED else None
                row |= {"estimate": estimate(value), "chance": float(chance.mean()), "z": z, "pairs": len(i)}
                found.append(row)
    return found


def _measured(
    shared: np.ndarray, expected: np.ndarray, most: np.ndarray, two: np.ndarray, *, size: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Value and chance level of every metric, pair by pair; `two` are both kept counts together."""
    none, one = np.zeros_like(shared), np.ones_like(shared)
    return [
        ((two - 2 * shared) / size, (two - 2 * expected) / size),
        (1.0 - shared / (two - shared), 1.0 - expected / (two - expected)),
        (shared / expected, one),
        (shared / (two - shared), expected / (two - expected)),
        ((shared - expected) / (most - expected), none),
    ]
