import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from masklab import data
from masklab.data import imagefolder
from masklab.errors import ConfigError, DataError

Pixels = np.ndarray


def _grey(level: int, width: int = 3, height: int = 2) -> Pixels:
    return np.full((height, width), level, dtype=np.uint8)


def _colour(level: int, width: int = 3, height: int = 2) -> Pixels:
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = level, level + 1, level + 2
    return pixels


def _save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _folder(root: Path, image: Callable[[int], Pixels] = _grey, test: str = "test") -> Path:
    """Two classes; training images of intensities 10, 11, 20 and test images of 30, 40."""
    for name, level in (
        ("train/cat/b", 11),
        ("train/cat/a", 10),
        ("train/dog/a", 20),
        (f"{test}/cat/a", 30),
        (f"{test}/dog/a", 40),
    ):
        _save(root / f"{name}.png", image(level))
    return root


def _load(folder: Path) -> data.Data:
    return data.load("imagefolder", str(folder))


@pytest.mark.parametrize("test", ["test", "val"])
def test_grey_images_have_one_channel(tmp_path: Path, test: str) -> None:
    loaded = _load(_folder(tmp_path, test=test))
    assert loaded.classes == ("cat", "dog")
    assert loaded.input_shape == (1, 2, 3)
    assert loaded.train_images[:, 0, 0, 0].tolist() == [10, 11, 20]
    assert loaded.train_labels.tolist() == [0, 0, 1]
    assert loaded.test_images[:, 0, 0, 0].tolist() == [30, 40]
    assert loaded.test_labels.tolist() == [0, 1]


def test_colour_images_have_three_channels_in_the_order_red_green_blue(tmp_path: Path) -> None:
    loaded = _load(_folder(tmp_path, _colour))
    assert loaded.input_shape == (3, 2, 3)
    assert loaded.train_images[:, :, 0, 0].tolist() == [[10, 11, 12], [11, 12, 13], [20, 21, 22]]


@pytest.mark.parametrize("place", ["train/cat/a.png", "train/cat/b.png", "test/dog/a.png"])
def test_grey_images_among_coloured_ones_become_colour(tmp_path: Path, place: str) -> None:
    folder = _folder(tmp_path, _colour)
    _save(folder / place, _grey(7))
    loaded = _load(folder)
    images = np.concatenate([loaded.train_images, loaded.test_images])
    assert images.shape == (5, 3, 2, 3)
    assert (images == 7).all(axis=(1, 2, 3)).sum() == 1


