"""Random masks of several populations, for tests of the comparisons between them."""

import numpy as np

from masklab.analysis import design as designs
from masklab.analysis.distances import Distances
from tests.analysis.simulation import masks

LAYERS = [40, 80]


def design_of(units, populations, draws=1, unpaired=()):
    """Populations a, b, … with members 0 … units − 1, member i on draw i mod draws."""
    ids = [f"{'abcdefg'[at]}/{unit:04d}" for at in range(populations) for unit in range(units)]
    return designs.make(ids, {member: int(member[2:]) % draws for member in ids}, unpaired=unpaired)


def distances_of(design, seed=0, *, strength=0.0, density=0.5):
    """Masks of two layers that share a preference within each population and draw."""
    random = np.random.default_rng(seed)
    shared = []
    for size in LAYERS:
        found = np.empty((len(design), size), dtype=bool)
        cell = design.population * (design.block.max(initial=0) + 1) + design.block
        for one in np.unique(cell):
            own = np.flatnonzero(cell == one)
            common = random.standard_normal(size)
            found[own] = masks.masks(random, len(own), size, density, common=common, strength=strength)
        shared.append(masks.intersections(found))
    return Distances(design.ids, ["one", "two"], np.array(LAYERS, dtype=np.int64), np.stack(shared))


def points(design, seed=0, dimensions=5):
    """Points in few dimensions, and their squared Euclidean distances."""
    where = np.random.default_rng(seed).standard_normal((len(design), dimensions))
    return where, ((where[:, None] - where[None]) ** 2).sum(axis=-1)
