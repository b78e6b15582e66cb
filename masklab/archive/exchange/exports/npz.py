"""Booleans in a compressed npz file: one array per layer, named as its weight in a state dict."""

from masklab.archive.exchange import npz
from masklab.archive.exchange.exports import Outgoing

NAME = "npz"
SUFFIXES = (".npz",)
DEFAULT = True


def encode(member: Outgoing) -> bytes:
    """Bytes of the file."""
    return npz.write({member.tensors[layer]: mask for layer, mask in member.masks.items()})
