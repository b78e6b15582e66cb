"""Distances and designs of masks in memory."""

from collections.abc import Sequence

import numpy as np

from masklab.analysis import design, distances


def distances_of(layers: Sequence[np.ndarray], ids: Sequence[str] | None = None) -> distances.Distances:
    """Counts of boolean layers `[members, size]`, by matrix products."""
    flat = [np.asarray(layer, dtype=np.float64) for layer in layers]
    return distances.Distances(
        list(ids) if ids is not None else [f"a/{at:04d}" for at in range(len(flat[0]))],
        [f"layer{at}" for at in range(len(flat))],
        np.array([layer.shape[1] for layer in flat], dtype=np.int64),
        np.stack([np.rint(layer @ layer.T).astype(np.int64) for layer in flat]),
    )


def design_of(populations: dict[str, Sequence[int]]) -> design.Design:
    """A design from population → draw of base weights of each member."""
    blocks = {
        f"{name}/{at:04d}": draw for name, draws in populations.items() for at, draw in enumerate(draws)
    }
    return design.make(list(blocks), blocks)


def random_layers(random: np.random.Generator, kept: Sequence[np.ndarray], sizes: Sequence[int]) -> list:
    """Independent masks with given kept counts per layer and member."""
    return [
        np.argsort(random.random((len(counts), size)), axis=1) < np.asarray(counts)[:, None]
        for counts, size in zip(kept, sizes, strict=True)
    ]


def twins_of(found: distances.Distances, number: int, seed: int = 0) -> list[distances.Distances]:
    """Matched random masks: as many kept of every layer by every member."""
    kept = found.intersections.diagonal(axis1=1, axis2=2)
    return [
        distances_of(
            random_layers(np.random.default_rng((seed, at)), list(kept), found.sizes.tolist()), found.ids
        )
        for at in range(number)
    ]
