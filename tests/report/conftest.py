from pathlib import Path
from typing import Any, NamedTuple

import pytest

from masklab import report

from . import builder, dom


class Page(NamedTuple):
    """A written page, and what it was written from."""

    study: Path
    path: Path
    results: dict[str, Any]
    html: str
    root: dom.Node


def _page(folder: Path, results: dict[str, Any]) -> Page:
    path = report.write([folder], folder / "report.html")
    html = path.read_text(encoding="utf-8")
    return Page(folder, path, results, html, dom.parse(html))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Three populations of six members over two draws of base weights."""
    folder = tmp_path_factory.mktemp("plain")
    return _page(folder, builder.build(folder))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Markup and `$` in every text that a user can choose."""
    folder = tmp_path_factory.mktemp("hostile")
    return _page(folder, builder.build(folder, hostile=True))


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """One population of one member: no spread, no pairs, no embedding, no landscape."""
    folder = tmp_path_factory.mktemp("single")
    return _page(folder, builder.build(folder, populations=1, members=1, draws=1))


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Two studies on one page, the second with populations that the first has too."""
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    results = builder.build(first, populations=2, members=3)
    builder.build(second, populations=3, members=4, name="the-other", seed=1)
    path = report.write([first, second], first / "both.html")
    html = path.read_text(encoding="utf-8")
    return Page(first, path, results, html, dom.parse(html))
