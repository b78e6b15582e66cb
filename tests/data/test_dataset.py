import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab import data
from masklab.errors import ConfigError, DataError

TINY = data.Data(
    np.arange(16, dtype=np.uint8).reshape(4, 1, 2, 2),
    np.array([0, 1, 0, 1]),
    np.zeros((2, 1, 2, 2), dtype=np.uint8),
    np.array([1, 0]),
    ("cat", "dog"),
)


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_stratified_gives_every_class_its_share(counts: list[int], share: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.RandomState(seed).permutation(labels)
    held_out = round(share * len(labels))
    chosen = data.stratified(labels, held_out, np.random.RandomState(seed))
    assert chosen.sum() == held_out
    for label, count in enumerate(counts):
        assert abs(chosen[labels == label].sum() - count * held_out / len(labels)) < 1
    again = data.stratified(labels, held_out, np.random.RandomState(seed))
    np.testing.assert_array_equal(chosen, again)


def test_stratified_gives_what_is_left_to_the_largest_remainders() -> None:
    labels = np.repeat([0, 1, 2], [5, 3, 2])  # shares of 4: 2.0, 1.2, 0.8
    chosen = data.stratified(labels, 4, np.random.RandomState(0))
    assert [int(chosen[labels == label].sum()) for label in range(3)] == [2, 1, 1]


def test_stratified_depends_on_its_stream() -> None:
    labels = np.repeat([0, 1], 50)
    first, second = (data.stratified(labels, 20, np.random.RandomState(seed)) for seed in (0, 1))
    assert (first != second).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ("cat",)}, "needs at least 2 classes, got 1"),
        ({"train_images": TINY.train_images[:0]}, "no training images"),
        ({"test_images": TINY.test_images[:0]}, "no test images"),
        ({"train_labels": TINY.train_labels[:3]}, "4 training images but 3 labels"),
        ({"test_labels": np.array([0, 2])}, "test labels reach 2; there are 2 classes"),
        ({"train_labels": np.array([0, 1, -1, 1])}, "training labels"),
        ({"test_images": np.zeros((2, 3, 2, 2), dtype=np.uint8)}, r"\(1, 2, 2\), test images \(3, 2, 2\)"),
    ],
)
def test_a_data_set_cannot_exist_when_invalid(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(TINY, **changes)  # pyright: ignore[reportArgumentType]


def test_content_digest_covers_everything_that_is_content() -> None:
    wide = {
        "train_images": TINY.train_images.reshape(4, 1, 1, 4),
        "test_images": TINY.test_images.reshape(2, 1, 1, 4),
    }
    variants = [
        TINY,
        replace(TINY, train_labels=np.array([1, 1, 0, 1])),
        replace(TINY, train_images=TINY.train_images + 1),
        replace(TINY, test_labels=np.array([1, 1])),
        replace(TINY, test_images=TINY.test_images + 1),
        replace(TINY, classes=("cat", "fox")),
        replace(TINY, **wide),
    ]
    assert len({data.content_digest(variant) for variant in variants}) == len(variants)
    assert data.content_digest(replace(TINY)) == data.content_digest(TINY)


def test_the_folder_is_the_registry() -> None:
    published = {"cifar10", "cifar100", "fashion-mnist", "mnist"}
    assert set(data.names()) == {"arrays", "digits", "imagefolder"} | published
    assert data.names() == sorted(data.names())
    with pytest.raises(ConfigError, match=r"unknown data set 'digit' \(did you mean 'digits'\?\)"):
        data.load("digit")


@pytest.mark.parametrize("name", ["arrays", "digits", "imagefolder"])
def test_what_cannot_be_downloaded_says_so(name: str) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"'{name}' cannot be downloaded \(data.download = true\); those that can: cifar10, cifar100, ",
    ):
        data.load(name, "/nowhere", download=True)


def test_names_are_known_without_heavy_libraries() -> None:
    code = (
        "import sys; from masklab import data; from masklab.data import augmentations\n"
        "data.names(); augmentations.NAMES\n"
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'PIL') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.mark.parametrize("name", ["arrays", "imagefolder", "mnist"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("~no-such-user/x", "has no home folder to start from"),
        ("x" * 5000, "cannot look at .*File name too long"),
        ("a\0b", "a\0b"),
    ],
)
def test_paths_that_no_system_has(name: str, path: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data.load(name, path)
