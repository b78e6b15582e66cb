"""The second start reads what the first one decoded; whatever is wrong with it is noticed."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from masklab import data
from masklab.archive import files
from masklab.data import image_cache, imagefolder
from masklab.errors import DataError

PLACES = ("train/cat/a", "train/cat/b", "train/dog/a", "test/cat/a", "test/dog/a")


def _settle(folder: Path, seconds_ago: float = 1000.0) -> None:
    """Make every image old enough to be kept."""
    for place in folder.glob("*/*/*"):
        when = time.time() - seconds_ago
        os.utime(place, (when, when))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five coloured images, changed long ago."""
    random = np.random.RandomState(0)
    for place in PLACES:
        path = tmp_path / "images" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.randint(0, 256, (4, 5, 3)).astype(np.uint8)).save(path)
    _settle(tmp_path / "images")
    return tmp_path / "images"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every image that is decoded from now on."""
    seen: list[Path] = []
    decode = imagefolder._decode

    def watch(file: Path) -> np.ndarray:
        seen.append(file)
        return decode(file)

    monkeypatch.setattr(imagefolder, "_decode", watch)
    return seen


def _load(folder: Path) -> data.Data:
    return data.load("imagefolder", str(folder))


def _kept(cache: Path) -> list[Path]:
    return sorted((cache / "images").glob("*")) if (cache / "images").exists() else []


def test_the_second_start_decodes_nothing_and_has_the_same_content(
    folder: Path, cache: Path, decoded: list[Path]
) -> None:
    first = _load(folder)
    assert len(set(decoded)) == 5
    decoded.clear()
    again = _load(folder)
    assert decoded == []
    assert data.content_digest(again) == data.content_digest(first)
    assert again.train_images.flags.writeable
    assert len(_kept(cache)) == 1


def test_one_folder_has_one_file_by_whatever_name_it_is_reached(
    folder: Path, cache: Path, tmp_path: Path, decoded: list[Path]
) -> None:
    _load(folder)
    (tmp_path / "link").symlink_to(folder)
    decoded.clear()
    _load(tmp_path / "link")
    _load(folder / ".." / "images")
    assert decoded == []
    assert len(_kept(cache)) == 1


def _repaint(folder: Path) -> None:
    path = folder / "train/dog/a.png"
    Image.fromarray(np.full((4, 5, 3), 9, np.uint8)).save(path)
    _settle(folder, 500)


def _touch(folder: Path) -> None:
    os.utime(folder / "test/dog/a.png", (1, 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "other content": _repaint,
    "other time of change": _touch,
    "one image more": lambda folder: (folder / "train/dog/b.png").write_bytes(
        (folder / "train/dog/a.png").read_bytes()
    ),
    "one image fewer": lambda folder: (folder / "train/cat/b.png").unlink(),
    "other name": lambda folder: (folder / "train/cat/b.png").rename(folder / "train/cat/0.png"),
    "other class": lambda folder: (folder / "train/cat/b.png").rename(folder / "train/dog/b.png"),
    "other class name": lambda folder: [
        (folder / part / "dog").rename(folder / part / "emu") for part in ("train", "test")
    ],
    "other name of the test folder": lambda folder: (folder / "test").rename(folder / "val"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changed_is_decoded_anew_and_kept_anew(
    folder: Path, cache: Path, decoded: list[Path], change: str
) -> None:
    _load(folder)
    CHANGES[change](folder)
    for place in folder.glob("*/*/*"):  # a new image must be old enough to be kept
        if time.time() - place.stat().st_mtime < 100:
            os.utime(place, (2, 2))
    decoded.clear()
    fresh = _load(folder)
    assert decoded != []
    decoded.clear()
    again = _load(folder)
    assert decoded == []
    assert data.content_digest(again) == data.content_digest(fresh)
    assert len(_kept(cache)) == 1
    expected = [np.asarray(Image.open(file)) for file in sorted((folder / "train").glob("*/*"))]
    np.testing.assert_array_equal(again.train_images, np.stack(expected).transpose(0, 3, 1, 2))


def test_another_version_of_the_decoder_decodes_anew(
    folder: Path, decoded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(folder)
    decoded.clear()
    monkeypatch.setattr("PIL.__version__", "0.0")
    _load(folder)
    assert decoded != []


def test_another_format_is_decoded_anew(
    folder: Path, decoded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(folder)
    decoded.clear()
    monkeypatch.setattr(image_cache, "_FORMAT", 2)
    _load(folder)
    assert decoded != []


def test_a_folder_that_is_still_being_written_is_not_kept(folder: Path, cache: Path) -> None:
    now = time.time()
    os.utime(folder / "train/cat/a.png", (now, now))
    _load(folder)
    assert _kept(cache) == []


def test_images_from_the_future_are_kept(folder: Path, cache: Path) -> None:
    _settle(folder, -10_000)
    _load(folder)
    assert len(_kept(cache)) == 1


def test_every_flipped_bit_and_every_truncation_is_noticed(
    folder: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _load(folder)
    (file,) = _kept(cache)
    whole = file.read_bytes()
    header = json.loads(whole.split(b"\n")[0])
    fingerprint = header["fingerprint"]
    assert image_cache.read(folder, fingerprint) is not None
    start, form = whole.index(fingerprint.encode()), whole.index(b'"format":1') + len('"format":')
    for position in range(len(whole)):
        flipped = whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
        for damaged in (whole[:position], flipped):
            caplog.clear()
            file.write_bytes(damaged)
            assert image_cache.read(folder, fingerprint) is None
            stale = damaged is flipped and (start <= position < start + 64 or position == form)
            assert len(caplog.messages) == (0 if stale else 1)
            assert all("cannot be used" in text and "\n" not in text for text in caplog.messages)


def test_a_damaged_file_is_written_anew(
    folder: Path, cache: Path, decoded: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    expected = data.content_digest(_load(folder))
    (file,) = _kept(cache)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    decoded.clear()
    assert data.content_digest(_load(folder)) == expected
    assert decoded != []
    assert len(caplog.messages) == 1
    assert file.read_bytes() == whole


SHAPES = ("[1,2]", "[0,1,1,1]", "[true,1,1,1]", "7", "[1000000000,3,9999,9999]")
HEADER = '{"format":1,"fingerprint":"F","train":%s,"test":[1,1,1,1],"digest":""}'


@pytest.mark.parametrize("header", ["[]", "7", "[" * 1000, '{"format":1}', *(HEADER % s for s in SHAPES)])
def test_a_header_of_another_make_is_refused(
    folder: Path, cache: Path, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    _load(folder)
    (file,) = _kept(cache)
    file.write_bytes(header.encode() + b"\n" + bytes(40))
    assert image_cache.read(folder, "F") is None
    assert len(caplog.messages) == 1
    assert "cannot be used" in caplog.messages[0]


def test_a_cache_that_cannot_be_written_is_one_warning(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MASKLAB_CACHE", str(tmp_path / "file" / "below"))
    assert _load(folder).train_images.shape == (3, 3, 4, 5)
    (message,) = [record.getMessage() for record in caplog.records if "cannot be kept" in record.getMessage()]
    assert "Not a directory" in message


def test_a_full_disk_is_one_warning_and_leaves_nothing(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert _load(folder).train_images.shape == (3, 3, 4, 5)
    assert [message for message in caplog.messages if "No space left on device" in message] == caplog.messages
    assert len(caplog.messages) == 1
    assert _kept(cache) == []


def test_a_failed_write_leaves_the_last_file(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(folder)
    (file,) = _kept(cache)
    whole = file.read_bytes()
    _touch(folder)
    monkeypatch.setattr(files, "canonical_json", lambda document: (_ for _ in ()).throw(OSError("no")))
    _load(folder)
    assert _kept(cache) == [file]
    assert file.read_bytes() == whole


def test_a_user_without_a_home_folder_decodes_every_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MASKLAB_CACHE", "~no-such-user/cache")
    assert _load(folder).train_images.shape == (3, 3, 4, 5)
    assert all("set MASKLAB_DATA and MASKLAB_CACHE" in message for message in caplog.messages)
    assert caplog.messages


def test_what_a_killed_process_left_is_swept(folder: Path, cache: Path) -> None:
    (cache / "images").mkdir()
    stray = cache / "images" / ".masklab-abc.tmp"
    stray.write_bytes(b"half")
    os.utime(stray, (1, 1))
    _load(folder)
    assert not stray.exists()


def test_the_last_of_two_writers_wins(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one process writes, another one reads and writes: both are served, one file is left."""
    replace, meanwhile = Path.replace, []

    def interrupted(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        meanwhile.append(data.content_digest(_load(folder)))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    first = data.content_digest(_load(folder))
    assert meanwhile == [first]
    assert len(_kept(cache)) == 1
    assert data.content_digest(_load(folder)) == first


def test_bad_folders_are_never_kept(folder: Path, cache: Path) -> None:
    (folder / "train/dog/a.png").write_bytes(b"text")
    _settle(folder)
    with pytest.raises(DataError, match="is not a readable image"):
        _load(folder)
    assert _kept(cache) == []


def test_images_are_read_as_bytes_and_never_unpickled(folder: Path, cache: Path) -> None:
    expected = _load(folder)
    (file,) = _kept(cache)
    pixels = expected.train_images.tobytes() + expected.test_images.tobytes()
    assert file.read_bytes().split(b"\n", 1)[1] == pixels
