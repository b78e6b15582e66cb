from pathlib import Path

import pytest

from masklab.data import locations
from masklab.errors import DataError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MASKLAB_CACHE", "MASKLAB_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_without_variables_everything_is_in_the_users_cache(home: Path) -> None:
    assert locations.cache_folder() == home / ".cache" / "masklab"
    assert locations.data_folder() == home / ".cache" / "masklab" / "data"


def test_the_standard_variable_moves_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch/me")
    assert locations.cache_folder() == Path("/scratch/me/masklab")
    assert locations.data_folder() == Path("/scratch/me/masklab/data")


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_an_empty_or_relative_standard_variable_is_ignored(
    home: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert locations.cache_folder() == home / ".cache" / "masklab"


def test_own_variables_move_one_each(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch/me")
    monkeypatch.setenv("MASKLAB_CACHE", "~/here")
    monkeypatch.setenv("MASKLAB_DATA", "/there")
    assert locations.cache_folder() == home / "here"
    assert locations.data_folder() == Path("/there")
    monkeypatch.setenv("MASKLAB_DATA", "")
    assert locations.data_folder() == Path("/scratch/me/masklab/data")


def test_no_home_folder_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLAB_DATA", "~no-such-user/x")
    with pytest.raises(DataError, match="MASKLAB_DATA: '~no-such-user/x' cannot be found"):
        locations.data_folder()


def test_folders_and_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert locations.is_folder(tmp_path) and not locations.is_folder(tmp_path / "file")
    assert locations.is_file(tmp_path / "file") and not locations.is_file(tmp_path)
    for look in (locations.is_folder, locations.is_file):
        with pytest.raises(DataError, match=r"cannot look at x+: File name too long"):
            look(Path("x" * 5000))
