"""A trained study that several files of tests plan, change and evaluate."""

import shutil
from pathlib import Path

import pytest

from tests.landscape import contexts


@pytest.fixture(scope="session")
def original(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    members = {"edge-popup": 4, "biprop": 4, "edge-popup+recycle": 3}
    populations = [{"pruner": name, "members": number} for name, number in members.items()]
    out = tmp_path_factory.mktemp("plans") / "study"
    return contexts.trained(images, out, populations, study={"snapshots": [0, 2]})


@pytest.fixture
def stored(original: Path, tmp_path: Path) -> Path:
    """A directory that a test may change."""
    return shutil.copytree(original, tmp_path / "study")
