import copy
from collections.abc import Callable
from typing import Any

import pytest

from . import planted


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., planted.Study]:
    """Planted studies, each kind made once; what a test changes in one, no other sees."""
    known: dict[tuple[tuple[str, Any], ...], planted.Study] = {}

    def make(**options: Any) -> planted.Study:
        key = tuple(sorted(options.items()))
        if key not in known:
            folder = tmp_path_factory.mktemp("planted")
            known[key] = planted.Study(folder, planted.results(folder, **options))
        return planted.Study(known[key].folder, copy.deepcopy(known[key].made))

    return make
