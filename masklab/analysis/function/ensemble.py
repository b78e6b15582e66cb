"""Accuracy of ensembles whose members are given.

Source: Kuncheva & Whitaker, Measures of diversity in classifier ensembles and their relationship with the
ensemble accuracy (Machine Learning 51, 2003), for both rules.
"""

import itertools
import math

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt16

from masklab import seeds

SUBSETS = 500
"""Ensembles per size; all of them where there are no more."""

RULES = ("average", "vote")
"""Most probable class on average over the members; class that most members predict, ties drawn by lot."""

_AT_ONCE = 2**22

Subsets = Bool[np.ndarray, "subsets members"]
PerSubset = Float64[np.ndarray, " subsets"]


def subsets_of(members: int, size: int, random: np.random.RandomState, most: int) -> Subsets:
    """All subsets of a size, or random ones where there are more than `most`.

    Args:
        members: How many there are.
        size: Members of a subset.
        random: Stream that draws them.
        most: How many are enumerated at most, and drawn where there are more.
    """
    count = math.comb(members, size)
    if count <= most:
        chosen = np.array(list(itertools.combinations(range(members), size)), dtype=np.int64)
    else:
        chosen = np.argsort(random.random_sample((most, members)), axis=1)[:, :size]
    found = np.zeros((len(chosen), members), dtype=bool)
    np.put_along_axis(found, chosen, True, axis=1)
    return found


def accuracies(
    chosen: Subsets,
    probabilities: Float32[np.ndarray, "members images labels"],
    classes: UInt16[np.ndarray, "members images"],
    truth: Int64[np.ndarray, " images"],
) -> dict[str, PerSubset]:
    """Rule → accuracy of every ensemble.

    A tie of t classes counts 1/t where the true one is among them. An ensemble of one
    predicts what its member does under both rules.

    Args:
        chosen: Members of each ensemble.
        probabilities: Predicted probabilities.
        classes: Predicted classes.
        truth: True classes.
    """
    labels, images = probabilities.shape[2], len(truth)
    weights, right = chosen.astype(np.float32), {rule: np.zeros(len(chosen)) for rule in RULES}
    step = max(1, _AT_ONCE // max(1, labels * max(chosen.shape)))
    known = np.arange(labels, dtype=np.uint16)[:, None, None]
    single = chosen.sum(axis=1) == 1
    for start in range(0, images, step):
        part = slice(start, start + step)
        voted = _right(weights @ (classes[None, :, part] == known).astype(np.float32), truth[part])
        mixed = _right(weights @ np.ascontiguousarray(probabilities[:, part].transpose(2, 0, 1)), truth[part])
        right["vote"] += voted
        right["average"] += np.where(single, voted, mixed)
    return {rule: count / images for rule, count in right.items()}


def _right(
    scores: Float32[np.ndarray, "labels subsets images"], truth: Int64[np.ndarray, " images"]
) -> PerSubset:
    """Images for which the true class has the largest score; 1/t of one where t classes have it."""
    most = scores.max(axis=0)
    own = most == scores[truth, :, np.arange(len(truth))].T
    ties = (scores == most).sum(axis=0)
    return np.where(own, 1 / ties, 0.0).sum(axis=1)


def independent(
    classes: UInt16[np.ndarray, "members images"], truth: Int64[np.ndarray, " images"], seed: int
) -> Int64[np.ndarray, "members images"]:
    """Image whose prediction stands for each image when members' errors are made independent.

    Every member's predictions change places among the images of equal true class: it confuses the same
    classes as often as before, on images of its own.

    Args:
        classes: Predicted classes.
        truth: True classes.
        seed: Seed of the order.
    """
    random = seeds.stream(seed, "split", layer="analysis/function/independent")
    place = np.tile(np.arange(len(truth)), (len(classes), 1))
    for label in np.unique(truth):
        own = np.flatnonzero(truth == label)
        for row in place:
            row[own] = random.permutation(own)
    return place
