"""The catalogue is a cache: it makes nothing wrong, and whatever happens to it loses nothing."""

import errno
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from masklab.archive import Archive, catalogue, container, directory, files, member
from masklab.archive.directory import Stock
from masklab.errors import ArchiveError

from . import changed, samples

POPULATIONS = {"biprop-d0.5": 3, "edge-popup-d0.1": 2}
PATH = Path("members") / "biprop-d0.5" / "0001.safetensors"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    samples.archive(tmp_path, POPULATIONS)
    return tmp_path


def _everything(archive: Archive) -> tuple[object, ...]:
    rows = {layer: archive.packed(layer).tobytes() for layer in samples.SHAPES}
    return archive.ids, archive.rows, archive.blocks, archive.summaries, rows


def _opened(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the members whose files an archive opens from now on."""
    seen: list[str] = []
    real = Archive._open

    def spy(self: Archive, member_id: str) -> member.Member:
        seen.append(member_id)
        return real(self, member_id)

    monkeypatch.setattr(Archive, "_open", spy)
    return seen


def test_what_comes_from_the_catalogue_is_what_the_files_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _everything(Archive(folder))
    assert (folder / catalogue.NAME).exists()
    again = Archive(folder)
    opened = _opened(again, monkeypatch)
    assert _everything(again) == first
    assert opened == []
    for own in again.ids:
        stored = member.Member(again._paths[own])
        for layer in samples.SHAPES:
            np.testing.assert_array_equal(again.packed(layer, [own])[0], stored.packed(layer))


Harm = Callable[[Path], object]
HARMS: dict[str, Harm] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "something else": lambda path: path.write_bytes(b"not\na catalogue\n" * 50),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a list": lambda path: _sealed(path, b"[]\n"),
    "an empty index": lambda path: _sealed(path, b"{}\n"),
    "no JSON": lambda path: _sealed(path, b"\xff\xfe\n"),
    "no facts": lambda path: _changed(path, b'"digest"', b'"number"'),
    "another version": lambda path: _changed(path, b'"version": 1', b'"version": 9'),
    "other layers": lambda path: _changed(path, b'"fc"', b'"f2"'),
    "other shapes": lambda path: _changed(path, b'["fc", [4, 5]]', b'["fc", [5, 4]]'),
}


def _changed(path: Path, before: bytes, after: bytes) -> None:
    """Another text in a catalogue whose checksum fits."""
    rest = path.read_bytes().partition(b"\n")[2]
    assert before in rest
    _sealed(path, rest.replace(before, after, 1))


def _sealed(path: Path, rest: bytes) -> None:
    path.write_bytes(container.digest(rest).encode() + b"\n" + rest)


@pytest.mark.parametrize("harm", HARMS)
def test_a_catalogue_that_cannot_be_used_is_made_anew(folder: Path, harm: str) -> None:
    first = _everything(Archive(folder))
    HARMS[harm](folder / catalogue.NAME)
    assert _everything(Archive(folder)) == first
    assert _everything(Archive(folder)) == first


def test_every_flipped_bit_of_the_catalogue_is_harmless(folder: Path) -> None:
    first = _everything(Archive(folder))
    whole = (folder / catalogue.NAME).read_bytes()
    for at in np.random.RandomState(0).choice(len(whole), 300, replace=False):
        data = bytearray(whole)
        data[at] ^= 1 << (at % 8)
        (folder / catalogue.NAME).write_bytes(data)
        assert _everything(Archive(folder)) == first, f"bit {at % 8} of byte {at}"


def test_a_replaced_member_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Archive(folder).rows  # noqa: B018
    content = samples.content("biprop-d0.5", 1, drawn=samples.masks(99, 0.5))
    member.write(folder / PATH, content)
    archive = Archive(folder)
    opened = _opened(archive, monkeypatch)
    np.testing.assert_array_equal(
        archive.packed("fc", ["biprop-d0.5/0001"])[0], np.packbits(content.masks["fc"], bitorder="little")
    )
    assert opened == ["biprop-d0.5/0001"]


def test_members_that_come_and_go_are_noticed(folder: Path) -> None:
    before = Archive(folder)
    assert len(before.rows) == 5
    kept = (folder / PATH).read_bytes()
    (folder / PATH).unlink()
    assert "biprop-d0.5/0001" not in Archive(folder).summaries
    (folder / PATH).write_bytes(kept)
    assert _everything(Archive(folder)) == _everything(before)


def test_another_population_digest_is_noticed(folder: Path) -> None:
    Archive(folder).rows  # noqa: B018
    record = files.read_json(folder / directory.STUDY)
    record["populations"][0]["digest"] = "another"
    files.write_json(folder / directory.STUDY, record)
    with pytest.raises(ArchiveError, match=r"0000.safetensors was trained under another recipe"):
        Archive(folder).rows  # noqa: B018


def test_damage_behind_an_unchanged_signature_is_found_when_the_mask_is_read(folder: Path) -> None:
    Archive(folder).rows  # noqa: B018
    path, status = folder / PATH, (folder / PATH).stat()
    begin, length, _ = member.Member(path).frame("fc")
    with path.open("r+b") as file:  # in place: neither size nor inode change
        file.seek(begin + length - 1)
        last = file.read(1)[0]
        file.seek(begin + length - 1)
        file.write(bytes([last ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    archive = Archive(folder)
    assert archive._stock.signature("biprop-d0.5", 1) == Stock(folder).signature("biprop-d0.5", 1)
    with pytest.raises(ArchiveError, match=r"0001.safetensors: tensor 'mask/fc' is damaged"):
        archive.packed("fc")
    archive.packed("conv1")


def test_another_codec_behind_the_catalogue_is_decoded_from_the_file(folder: Path) -> None:
    Archive(folder).rows  # noqa: B018
    archive = Archive(folder)
    expected = archive.packed("fc").tobytes()
    for wrong in (2, 200):
        entry = archive._catalogue["biprop-d0.5/0001"]
        frames = entry.frames.copy()
        frames["codec"] = wrong
        archive._catalogue["biprop-d0.5/0001"] = replace(entry, frames=frames)
        assert archive.packed("fc").tobytes() == expected


def test_a_directory_that_cannot_be_written_is_read_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert len(Archive(folder).rows) == 5
    assert not (folder / catalogue.NAME).exists()


def test_an_unchanged_catalogue_is_not_written_again(folder: Path) -> None:
    Archive(folder).rows  # noqa: B018
    before = (folder / catalogue.NAME).stat()
    Archive(folder).rows  # noqa: B018
    assert (folder / catalogue.NAME).stat().st_ino == before.st_ino


def test_a_copied_directory_brings_its_own(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    first = _everything(Archive(folder))
    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("copy") / "study"))
    assert _everything(Archive(copy)) == first


def test_a_damaged_member_is_named_by_whoever_makes_the_catalogue(folder: Path) -> None:
    changed.rewrite(folder / PATH, lambda document, _: document.update(index=7))
    with pytest.raises(ArchiveError, match=r"0001.safetensors holds member biprop-d0.5/0007"):
        Archive(folder).rows  # noqa: B018


def test_descriptions_do_not_pile_up_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "_OPENED", 2)
    archive = Archive(folder)
    for own in archive.ids * 2:
        assert archive.member(own).id == own
        assert len(archive._opened) <= 2


def test_a_layer_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ArchiveError, match="has no layer 'fc9'; it has conv2, conv1, fc"):
        Archive(folder).packed("fc9")


def test_one_damaged_member_leaves_the_masks_of_the_others(folder: Path) -> None:
    sound, rest = ["biprop-d0.5/0000", "edge-popup-d0.1/0001"], Archive(folder)
    expected = rest.packed("fc", sound)
    assert not (folder / catalogue.NAME).exists()  # for a few members none is made
    (folder / PATH).write_bytes(b"damaged")
    np.testing.assert_array_equal(Archive(folder).packed("fc", sound), expected)
    with pytest.raises(ArchiveError, match=r"0001\.safetensors"):
        Archive(folder).packed("fc")


ODD: dict[str, changed.Change] = {
    "no digest": lambda document, _: document.pop("digest"),
    "no best epoch": lambda document, _: document["accuracy"].update(best="x"),
    "an odd epoch": lambda document, _: document["accuracy"].update(best={"epoch": "x"}),
    "no loss": lambda document, _: document["history"].update(loss=["much"]),
    "no number": lambda document, _: document["accuracy"].update(validation=True),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_the_table_cannot_hold_is_one_line(folder: Path, odd: str) -> None:
    changed.rewrite(folder / PATH, ODD[odd])
    with pytest.raises(ArchiveError, match=r"0001\.safetensors"):
        Archive(folder).members  # noqa: B018


def test_an_infinite_accuracy_is_one_line(folder: Path) -> None:
    data = (folder / PATH).read_bytes()
    document, _ = changed.parts(data)
    (length,) = struct.unpack("<Q", data[:8])
    text = changed.text_of(document)
    assert '"test":0.51' in text
    text = text.replace('"test":0.51', '"test":1e999')
    (folder / PATH).write_bytes(changed.header(document, text) + data[8 + length :])
    with pytest.raises(ArchiveError, match=r"0001\.safetensors"):
        Archive(folder).members  # noqa: B018
