"""Files of arrays: what is accepted, and that anything else is one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import data
from masklab.errors import ConfigError, DataError
from tests.data import samples


@pytest.mark.parametrize("compressed", [False, True])
def test_grey_images_get_a_channel_axis(tmp_path: Path, compressed: bool) -> None:
    arrays = samples.arrays()
    loaded = samples.load(samples.save(tmp_path / "a.npz", arrays, compressed))
    assert loaded.input_shape == (1, 4, 5)
    np.testing.assert_array_equal(loaded.train_images[:, 0], arrays["train_images"])
    np.testing.assert_array_equal(loaded.test_images[:, 0], arrays["test_images"])
    np.testing.assert_array_equal(loaded.train_labels, arrays["train_labels"])
    np.testing.assert_array_equal(loaded.test_labels, arrays["test_labels"])
    assert loaded.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("shape", "channels_first"),
    [
        ((3, 4, 5), True),
        ((1, 4, 5), True),
        ((4, 5, 3), False),
        ((4, 5, 1), False),
        ((3, 4, 3), True),
        ((2, 5, 3), False),
    ],
)
def test_channels_are_found(tmp_path: Path, shape: tuple[int, ...], channels_first: bool) -> None:
    arrays = samples.arrays()
    for part, count in (("train", 6), ("test", 3)):
        arrays[f"{part}_images"] = (
            np.random.RandomState(count).randint(0, 256, (count, *shape)).astype(np.uint8)
        )
    loaded = samples.load(samples.save(tmp_path / "a.npz", arrays))
    expected = arrays["train_images"] if channels_first else np.moveaxis(arrays["train_images"], -1, 1)
    np.testing.assert_array_equal(loaded.train_images, expected)
    assert loaded.train_images.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i4", "<u8", "i8"])
@pytest.mark.parametrize("column", [False, True])
def test_labels_of_any_whole_type(tmp_path: Path, dtype: str, column: bool) -> None:
    arrays = samples.arrays()
    expected = arrays["train_labels"]
    arrays["train_labels"] = expected.astype(dtype)[:, None] if column else expected.astype(dtype)
    loaded = samples.load(samples.save(tmp_path / "a.npz", arrays))
    assert loaded.train_labels.dtype == np.int64
    np.testing.assert_array_equal(loaded.train_labels, expected)


def test_the_names_of_keras(tmp_path: Path) -> None:
    ours = samples.arrays()
    keys = ("x_train", "y_train", "x_test", "y_test")
    theirs: samples.Arrays = dict(zip(keys, ours.values(), strict=True))
    first, second = samples.save(tmp_path / "a.npz", ours), samples.save(tmp_path / "b.npz", theirs)
    assert data.content_digest(samples.load(first)) == data.content_digest(samples.load(second))


def test_names_of_classes_and_foreign_arrays(tmp_path: Path) -> None:
    extra = {"classes": ["cat", "dög", "emu", "fox"], "val_images": np.array([object()], dtype=object)}
    loaded = samples.load(samples.save(tmp_path / "a.npz", {**samples.arrays(), **extra}))
    assert loaded.classes == ("cat", "dög", "emu", "fox")


def test_columns_first_in_memory(tmp_path: Path) -> None:
    arrays = samples.arrays()
    arrays["train_images"] = np.asfortranarray(arrays["train_images"])
    loaded = samples.load(samples.save(tmp_path / "a.npz", arrays))
    np.testing.assert_array_equal(loaded.train_images[:, 0], arrays["train_images"])


def test_a_path_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"needs a path \(data.path, or --data arrays:FILE.npz\)"):
        data.load("arrays")


def _image(fill: Any, *shape: int) -> Callable[[samples.Arrays], object]:
    return lambda arrays: arrays.update(train_images=np.full(shape, fill))


def _label(*labels: Any) -> Callable[[samples.Arrays], object]:
    return lambda arrays: arrays.update(test_labels=np.array(labels))


def _class(*names: Any) -> Callable[[samples.Arrays], object]:
    return lambda arrays: arrays.update(classes=np.array(names))


BAD: dict[str, tuple[Callable[[samples.Arrays], object], str]] = {
    "missing key": (
        lambda a: a.pop("test_labels"),
        r"there must be an array test_labels or y_test; got only 'train_images', 'train_labels', 'test_i",
    ),
    "nothing": (lambda a: a.clear(), "an array train_images or x_train; got only nothing"),
    "two names": (lambda a: a.update(x_train=1), "train_images or x_train; got both"),
    "float images": (
        _image(0.5, 6, 4, 5),
        r"train_images must be uint8 \[n, h, w\], .*; got float64 \[6, 4, 5\]",
    ),
    "NaN": (_image(np.nan, 6, 4, 5), "train_images must be uint8"),
    "wide images": (_image(300, 6, 4, 5), "train_images must be uint8 .*; got int64"),
    "flat images": (_image(np.uint8(1), 6, 20), r"train_images must be .*; got uint8 \[6, 20\]"),
    "two channels": (_image(np.uint8(1), 6, 2, 4, 5), r"train_images must be .*; got \[6, 2, 4, 5\]"),
    "no images": (_image(np.uint8(1), 0, 4, 5), r"train_images is empty: \[0, 4, 5\]"),
    "images without pixels": (_image(np.uint8(1), 6, 0, 5), r"train_images is empty: \[6, 0, 5\]"),
    "other size": (_image(np.uint8(1), 6, 4, 6), r"a.npz: training images are \(1, 4, 6\), test"),
    "too few images": (_image(np.uint8(1), 5, 4, 5), "a.npz: 5 training images but 6 labels"),
    "object images": (
        lambda a: a.update(train_images=np.array([object()] * 6)),
        "train_images holds Python objects",
    ),
    "float labels": (_label(0.0, 1.0, 2.0), r"test_labels must be whole numbers .*; got float64 \[3\]"),
    "bool labels": (_label(True, False, True), "test_labels must be whole numbers"),
    "text labels": (_label("a", "b", "c"), "test_labels must be whole numbers"),
    "one-hot labels": (_label([1, 0], [0, 1], [1, 0]), r"test_labels must be .*; got int64 \[3, 2\]"),
    "no labels": (
        lambda a: a.update(test_labels=np.array([], np.int64)),
        "test_labels is empty",
    ),
    "negative labels": (_label(0, -1, 2), "test_labels must lie in 0 … 65535; got -1 … 2"),
    "large labels": (_label(0, 10**9, 2), "test_labels must lie in 0 … 65535; got 0 … 1000000000"),
    "unsigned labels": (
        lambda a: a.update(test_labels=np.array([2**64 - 1, 0, 0], np.uint64)),
        "test_labels must lie in 0 … 65535; got 0 … 18446744073709551615",
    ),
    "too few names": (_class("cat", "dog"), "classes has 2 names, but labels reach 2"),
    "numbered classes": (_class(1, 2, 3), r"classes must be text \[classes\]; got int64 \[3\]"),
    "table of names": (_class(["a"], ["b"], ["c"]), r"classes must be text \[classes\]; got <U1 \[3, 1\]"),
    "nameless class": (_class("cat", "", "dog"), "classes must be printable names, got ''"),
    "line break": (_class("cat", "a\nb", "dog"), r"classes must be printable names, got 'a\\nb'"),
    "equal names": (_class("cat", "cat", "dog"), "classes must be distinct, got cat, cat, dog"),
    "one class": (
        lambda a: a.update(train_labels=np.zeros(6, int), test_labels=np.zeros(3, int)),
        "a.npz: a data set needs at least 2 classes, got 1",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays_are_refused_in_one_line_that_names_file_and_array(tmp_path: Path, case: str) -> None:
    arrays = samples.arrays()
    spoil, message = BAD[case]
    spoil(arrays)
    path = samples.save(tmp_path / "a.npz", arrays)
    with pytest.raises(DataError, match=message) as caught:
        samples.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