def test_sixteen_bit_grey_images_keep_their_high_byte(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    _save(folder / "train/cat/a.png", np.array([[0, 255, 256], [32768, 65280, 65535]], dtype=np.uint16))
    assert _load(folder).train_images[0, 0].tolist() == [[0, 0, 1], [128, 255, 255]]


def test_classes_are_sorted_by_name_and_hidden_or_foreign_files_are_ignored(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    for part in ("train", "test"):
        _save(folder / part / "<script>" / "x.PNG", _grey(1))
        _save(folder / part / "Zebra" / "x.png", _grey(2))
        (folder / part / ".cache").mkdir()
        (folder / part / "notes.txt").write_text("not a class")
        (folder / part / "cat" / "labels.csv").write_text("not an image")
    loaded = _load(folder)
    assert loaded.classes == ("<script>", "Zebra", "cat", "dog")
    assert loaded.train_labels.tolist() == [0, 1, 2, 2, 3]


def test_test_images_may_lack_a_class(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "test" / "dog" / "a.png").unlink()
    assert _load(folder).test_labels.tolist() == [0]
    (folder / "test" / "dog").rmdir()
    assert _load(folder).test_labels.tolist() == [0]


def test_equal_content_elsewhere_has_the_same_digest(tmp_path: Path) -> None:
    first, second = (_load(_folder(tmp_path / name)) for name in ("here", "there"))
    assert data.content_digest(first) == data.content_digest(second)


def _remove(folder: Path, *places: str) -> None:
    for place in places:
        found = folder / place
        for entry in sorted(found.rglob("*"), reverse=True):
            entry.rmdir() if entry.is_dir() else entry.unlink()
        found.rmdir() if found.is_dir() else found.unlink()


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda root: _remove(root, "train", "test", "."), r"is not a folder \(data.path\)"),
    "no train": (lambda root: _remove(root, "train"), "has no folder train"),
    "no test": (lambda root: _remove(root, "test"), "has no folder test or val"),
    "no classes": (lambda root: _remove(root, "train/cat", "train/dog"), "train has no class folders"),
    "empty class": (lambda root: _remove(root, "train/dog/a.png"), "train/dog holds no images"),
    "empty classes": (
        lambda root: _remove(root, "train/cat/a.png", "train/cat/b.png", "train/dog/a.png"),
        r"train holds no images \(known endings: .bmp,",
    ),
    "empty test": (lambda root: _remove(root, "test/cat/a.png", "test/dog/a.png"), "test holds no images"),
    "two sizes": (
        lambda root: _save(root / "train/dog/a.png", _grey(1, width=4)),
        "train/dog/a.png is 4×2, .*train/cat/a.png is 3×2; all images must have one size",
    ),
    "two sizes of splits": (
        lambda root: [_save(root / f"test/{name}/a.png", _grey(1, width=4)) for name in ("cat", "dog")],
        r"training images are \(1, 2, 3\), test images \(1, 2, 4\)",
    ),
    "truncated image": (lambda root: _truncate(root / "train/dog/a.png"), "dog/a.png is not a readable"),
    "text as image": (
        lambda root: (root / "test/dog/a.png").write_text("hello"),
        "test/dog/a.png is not a readable image",
    ),
    "link to nowhere": (
        lambda root: (root / "test/dog/b.png").symlink_to(root / "gone.png"),
        r"test/dog/b.png is not a readable image \(No such file or directory\)",
    ),
    "folder as image": (lambda root: (root / "train/dog/b.png").mkdir(), "dog/b.png is not a readable image"),
    "floating-point image": (
        lambda root: _save(root / "train/dog/b.tif", np.ones((2, 3), dtype=np.float32)),
        "dog/b.tif has pixels of 32 bits; allowed: 8 or 16",
    ),
    "class unknown to train": (
        lambda root: _save(root / "test/emu/a.png", _grey(1)),
        "test has a class that .*train lacks: 'emu'",
    ),
    "one class": (lambda root: _remove(root, "train/dog", "test/dog"), "at least 2 classes, got 1"),
    "class name that is not UTF-8": (
        lambda root: _save(root / "train" / os.fsdecode(b"a\xff") / "a.png", _grey(1)),
        "must have a printable UTF-8 name, got 'a",
    ),
    "class name with a line break": (
        lambda root: _save(root / "train" / "a\nb" / "a.png", _grey(1)),
        "must have a printable UTF-8 name, got 'a",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_folder_is_refused_in_one_line_that_names_the_place(tmp_path: Path, case: str) -> None:
    folder = _folder(tmp_path / "images")
    spoil, message = BAD[case]
    spoil(folder)
    with pytest.raises(DataError, match=message) as caught:
        _load(folder)
    assert "\n" not in str(caught.value)


def test_every_damage_of_a_small_image_is_an_image_or_a_data_error(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    file = folder / "train/dog/a.png"
    whole = file.read_bytes()
    for position in range(len(whole)):
        for damaged in (whole[:position], whole[:position] + b"\xff" + whole[position + 1 :]):
            file.write_bytes(damaged)
            try:
                assert _load(folder).train_images.shape == (3, 1, 2, 3)
            except DataError:
                continue


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, scan = _folder(tmp_path / "images"), os.scandir

    def refuse(place: Path) -> object:
        if place.name == "dog":
            raise PermissionError(13, "Permission denied")
        return scan(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot read the folder .*train/dog: Permission denied$"):
        _load(folder)


def test_more_images_than_a_thread_takes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(tmp_path)
    for level in range(20):
        _save(folder / f"train/dog/{level:02d}.png", _grey(level))
    monkeypatch.setattr(imagefolder, "_AT_ONCE", 3)
    assert _load(folder).train_images[:, 0, 0, 0].tolist() == [10, 11, *range(20), 20]


def test_a_path_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"needs a path \(data.path, or --data imagefolder:PATH\)"):
        data.load("imagefolder")


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _folder(tmp_path / "images")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data.load("imagefolder", "~/images").classes == ("cat", "dog")
