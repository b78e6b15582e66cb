import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from masklab.report import payload
from masklab.report.compare import document

from .. import builder
from ..together import studies

Base = Callable[[], studies.Row]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An analysed study: two pruners, three members each."""
    place = tmp_path_factory.mktemp("analysed")
    results = builder.build(place, populations=2, members=3, landscape=True)
    results["input"] = "1f" * 32
    builder.rewrite(place, results)
    return place


@pytest.fixture(scope="session")
def fresh(folder: Path) -> Base:
    """Makes the results in `folder`."""
    import json

    results = json.loads((folder / "analysis" / "results.json").read_text(encoding="utf-8"))
    return lambda: copy.deepcopy(results)


@pytest.fixture
def results(fresh: Base) -> studies.Row:
    """The results in `folder`, to be changed."""
    return fresh()


def page(carried: object) -> str:
    """What of a page is read."""
    script = f'<script type="application/gzip" id="payload">{payload.pack({"results": carried})}</script>'
    return f'<!doctype html>\n<html lang="en">\n<body>\n<h1>title</h1>\n{script}\n</body>\n</html>\n'


def kept(results: studies.Row) -> document.Former:
    """What is kept of results."""
    return document.make(studies.analysis(results))
