import pytest

from masklab.report import load

from . import studies


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> load.Analysis:
    """Three populations of six members over two draws of base weights, 153 curves."""
    return studies.small(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> load.Analysis:
    """The same with hostile names; the accuracy of its first member is not known."""
    return studies.hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="session")
def thousand(small: load.Analysis, tmp_path_factory: pytest.TempPathFactory) -> load.Analysis:
    """A thousand members."""
    return studies.many(small, tmp_path_factory.mktemp("thousand"), 1000)
