import copy
from pathlib import Path
from typing import Any

import pytest

from .. import builder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of all pruners."""
    return tmp_path_factory.mktemp("methods")


@pytest.fixture(scope="session")
def whole(folder: Path) -> dict[str, Any]:
    return builder.build(folder, populations=7, members=3, landscape=True)


@pytest.fixture
def results(whole: dict[str, Any]) -> dict[str, Any]:
    """Its results, to be changed."""
    return copy.deepcopy(whole)
