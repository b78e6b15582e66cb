"""Published data sets, from files of the published formats that are made here; nothing is downloaded."""

import hashlib
import pickle
import struct
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets

from masklab import data
from masklab.errors import DataError

MNIST = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
CIFAR = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
FOLDERS = {name: f"{folder}/raw" for name, folder in MNIST.items()} | CIFAR


def _idx(array: np.ndarray) -> bytes:
    """The format of MNIST: two zero bytes, type (8 = uint8), axes, lengths (big-endian), values."""
    lengths = b"".join(struct.pack(">I", length) for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.astype(np.uint8).tobytes()


def _write_mnist(folder: Path) -> dict[str, np.ndarray]:
    folder.mkdir(parents=True)
    random, arrays = np.random.RandomState(0), {}
    for part, count in (("train", 12), ("t10k", 5)):
        arrays[f"{part}-images"] = random.randint(0, 256, (count, 28, 28))
        arrays[f"{part}-labels"] = random.randint(0, 10, count)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(_idx(arrays[f"{part}-images"]))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(_idx(arrays[f"{part}-labels"]))
    return arrays


def _pickled(path: Path, content: dict[str, Any]) -> str:
    path.write_bytes(pickle.dumps(content, protocol=2))
    return hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324 - the published checksums are MD5


def _write_cifar(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Batches of rows of 3,072 bytes, and their checksums where torchvision looks for them."""
    folder.mkdir(parents=True)
    random, arrays = np.random.RandomState(0), {}
    ten = name == "cifar10"
    source = datasets.CIFAR10 if ten else datasets.CIFAR100
    train = [f"data_batch_{number}" for number in range(1, 6)] if ten else ["train"]
    checksums = {}
    for file in (*train, "test_batch" if ten else "test"):
        arrays[file] = random.randint(0, 256, (4, 3072)).astype(np.uint8)
        arrays[f"{file} labels"] = labels = random.randint(0, 10, 4)
        content = {"data": arrays[file], "labels" if ten else "fine_labels": labels.tolist()}
        checksums[file] = _pickled(folder / file, content)
    names = [f"class {number}" for number in range(10 if ten else 100)]
    meta = {**source.meta, "md5": _pickled(folder / source.meta["filename"], {source.meta["key"]: names})}
    monkeypatch.setattr(source, "train_list", [[file, checksums[file]] for file in train])
    monkeypatch.setattr(source, "test_list", [[file, checksums[file]] for file in checksums.keys() - train])
    monkeypatch.setattr(source, "meta", meta)
    return arrays


@pytest.mark.parametrize("name", MNIST)
def test_mnist(tmp_path: Path, name: str) -> None:
    arrays = _write_mnist(tmp_path / FOLDERS[name])
    loaded = data.load(name, str(tmp_path))
    assert loaded.input_shape == (1, 28, 28)
    np.testing.assert_array_equal(loaded.train_images[:, 0], arrays["train-images"])
    np.testing.assert_array_equal(loaded.test_images[:, 0], arrays["t10k-images"])
    np.testing.assert_array_equal(loaded.train_labels, arrays["train-labels"])
    np.testing.assert_array_equal(loaded.test_labels, arrays["t10k-labels"])
    assert len(loaded.classes) == 10
    assert loaded.classes[1] == {"mnist": "1 - one", "fashion-mnist": "Trouser"}[name]


@pytest.mark.parametrize("name", CIFAR)
def test_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    arrays = _write_cifar(name, tmp_path / FOLDERS[name], monkeypatch)
    loaded = data.load(name, str(tmp_path))
    ten = name == "cifar10"
    train = [f"data_batch_{number}" for number in range(1, 6)] if ten else ["train"]
    test = "test_batch" if ten else "test"
    assert loaded.input_shape == (3, 32, 32)
    # a row holds the red plane, then green, then blue
    rows = np.concatenate([arrays[file] for file in train])
    np.testing.assert_array_equal(loaded.train_images.reshape(-1, 3072), rows)
    np.testing.assert_array_equal(loaded.test_images.reshape(-1, 3072), arrays[test])
    labels = np.concatenate([arrays[f"{file} labels"] for file in train])
    np.testing.assert_array_equal(loaded.train_labels, labels)
    np.testing.assert_array_equal(loaded.test_labels, arrays[f"{test} labels"])
    assert loaded.classes == tuple(f"class {number}" for number in range(10 if ten else 100))
    assert loaded.train_images.flags.c_contiguous


@pytest.mark.parametrize("download", [False, True])
def test_the_default_folder_and_no_network_for_what_is_there(
    cache: Path, monkeypatch: pytest.MonkeyPatch, download: bool
) -> None:
    _write_mnist(cache / "data" / FOLDERS["mnist"])
    monkeypatch.setattr("urllib.request.urlopen", _no_network)
    assert data.load("mnist", download=download).train_images.shape == (12, 1, 28, 28)


def _no_network(*_: Any, **__: Any) -> Any:
    raise urllib.error.URLError("no\nnetwork")


@pytest.mark.parametrize("name", FOLDERS)
def test_missing_files_are_never_downloaded_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def used(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was used")

    monkeypatch.setattr("urllib.request.urlopen", used)
    with pytest.raises(
        DataError,
        match=rf"{name}: there is no {tmp_path}/{FOLDERS[name]}/.*; set data.download = true \(or --set "
        rf"data.download=true\), or data.path = folder that holds {FOLDERS[name]}$",
    ):
        data.load(name, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FOLDERS)
def test_a_failed_download_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", _no_network)
    with pytest.raises(DataError, match=rf"{name}: cannot download into {tmp_path} \(.*network") as caught:
        data.load(name, str(tmp_path), download=True)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"mnist: cannot download into .* \(cannot make .*Not a directory"):
        data.load("mnist", str(tmp_path / "file" / "below"), download=True)


def test_a_download_fills_the_folder_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fetched(url: str, download_root: str, **_: Any) -> None:
        sys.stdout.write("100 %")
        sys.stderr.write("100 %")
        if not Path(download_root, "train-images-idx3-ubyte").exists():
            Path(download_root).rmdir()
            _write_mnist(Path(download_root))

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", fetched)
    assert data.load("mnist", str(tmp_path), download=True).test_images.shape == (5, 1, 28, 28)
    assert capfd.readouterr() == ("", "")


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _type(file: Path) -> None:
    file.write_bytes(b"\0\0\x0d" + file.read_bytes()[3:])


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("damage", [_cut, _empty, _type])
def test_damaged_files_of_mnist(tmp_path: Path, file: str, damage: Callable[[Path], None]) -> None:
    folder = tmp_path / FOLDERS["mnist"]
    _write_mnist(folder)
    damage(folder / file)
    with pytest.raises(
        DataError, match=rf"mnist: {folder} is damaged \(.+\); remove it, and set data.download = true$"
    ):
        data.load("mnist", str(tmp_path))


def test_every_changed_byte_of_a_header_is_damage_or_a_data_set(tmp_path: Path) -> None:
    folder = tmp_path / FOLDERS["mnist"]
    _write_mnist(folder)
    refused = 0
    for file in sorted(folder.iterdir()):
        whole = file.read_bytes()
        for position in range(16):
            for value in (0, 1, 9, 10, 14, 15, 128, 255):
                file.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
                try:
                    data.load("mnist", str(tmp_path))
                except DataError as error:
                    assert "\n" not in str(error)
                    refused += 1
        file.write_bytes(whole)
    assert refused > 200


@pytest.mark.parametrize("file", ["data_batch_3", "test_batch", "batches.meta"])
def test_damaged_files_of_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    folder = tmp_path / FOLDERS["cifar10"]
    _write_cifar("cifar10", folder, monkeypatch)
    _cut(folder / file)
    with pytest.raises(DataError, match=rf"cifar10: {folder} is damaged \(.*not found or corrupted"):
        data.load("cifar10", str(tmp_path))


def test_labels_beyond_the_classes(tmp_path: Path) -> None:
    folder = tmp_path / FOLDERS["mnist"]
    _write_mnist(folder)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(_idx(np.full(5, 10)))
    with pytest.raises(DataError, match=r"is damaged \(test labels reach 10; there are 10 classes\)"):
        data.load("mnist", str(tmp_path))


def test_images_of_another_shape(tmp_path: Path) -> None:
    folder = tmp_path / FOLDERS["mnist"]
    _write_mnist(folder)
    (folder / "t10k-images-idx3-ubyte").write_bytes(_idx(np.zeros((5, 28, 27))))
    with pytest.raises(DataError, match=r"training images are \(1, 28, 28\), test images \(1, 28, 27\)"):
        data.load("mnist", str(tmp_path))


def test_loading_prints_nothing(tmp_path: Path) -> None:
    _write_mnist(tmp_path / FOLDERS["mnist"])
    code = "import sys; from masklab import data; data.load('mnist', sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
