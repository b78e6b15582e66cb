"""Booleans in a safetensors file: one tensor per layer, named as its weight in a state dict.

`{name: weight * mask[name]}` over a state dict prunes a network. The layers' order, which safetensors does
not keep, stands in the metadata.
"""

import json

import numpy as np

from masklab.archive.exchange import containers
from masklab.archive.exchange.exports import Outgoing

NAME = "mask"
SUFFIXES = (".safetensors",)
DEFAULT = True


def encode(member: Outgoing) -> bytes:
    """Bytes of the file."""
    from safetensors import numpy as writer

    tensors = {
        member.tensors[layer]: np.ascontiguousarray(mask).reshape(mask.shape)
        for layer, mask in member.masks.items()
    }
    return writer.save(tensors, {containers.ORDER: json.dumps(list(tensors))})
