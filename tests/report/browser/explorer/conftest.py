from collections.abc import Callable
from typing import Any

import pytest

from masklab.report import load

from ...explorer import conftest
from ..visits import Visit
from . import harness
from .driver import Explorer

hostile, small, thousand = conftest.hostile, conftest.small, conftest.thousand


@pytest.fixture(scope="session")
def page(small: load.Analysis, tmp_path_factory: pytest.TempPathFactory) -> harness.Explored:
    """The small study's explorer."""
    return harness.write(tmp_path_factory.mktemp("page") / "small.html", [small])


@pytest.fixture(scope="session")
def far(
    small: load.Analysis, hostile: load.Analysis, tmp_path_factory: pytest.TempPathFactory
) -> harness.Explored:
    """The explorers of the small and of the hostile study, far below the window."""
    return harness.write(tmp_path_factory.mktemp("page") / "far.html", [small, hostile], above=5000)


@pytest.fixture
def explored(visit: Callable[..., Visit]) -> Callable[..., Explorer]:
    """Open a page and give the explorer of a section, drawn unless it is not to be `opened`."""

    def go(page: harness.Explored, section: str = "s1", *, opened: bool = True, **options: Any) -> Explorer:
        options.setdefault("viewport", {"width": 1280, "height": 1100})
        one = Explorer(visit(page.path, **options), page.made, section)
        return one.open() if opened else one

    return go
