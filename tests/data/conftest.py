"""Nothing that a data set keeps may land in the user's own folders."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test alone."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MASKLAB_CACHE", str(folder))
    monkeypatch.setenv("MASKLAB_DATA", str(folder / "data"))
    return folder
