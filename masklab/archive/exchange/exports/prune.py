"""Float masks by module name, for `torch.nn.utils.prune.custom_from_mask(module, "weight", mask)`.

What is no module's weight (a bias that was pruned) has its full name, and so has the weight of a module that
is itself called `weight`: its module's name is that of another one's weight.
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
        _name(member.tensors[layer]): torch.from_numpy(mask.astype("float32"))
        for layer, mask in member.masks.items()
    }
    buffer = io.BytesIO()
    torch.save(masks, buffer)
    return buffer.getvalue()


def _name(tensor: str) -> str:
    """Name of a tensor's module, where that is read as the same layer again.

    Examples:
        >>> _name("fc.weight"), _name("fc.weight.weight"), _name("fc.bias")
        ('fc', 'fc.weight.weight', 'fc.bias')
    """
    module = source.layer_name(tensor)
    return module if source.layer_name(module) == module else tensor
