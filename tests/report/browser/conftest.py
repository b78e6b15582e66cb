import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import pytest

from masklab import report
from masklab.report import tables

from .. import large
from ..conftest import Page
from . import harness
from .visits import Visit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REQUIRED = bool(os.environ.get("MASKLAB_REQUIRE_BROWSER"))
_HOME = Path(__file__).parents[3]
AXE = Path(os.environ.get("MASKLAB_AXE", _HOME / ".venv/axe/node_modules/axe-core/axe.min.js"))

Go = Callable[..., Visit]


class Large(NamedTuple):
    """The page of many members, and what it was written from."""

    study: Path
    path: Path
    results: dict[str, Any]


def lacking(what: str) -> None:
    """Skip a test for want of something, or fail where everything is to be there."""
    if REQUIRED:
        pytest.fail(f"MASKLAB_REQUIRE_BROWSER is set, but {what}")
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        lacking("no Chromium is installed")
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Go]:
    """Open a page; when the test ends it must have asked for nothing else and complained about nothing."""
    contexts, visits = [], []

    def go(page: Page | Large | Path, **options: Any) -> Visit:
        contexts.append(browser.new_context(**options))
        visits.append(Visit(contexts[-1].new_page(), page if isinstance(page, Path) else page.path))
        return visits[-1]

    yield go
    for context in contexts:
        context.close()
    for found in visits:
        assert found.complaints == []
        assert set(found.outside) == {found.path.as_uri()}


@pytest.fixture
def tabled(tmp_path: Path, visit: Go) -> Go:
    """Open a page of some tables alone."""

    def go(shown: Sequence[tables.Table], populations: Sequence[str] = (), **options: Any) -> Visit:
        explored = options.pop("explored", "")
        return visit(harness.write(tmp_path / "tables.html", shown, populations, explored), **options)

    return go


def _written(factory: pytest.TempPathFactory, name: str, *sizes: int) -> Large:
    """A large page, written once for all workers that run tests."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / name
    path = folder / "report.html"
    with filelock.FileLock(shared / f"{name}.lock"):
        if not path.exists():
            large.build(folder, *sizes)
            report.write([folder], path)
    results = json.loads((folder / "analysis" / "results.json").read_text(encoding="utf-8"))
    return Large(folder, path, results)


@pytest.fixture(scope="session")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Large:
    """Five populations of twenty members."""
    return _written(tmp_path_factory, "hundred", 5, 20, 4)


@pytest.fixture(scope="session")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Large:
    """Ten populations of a hundred members."""
    return _written(tmp_path_factory, "thousand", 10, 100, 5)


@pytest.fixture(scope="session")
def axe() -> str:
    """Source of axe-core."""
    if not AXE.exists():
        lacking(f"axe-core is not at {AXE}; `make test` gets it")
    return AXE.read_text(encoding="utf-8")
