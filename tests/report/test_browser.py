"""The real page in a real Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import Page

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

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

pytestmark = pytest.mark.skipif(CHROMIUM is None and not REQUIRED, reason="no Chromium is installed")


class Visit:
    """An open page and everything it did on its own."""

    def __init__(self, tab: "Tab", path: Path) -> None:
        self.tab = tab
        self.requests: list[str] = []
        self.complaints: list[str] = []
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("dialog", self._dialog)
        tab.goto(path.as_uri())

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    assert CHROMIUM is not None, "MASKLAB_REQUIRE_BROWSER is set, but no Chromium is installed"
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def go(page: Page, **options: Any) -> Visit:
        contexts.append(browser.new_context(**options))
        return Visit(contexts[-1].new_page(), page.path)

    yield go
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["plain", "hostile", "single", "several", "full", "linear"])
def test_page_loads_nothing_and_complains_about_nothing(
    visit: Callable[..., Visit], request: pytest.FixtureRequest, name: str
) -> None:
    page: Page = request.getfixturevalue(name)
    opened = visit(page)
    assert opened.requests == [page.path.as_uri()]
    assert opened.complaints == []


def test_hostile_names_are_shown_and_run_nothing(visit: Callable[..., Visit], hostile: Page) -> None:
    opened = visit(hostile)
    assert opened.tab.locator("h1").inner_text() == hostile.results["study"]["name"]
    assert opened.tab.locator("img").count() == 0
    first = opened.tab.locator("#s1-summary tbody th .text").first
    assert first.inner_text() == hostile.results["populations"][0]["name"]
    assert opened.complaints == []


def test_content_policy_stops_a_script_that_is_not_ours(visit: Callable[..., Visit], plain: Page) -> None:
    opened = visit(plain)
    ran = opened.tab.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        " document.body.append(s); return window.ran === true; }"
    )
    assert ran is False
    assert "Content Security Policy" in opened.complaints[0]


def _column(opened: Visit, table: str, column: int) -> list[str]:
    return opened.tab.locator(f"#{table} tbody tr > :nth-child({column}) .text").all_inner_texts()


def test_header_sorts_by_number_both_ways(visit: Callable[..., Visit], plain: Page) -> None:
    opened = visit(plain)
    button = opened.tab.locator("#s1-members thead th:nth-child(3) button")
    wanted = [
        f"{100 * value:.2f}" for value in sorted(member["accuracy"] for member in plain.results["members"])
    ]
    assert _column(opened, "s1-members", 3) != wanted
    button.click()
    assert _column(opened, "s1-members", 3) == wanted
    header = opened.tab.locator("#s1-members thead th:nth-child(3)")
    assert header.get_attribute("aria-sort") == "ascending"
    button.focus()
    opened.tab.keyboard.press("Enter")
    assert _column(opened, "s1-members", 3) == wanted[::-1]
    assert header.get_attribute("aria-sort") == "descending"
    opened.tab.locator("#s1-members thead th:nth-child(1) button").click()
    assert _column(opened, "s1-members", 1) == sorted(member["id"] for member in plain.results["members"])
    assert header.get_attribute("aria-sort") == "none"


def test_undefined_values_sort_last(visit: Callable[..., Visit], plain: Page) -> None:
    opened = visit(plain)
    opened.tab.evaluate(
        "() => document.querySelector('#s1-members tbody tr').cells[2].removeAttribute('data-value')"
    )
    first = plain.results["members"][0]["id"]
    for _ in range(2):
        opened.tab.locator("#s1-members thead th:nth-child(3) button").click()
        assert _column(opened, "s1-members", 1)[-1] == first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_button_turns_page_and_figures(visit: Callable[..., Visit], plain: Page, scheme: str) -> None:
    opened = visit(plain, color_scheme=scheme)

    def colours() -> tuple[str, str]:
        paper = opened.tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
        ink = opened.tab.evaluate("() => getComputedStyle(document.querySelector('svg.figure text')).fill")
        return paper, ink

    light, dark = ("rgb(255, 255, 255)", "rgb(26, 29, 33)"), ("rgb(20, 23, 26)", "rgb(230, 233, 236)")
    before, after = (light, dark) if scheme == "light" else (dark, light)
    assert colours() == before
    opened.tab.locator("#theme").click()
    assert colours() == after
    opened.tab.locator("#theme").click()
    assert colours() == before


@pytest.mark.parametrize("name", ["plain", "full"])
@pytest.mark.parametrize("width", [400, 1280])
def test_page_itself_never_scrolls_sideways(
    visit: Callable[..., Visit], request: pytest.FixtureRequest, name: str, width: int
) -> None:
    opened = visit(request.getfixturevalue(name), viewport={"width": width, "height": 800})
    opened.tab.evaluate("() => document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert opened.tab.evaluate("() => document.documentElement.scrollWidth") == width


CLIPPED = """() => [...document.querySelectorAll('svg.figure')].flatMap((figure) => {
  const box = figure.getBoundingClientRect();
  return [...figure.querySelectorAll('text')].filter((text) => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 1 || own.right > box.right + 1
      || own.top < box.top - 1 || own.bottom > box.bottom + 1;
  }).map((text) => text.textContent);
})"""


@pytest.mark.parametrize("name", ["plain", "hostile", "single", "several", "full"])
def test_no_label_of_a_figure_is_cut_off(
    visit: Callable[..., Visit], request: pytest.FixtureRequest, name: str
) -> None:
    assert visit(request.getfixturevalue(name)).tab.evaluate(CLIPPED) == []


def test_table_downloads_as_csv(visit: Callable[..., Visit], plain: Page, tmp_path: Path) -> None:
    opened = visit(plain)
    with opened.tab.expect_download() as download:
        opened.tab.locator("#s1-members .csv").click()
    target = tmp_path / "members.csv"
    download.value.save_as(target)
    lines = target.read_text(encoding="utf-8-sig").splitlines()
    assert download.value.suggested_filename == "s1-members.csv"
    assert lines[0].startswith('"member","weight draw","accuracy, %"')
    assert len(lines) == 1 + len(plain.results["members"])
    member = plain.results["members"][0]
    assert lines[1].startswith(f'"{member["id"]}","{member["block"]}","{100 * member["accuracy"]:.2f}"')


def test_movement_sorts_and_downloads(visit: Callable[..., Visit], plain: Page, tmp_path: Path) -> None:
    opened = visit(plain)
    wanted = [
        f"{100.0 * value:.3f}"
        for value in sorted(
            row["estimate"]["value"]
            for row in plain.results["movement"]
            if (row["metric"], row["layer"]) == ("flipped_per_epoch", "whole")
        )
    ]
    opened.tab.locator("#s1-movement-table thead th:nth-child(4) button").click()
    assert _column(opened, "s1-movement-table", 4) == wanted
    with opened.tab.expect_download() as download:
        opened.tab.locator("#s1-movement-table .csv").click()
    target = tmp_path / "movement.csv"
    download.value.save_as(target)
    lines = target.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith('"population","epoch","next","bits flipped per epoch, %"')
    assert len(lines) == 1 + len(wanted)


def test_flag_stands_out_above_the_first_table(visit: Callable[..., Visit], full: Page) -> None:
    opened = visit(full)
    flag, table = opened.tab.locator(".flag").bounding_box(), opened.tab.locator("#s1-summary").bounding_box()
    assert flag is not None
    assert table is not None
    assert flag["y"] + flag["height"] <= table["y"]
    width = opened.tab.evaluate("() => getComputedStyle(document.querySelector('.flag')).borderLeftWidth")
    assert float(width.removesuffix("px")) >= 5.0


def test_the_address_of_a_folded_table_opens_it(visit: Callable[..., Visit], plain: Page) -> None:
    opened = visit(plain)
    opened.tab.evaluate("() => { document.querySelector('#s1-pairs').closest('details').open = false; }")
    table = opened.tab.locator("#s1-pairs table")
    assert not table.is_visible()
    opened.tab.evaluate("() => { location.hash = '#s1-pairs'; }")
    table.wait_for(state="visible", timeout=5000)
    assert table.is_visible()
