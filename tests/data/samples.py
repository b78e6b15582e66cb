"""Files of arrays that several tests start from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from masklab import data

Arrays = dict[str, Any]


def arrays() -> Arrays:
    """Six training and three test images of three classes."""
    random = np.random.RandomState(0)
    return {
        "train_images": random.randint(0, 256, (6, 4, 5)).astype(np.uint8),
        "train_labels": np.array([0, 1, 2, 0, 1, 2]),
        "test_images": random.randint(0, 256, (3, 4, 5)).astype(np.uint8),
        "test_labels": np.array([2, 1, 0]),
    }


def save(path: Path, content: Mapping[str, Any], compressed: bool = False) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **content)
    return path


def load(path: Path) -> data.Data:
    return data.load("arrays", str(path))
