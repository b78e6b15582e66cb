"""Jensen–Shannon divergence of predicted probabilities.

Source: Lin, Divergence measures based on the Shannon entropy (IEEE Transactions on Information Theory 37,
1991).
"""

import numpy as np
from jaxtyping import Float32, Float64, Int64

from masklab import seeds
from masklab.analysis.function.predictions import Predictions

Square = Float64[np.ndarray, "members members"]

OPERATIONS = 2_000_000_000
"""Most members² × images × classes; beyond it a sample of the images is taken."""

LEAST_IMAGES = 20
"""Images below which nothing is measured."""

_HELD = 2**26
_AT_ONCE = 2**21
_TINY = np.float32(1e-30)


def images(predictions: Predictions, seed: int) -> Int64[np.ndarray, " images"]:
    """Numbers of the images that are compared: all, or a sample that keeps work and memory bounded.

    Args:
        predictions: What members predict.
        seed: Seed of the sample.
    """
    members, count = len(predictions.design), predictions.images
    each = max(1, members * predictions.labels)
    most = min(OPERATIONS // (each * max(1, members)), _HELD // each)
    if most >= count:
        return np.arange(count)
    stream = seeds.stream(seed, "split", layer="analysis/function/divergence")
    return np.sort(stream.permutation(count)[:most]).astype(np.int64)


def measure(probabilities: Float32[np.ndarray, "members images classes"], seed: int) -> tuple[Square, Square]:
    """Divergence of all pairs in bits, in [0, 1], mean over images; and that of unrelated predictions.

    For the second, each member's predictions for an image are held against the other's for another image,
    by one cyclic shift of the images in random order.

    Args:
        probabilities: Predicted probabilities; for the chance level at least two images.
        seed: Seed of the order of the images.
    """
    count = probabilities.shape[1]
    order = seeds.stream(seed, "split", layer="analysis/function/divergence", event=1).permutation(count)
    other = np.empty(count, dtype=np.int64)
    other[order] = np.roll(order, 1)
    entropy = (
        -(probabilities * np.log2(np.maximum(probabilities, _TINY))).sum(axis=2).mean(axis=1, dtype=float)
    )
    own = np.add.outer(entropy, entropy) / 2
    same = _mixed_entropy(probabilities, np.arange(count)) - own
    return np.clip(same, 0.0, 1.0), np.clip(_mixed_entropy(probabilities, other) - own, 0.0, 1.0)


def _mixed_entropy(
    probabilities: Float32[np.ndarray, "members images classes"], other: Int64[np.ndarray, " images"]
) -> Square:
    """Entropy of the mean of two predictions, mean over images; one of them is for the images `other`."""
    members, count, classes = probabilities.shape
    found = np.zeros((members, members))
    step = max(1, _AT_ONCE // max(1, count * classes))
    for place, own in enumerate(probabilities):
        shuffled = own[other]
        for start in range(place, members, step):
            mixed = (probabilities[start : start + step] + shuffled) / 2
            surprise = np.log2(np.maximum(mixed, _TINY))
            surprise *= mixed
            found[place, start : start + step] = -surprise.sum(axis=2).mean(axis=1, dtype=float)
    upper = np.triu(found)
    return upper + np.triu(upper, 1).T
