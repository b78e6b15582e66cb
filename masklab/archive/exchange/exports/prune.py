"""Float masks by module name, for `torch.nn.utils.prune.custom_from_mask(module, "weight", mask)`.

What is no module's weight (a bias that was pruned) has its full name.
"""

import io

from masklab.archive.exchange import source
from masklab.archive.exchange.exports import Outgoing

NAME = "prune"
SUFFIXES = (".pt", ".pth")
DEFAULT = False


def encode(member: Outgoing) -> bytes:
    """Bytes of the file: `torch.save` of a dictionary, which `torch.load` opens with `weights_only=True`."""
    import torch

    masks = {
        source.layer_name(member.tensors[layer]): torch.from_numpy(mask.astype("float32"))
        for layer, mask in member.masks.items()
    }
    buffer = io.BytesIO()
    torch.save(masks, buffer)
    return buffer.getvalue()
