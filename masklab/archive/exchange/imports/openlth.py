"""OpenLTH's `mask.pth`: a dictionary from tensor name to a tensor of 0 and 1.

Source: github.com/facebookresearch/open_lth, pruning/mask.py.
"""

from masklab.archive.exchange import source
from masklab.archive.exchange.source import Asked, Found, Source
from masklab.errors import ArchiveError

NAME = "openlth"


def claims(foreign: Source) -> bool:
    """Whether a torch file holds tensors of 0 and 1 alone."""
    if foreign.container != "torch" or not foreign.arrays:
        return False
    named = any(name.endswith(("_mask", ".scores")) for name in foreign.arrays)
    return not named and all(array.ndim and source.is_binary(array) for array in foreign.arrays.values())


def read(foreign: Source, asked: Asked) -> Found:
    """The masks; nothing else is known.

    Raises:
        ArchiveError: There are none, or one is not of 0 and 1.
    """
    del asked
    if not foreign.arrays:
        raise ArchiveError(f"{foreign.place}: no tensors, so no masks in it")
    return Found({name: source.binary(foreign, name) for name in foreign.arrays})
