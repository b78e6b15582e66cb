"""Counts of stored masks in tiles: exact, bounded, resumable."""

from pathlib import Path

import numpy as np
import pytest

from masklab import bits
from masklab.analysis import tiles
from masklab.archive import Archive, files
from masklab.errors import ArchiveError, ConfigError
from tests.analysis import builder


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    masks = builder.random_masks({"a": 0.5, "b": 0.2}, 7)
    return builder.build(tmp_path_factory.mktemp("tiles") / "study", masks)


def _oracle(archive: Archive) -> np.ndarray:
    found = []
    for layer in archive.study["network"]["layers"]:
        rows = np.stack([archive.mask(own)[layer["name"]].ravel() for own in archive.ids]).astype(np.int64)
        found.append(rows @ rows.T)
    return np.stack(found)


def test_counts_are_the_gram_matrices(archive: Archive) -> None:
    np.testing.assert_array_equal(tiles.count(archive, archive.ids), _oracle(archive))


@pytest.mark.parametrize("band", [1, 3, 5])
def test_bands_give_the_same_counts(archive: Archive, monkeypatch: pytest.MonkeyPatch, band: int) -> None:
    monkeypatch.setattr(tiles, "_LONG", band**2 * 576.0)
    out = np.zeros((4, 14, 14), dtype=np.uint32)
    assert tiles.count(archive, archive.ids, threads=2, out=out) is out
    np.testing.assert_array_equal(out, _oracle(archive))


def test_little_memory_reads_two_bands_at_a_time(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = max(bits.packed_size(layer["size"]) for layer in archive.study["network"]["layers"])
    read: list[int] = []
    plain = Archive.packed

    def packed(self: Archive, layer: str, ids: list[str]) -> np.ndarray:
        read.append(len(ids))
        return plain(self, layer, ids)

    monkeypatch.setattr(Archive, "packed", packed)
    found = tiles.count(archive, archive.ids, memory=largest * 12)
    np.testing.assert_array_equal(found, _oracle(archive))
    assert min(read) <= 3  # of the largest layer three masks are a band: two bands are half of the memory
    with pytest.raises(ConfigError, match=r"memory of 10 bytes is too little; it takes at least"):
        tiles.count(archive, archive.ids, memory=10)


def test_an_analysis_needs_some_memory() -> None:
    tiles.require([8000], 2**26)
    with pytest.raises(ConfigError, match=r"memory of 67,108,863 bytes is too little; .* 67,108,864"):
        tiles.require([8000], 2**26 - 1)
    with pytest.raises(ConfigError, match=r"at least 268,435,456"):
        tiles.require([80, 2**27], 2**26)


def test_every_pair_is_in_exactly_one_tile() -> None:
    for members, memory in ((1, 4000), (10, 4000), (13, 700)):
        seen = np.zeros((2, members, members), dtype=int)
        for tile in tiles.plan(members, [800, 80], memory):
            seen[tile.layer, tile.rows, tile.columns] += 1
            assert (tile.rows.stop - tile.rows.start) * 100 * 2 <= max(memory, members * 200)
        upper = np.triu_indices(members)
        assert (seen[0][upper] == 1).all()
        assert (seen[1][upper] == 1).all()


def test_what_was_counted_is_not_counted_again(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "_LONG", 16 * 576.0)
    monkeypatch.setattr(tiles, "_KEPT", 0.0)
    folder = tmp_path / "tiles"
    told: list[tuple[int, int]] = []

    def stop(done: int, of: int) -> None:
        told.append((done, of))
        if done == of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiles.count(archive, archive.ids, folder=folder, advance=stop)
    kept = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(kept) == told[-1][0]
    damaged, short = sorted(folder.iterdir())[:2]
    damaged.write_bytes(damaged.read_bytes()[:-30])
    np.savez(short, counts=np.zeros((1, 1), dtype=np.uint32))
    counted: list[int] = []
    plain = bits.intersections

    def count(*rows: np.ndarray, threads: int, out: np.ndarray) -> np.ndarray:
        counted.append(1)
        return plain(*rows, threads=threads, out=out)

    monkeypatch.setattr(bits, "intersections", count)
    found = tiles.count(archive, archive.ids, folder=folder)
    np.testing.assert_array_equal(found, _oracle(archive))
    assert len(counted) == told[-1][1] - len(kept) + 2
    tiles.clear(folder, tiles.key(archive, archive.ids[::-1]))
    assert folder.exists()  # somebody may be counting them
    tiles.clear(folder, tiles.key(archive, archive.ids))
    assert not folder.exists()
    tiles.clear(tmp_path / "nothing", "none")


def test_tiles_of_other_masks_are_not_taken(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "_KEPT", 0.0)
    tiles.count(archive, archive.ids, folder=tmp_path)
    reverse = archive.ids[::-1]
    found = tiles.count(archive, reverse, folder=tmp_path)
    np.testing.assert_array_equal(found, _oracle(archive)[:, ::-1, ::-1])


def test_a_folder_that_cannot_be_written_is_one_error(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "_KEPT", 0.0)
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError):
        tiles.count(archive, archive.ids, folder=files.location(tmp_path / "file" / "tiles"))
