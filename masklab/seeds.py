"""Random streams addressed by a path, equal on every device and for ever.

NumPy promises that the legacy `RandomState` methods never change their output, so every stream is a
`RandomState` over a Philox generator whose key is the hash of the stream's path.

Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011) for Philox;
NumPy enhancement proposal 19 for the promise.
"""

import hashlib
from typing import Literal, get_args

import numpy as np

Source = Literal["weights", "scores", "batches", "augment", "refresh", "mask", "split"]

SOURCES: tuple[str, ...] = get_args(Source)


def stream(
    seed: int, source: Source, level: int = 0, layer: str = "", event: int = 0
) -> np.random.RandomState:
    """Random stream of one path.

    Args:
        seed: The study's seed.
        source: What the numbers are for.
        level: Which draw of that source (members with equal levels share the draw).
        layer: Name of the layer, or `""` for what is not per layer.
        event: Number of the refresh event, epoch or pair that draws; 0 for the initial draw.

    Examples:
        >>> stream(0, "weights", 1, "conv1").randint(0, 100, 4).tolist()
        [6, 3, 60, 52]
    """
    path = f"masklab\0{seed}\0{source}\0{level}\0{layer}\0{event}".encode()
    key = np.frombuffer(hashlib.sha256(path).digest()[:16], dtype="<u8")
    return np.random.RandomState(np.random.Philox(key=key))
