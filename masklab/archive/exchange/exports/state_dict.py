"""The network's state dict with its effective weights: pruned weights are 0, and a gain is applied.

It loads into the plain network, without masklab.
"""

import io

from masklab.archive.exchange.exports import Outgoing
from masklab.errors import ArchiveError

NAME = "state-dict"
SUFFIXES = (".pt", ".pth")
DEFAULT = False


def encode(member: Outgoing) -> bytes:
    """Bytes of the file: `torch.save` of plain tensors, which `torch.load` opens with `weights_only=True`.

    Raises:
        ArchiveError: The weights are not known, or a kept weight is 0, so that the mask would be lost.
    """
    import torch

    state = {name: tensor.detach().clone().contiguous() for name, tensor in member.state().items()}
    for layer, mask in member.masks.items():
        weight = state[member.weights[layer]]
        lost = int((torch.from_numpy(mask).reshape(weight.shape) & (weight == 0)).sum())
        if lost:
            raise ArchiveError(
                f"{member.id}: {lost} kept weights of layer {layer!r} are 0, so a state dict would lose that "
                "they are kept; the formats mask, npz and prune do not"
            )
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
