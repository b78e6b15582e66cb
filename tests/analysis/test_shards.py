"""Tiles that are counted in parts: disjoint, complete, and whatever is not of these masks is refused."""

from pathlib import Path

import numpy as np
import pytest

from masklab.analysis import parts, sections, tiles
from masklab.archive import Archive, directory
from masklab.errors import MasklabError
from masklab.training import shards
from tests.analysis import builder

_MEMORY = 2**26


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return builder.build(tmp_path / "study", builder.random_masks({"a": 0.5, "b": 0.2}, 4))


def _tiled(archive: Archive) -> tiles.Tiles:
    found = sections.tiled(archive, _MEMORY, archive.directory / directory.ANALYSIS / tiles.FOLDER)
    assert found is not None
    return found


def test_parts_are_disjoint_and_complete(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_LONG", 9 * 576.0)
    expected = sections.gather(archive, memory=_MEMORY).distances
    places = range(len(_tiled(archive).plan))
    assert len(places) > 12
    for shard in (shards.Shard(number, 3) for number in (3, 1, 2)):
        own = [place for place in places if shard.owns(place)]
        before = _tiled(archive).missing()
        assert [_tiled(archive).keep(place, 1) for place in own] == [True] * len(own)
        assert _tiled(archive).missing() == [place for place in before if place not in own]
    assert not _tiled(archive).keep(0, 1)
    members = _folder(archive).parents[1] / directory.MEMBERS
    members.rename(members.with_name("away"))  # no mask is read again
    found = tiles.count(archive, archive.ids, memory=_MEMORY, folder=_folder(archive))
    assert expected is not None
    np.testing.assert_array_equal(found, expected.intersections)


def _folder(archive: Archive) -> Path:
    return Path(str(archive.directory)) / directory.ANALYSIS / tiles.FOLDER


def test_a_damaged_tile_is_missing_and_counted_again(archive: Archive) -> None:
    for place in range(4):
        assert parts.keep(archive.directory, _MEMORY, _tiled(archive).key, place)
    kept = sorted(_folder(archive).iterdir())
    whole = kept[2].read_bytes()
    kept[2].write_bytes(whole[:-30])
    assert _tiled(archive).missing() == [2]
    assert [parts.keep(archive.directory, _MEMORY, _tiled(archive).key, place) for place in range(4)] == [
        False,
        False,
        True,
        False,
    ]
    assert kept[2].read_bytes() == whole


def test_a_worker_that_sees_other_members_says_so(archive: Archive) -> None:
    with pytest.raises(MasklabError, match=r"a worker sees other members in .*study than the process"):
        parts.keep(archive.directory, _MEMORY, "another key", 0)
    assert not _folder(archive).exists()


def test_pairs_that_do_not_fit_have_no_tiles(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "_FLOATS_PER_PAIR", _MEMORY)
    assert sections.tiled(archive, _MEMORY, _folder(archive)) is None
