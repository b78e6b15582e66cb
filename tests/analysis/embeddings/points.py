"""Masks to embed, in memory."""

import numpy as np

from ..diversity.measured import distances_of


def points(row):
    return np.array([[point["x"], point["y"]] for point in row["points"]])


def measured(masks):
    found = distances_of([np.asarray(masks, dtype=bool)])
    return found.ids, found.hamming()


def two_groups(size=6):
    random = np.random.RandomState(0)
    centres = random.random_sample((2, 300)) < 0.5
    return np.repeat(centres, size, axis=0) ^ (random.random_sample((2 * size, 300)) < 0.05)


def noise(members, seed, size=300):
    """Hamming distances of independent masks that keep half of the weights."""
    random = np.random.default_rng(seed)
    return measured(np.argsort(random.random((members, size)), axis=1) < size // 2)[1]


def apart(xy):
    """Distance between the two groups ÷ the largest distance of a point to its group's centre."""
    half = len(xy) // 2
    within = max(np.linalg.norm(own - own.mean(axis=0), axis=1).max() for own in (xy[:half], xy[half:]))
    return np.linalg.norm(xy[:half].mean(axis=0) - xy[half:].mean(axis=0)) / within
