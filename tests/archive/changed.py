"""Member files that are consistent in themselves, but were changed on purpose."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from masklab.archive import Member, container

Change = Callable[[dict[str, Any], dict[str, np.ndarray]], object]


def rewrite(path: Path, change: Change) -> None:
    """Change the document and tensors of a file; header and checksums fit the result."""
    document = copy.deepcopy(Member(path).facts)
    reader = container.Reader(path)
    tensors = {name: reader.tensor(name) for name in reader.names()}
    change(document, tensors)
    document["tensors"] = container.describe(tensors)
    path.write_bytes(container.encode(document, tensors))
