"""Activations by name."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

ACTIVATIONS = {"relu": "ReLU", "leaky-relu": "LeakyReLU", "gelu": "GELU", "tanh": "Tanh"}
"""Name in the study file → class in `torch.nn`. Initial scales are those of ReLU for all of them."""


def activation(name: str) -> "nn.Module":
    """A fresh activation module."""
    from torch import nn

    return getattr(nn, ACTIVATIONS[name])()
