"""Activations by name."""

import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

ACTIVATIONS = {
    "relu": "torch.nn:ReLU",
    "leaky-relu": "torch.nn:LeakyReLU",
    "gelu": "torch.nn:GELU",
    "tanh": "torch.nn:Tanh",
    "binary": "masklab.networks.modules.binary:Binary",
}
"""Name in the study file → where its class is. Initial scales are those of ReLU for all of them."""


def activation(name: str) -> "nn.Module":
    """A fresh activation module."""
    return pkgutil.resolve_name(ACTIVATIONS[name])()
