"""Kept weights of one layer, counted along its axes: what most statistics of structure start from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int64

Counts = Int64[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Axes:
    """Kept weights of one layer of one mask.

    Axis 0 of a weight are its outputs (filters), axis 1 its inputs, the rest the positions of its kernel. In
    a grouped convolution axis 1 counts the inputs within a group.

    Attributes:
        pairs: Kept weights from each input to each output, summed over the kernel.
        kernel: Kept weights at each position of the kernel, row by row; one position for a linear layer.
    """

    pairs: Int64[np.ndarray, "outputs inputs"]
    kernel: Int64[np.ndarray, " kernel"]

    @property
    def size(self) -> int:
        """Number of weights."""
        return self.pairs.size * self.kernel.size

    @cached_property
    def kept(self) -> int:
        """Number of kept weights."""
        return int(self.kernel.sum())

    @cached_property
    def counts(self) -> dict[str, Counts]:
        """Axis → kept weights at each of its positions; `kernel` only where it has several positions."""
        found = {"output": self.pairs.sum(axis=1), "input": self.pairs.sum(axis=0)}
        return found | ({"kernel": self.kernel} if self.kernel.size > 1 else {})


Layers = Mapping[str, Axes]
"""Layer name → its kept weights along its axes, in the network's forward order."""


def count(mask: Bool[np.ndarray, "..."]) -> Axes:
    """Count one layer.

    Args:
        mask: True = kept, of the weight's shape, outputs first.

    Examples:
        >>> axes = count(np.array([[True, True], [False, False], [True, False]]))
        >>> axes.kept, axes.counts["output"].tolist(), axes.counts["input"].tolist()
        (3, [2, 0, 1], [2, 1])
    """
    outputs, inputs, *kernel = *mask.shape, *(1,) * (2 - mask.ndim)
    whole = mask.reshape(outputs * inputs, math.prod(kernel))
    pairs = whole.sum(axis=1, dtype=np.int64).reshape(outputs, inputs)
    return Axes(pairs, whole.sum(axis=0, dtype=np.int64))
