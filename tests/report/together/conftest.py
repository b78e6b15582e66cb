from collections.abc import Callable

import pytest

from .. import builder
from . import studies

Base = Callable[[], studies.Row]


@pytest.fixture(scope="session")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Makes three pruners at density 0.5, four members each over two draws, without what is not drawn."""
    folder = tmp_path_factory.mktemp("base")
    results = builder.build(folder, populations=3, members=4, landscape=True)
    results["populations"][2]["options"] = {"rate": 0.2, "period": 3}
    return lambda: studies.spread(results, [0.5])


@pytest.fixture
def base(slim: Base) -> studies.Row:
    """Three pruners at density 0.5."""
    return slim()


@pytest.fixture
def dense(base: studies.Row) -> studies.Row:
    """The same at five densities."""
    return studies.spread(base, studies.DENSITIES)
