import hashlib

import numpy as np
import pytest
from sklearn import datasets

from masklab import data
from masklab.errors import ConfigError


def test_every_image_of_the_source_is_used_once() -> None:
    digits = data.load("digits")
    assert digits.input_shape == (1, 8, 8)
    assert digits.train_images.shape == (1437, 1, 8, 8)
    assert digits.test_images.shape == (360, 1, 8, 8)
    assert digits.classes == tuple("0123456789")
    rows = np.concatenate([digits.train_images, digits.test_images]).reshape(-1, 64)
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    ours = np.column_stack([rows, labels])
    pixels, target = datasets.load_digits(return_X_y=True)
    theirs = np.column_stack([pixels, target]).astype(ours.dtype)
    assert sorted(map(tuple, ours)) == sorted(map(tuple, theirs))


def test_the_test_split_is_stratified() -> None:
    digits = data.load("digits")
    test = np.bincount(digits.test_labels)
    total = test + np.bincount(digits.train_labels)
    assert (abs(test - total * 360 / 1797) < 1).all()


def test_the_test_split_never_changes() -> None:
    digits = data.load("digits")
    assert hashlib.sha256(digits.test_images.tobytes()).hexdigest() == GOLDEN_TEST_IMAGES
    assert data.content_digest(digits) == GOLDEN_CONTENT


def test_a_path_is_refused() -> None:
    with pytest.raises(ConfigError, match="data set 'digits' takes no path, got '/nowhere'"):
        data.load("digits", "/nowhere")


GOLDEN_TEST_IMAGES = "efc2471382b2743a82b2669dd9a3f43b92f7373eb0e2b30f10e79604a3880797"
GOLDEN_CONTENT = "83850d99cc83cce265a9c8c4e5afbd2a7fd694aff9621c1a8e23da73480c012d"
