"""The page on paper."""

import re

import pytest

from ..conftest import Page
from .conftest import Go, Large
from .test_layout import CLIPPED

PAPER = {"width": 718, "height": 1000}  # CSS pixels of A4 between margins of 1 cm
BEYOND = """() => [...document.querySelectorAll('main :is(table, svg.figure, p, pre, li, dd)')]
  .filter((own) => own.checkVisibility() && own.getBoundingClientRect().right > innerWidth + 1)
  .map((own) => `${own.tagName} ${own.closest('[id]').id}`)"""
ON_SCREEN = ".side, .tools, .filters, .skip, #theme, .explorer button"


@pytest.mark.parametrize("name", ["plain", "hostile", "full", "hundred", "thousand"])
def test_nothing_is_cut_off_on_paper(visit: Go, request: pytest.FixtureRequest, name: str) -> None:
    opened = visit(request.getfixturevalue(name), viewport=PAPER)
    opened.open_everything()
    opened.tab.emulate_media(media="print")
    opened.settle()
    assert opened.tab.evaluate(CLIPPED) == []
    assert opened.tab.evaluate(BEYOND) == []
    scrolling = "(own) => getComputedStyle(own).overflowY !== 'visible'"
    assert not opened.tab.evaluate(
        f"() => [...document.querySelectorAll('.table > .scroll')].some({scrolling})"
    )


def test_what_is_for_the_screen_alone_is_not_printed(visit: Go, hundred: Large) -> None:
    opened = visit(hundred, color_scheme="dark")
    opened.open_everything()
    for opener in opened.tab.get_by_role("button", name="Filter columns").all():
        opener.click()
    seen = (
        f"() => [...document.querySelectorAll('{ON_SCREEN}')].filter((own) => own.checkVisibility()).length"
    )
    assert opened.tab.evaluate(seen) > 30
    opened.tab.emulate_media(media="print", color_scheme="dark")
    assert opened.tab.evaluate(seen) == 0
    ink = opened.tab.evaluate("() => getComputedStyle(document.body).color")
    assert ink == "rgb(0, 0, 0)"


def test_page_prints_to_a_document_with_everything_unfolded(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    opened.tab.evaluate(
        """() => {
          const folded = () => document.querySelectorAll("main details:not([open])").length;
          window.folded = [folded()];
          window.addEventListener("beforeprint", () => window.folded.push(folded()));
        }"""
    )
    document = opened.tab.pdf(format="A4")
    assert document.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", document)) > 5
    before, printed = opened.tab.evaluate("() => window.folded")
    assert before > 3
    assert printed == 0


def test_a_large_page_says_what_of_it_is_printed(visit: Go, thousand: Large) -> None:
    opened = visit(thousand)
    members = opened.table("s1-members")
    members.sort(2)
    said: list[str] = []

    def note(text: str) -> None:  # Playwright takes no bound method of a list
        said.append(text)

    opened.tab.expose_function("said", note)
    opened.tab.evaluate(
        "() => window.addEventListener('beforeprint', () => said("
        "document.querySelector('#s1-members .shown').textContent + ' '"
        " + document.querySelectorAll('#s1-members tbody tr').length))"
    )
    document = opened.tab.pdf(format="A4")
    assert document.startswith(b"%PDF-")
    assert said == ["Printed: the first 100 of 1,000 rows; the CSV file has the others 100"]
    assert members.line() == "1,000 rows"
