"""1,797 handwritten digits of 8×8 pixels that come with scikit-learn; nothing is downloaded.

The test split (360 images, stratified) is fixed: it does not depend on a study's seed.

Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998.
"""

from pathlib import Path

import numpy as np

from masklab import seeds
from masklab.data.dataset import Data, stratified
from masklab.errors import ConfigError

TEST_IMAGES = 360


def load(name: str, path: Path | None, download: bool) -> Data:
    """The digits, intensities 0–16.

    Args:
        name: `"digits"`.
        path: None.
        download: False.

    Raises:
        ConfigError: A path was given.
    """
    del download
    if path is not None:
        raise ConfigError(f"data set {name!r} takes no path, got {str(path)!r}")
    from sklearn import datasets

    pixels, target = datasets.load_digits(return_X_y=True)
    images = np.asarray(pixels).astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = np.asarray(target).astype(np.int64)
    test = stratified(labels, TEST_IMAGES, seeds.stream(0, "split", layer="digits"))
    return Data(images[~test], labels[~test], images[test], labels[test], tuple("0123456789"))
