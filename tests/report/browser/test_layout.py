"""What a reader sees at once: nothing cut off, nothing beside the page, warnings above numbers."""

import pytest

from ..conftest import Page
from .conftest import Go

CLIPPED = """() => [...document.querySelectorAll('svg.figure')].flatMap((figure) => {
  const box = figure.getBoundingClientRect();
  return [...figure.querySelectorAll('text')].filter((text) => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 1 || own.right > box.right + 1
      || own.top < box.top - 1 || own.bottom > box.bottom + 1;
  }).map((text) => text.textContent);
})"""


@pytest.mark.parametrize("name", ["plain", "hostile", "full", "hundred"])
def test_page_itself_never_scrolls_sideways(visit: Go, request: pytest.FixtureRequest, name: str) -> None:
    opened = visit(request.getfixturevalue(name))
    opened.open_everything()
    for opener in opened.tab.get_by_role("button", name="Filter columns").all():
        opener.click()
    for width in (1280, 640, 320):
        opened.tab.set_viewport_size({"width": width, "height": 800})
        opened.settle()
        assert opened.tab.evaluate("() => document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", ["plain", "hostile", "single", "several", "full", "hundred", "thousand"])
def test_no_label_of_a_figure_is_cut_off(visit: Go, request: pytest.FixtureRequest, name: str) -> None:
    assert visit(request.getfixturevalue(name)).tab.evaluate(CLIPPED) == []


def test_contents_and_toolbox_leave_a_narrow_screen_to_the_text(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    folded = "() => [...document.querySelectorAll('.side details')].map((part) => part.open)"
    assert opened.tab.evaluate(folded) == [True, True]
    opened.tab.set_viewport_size({"width": 390, "height": 800})
    opened.tab.reload()
    opened.settle()
    assert opened.tab.evaluate(folded) == [False, False]
    box = opened.tab.locator("main").bounding_box()
    assert box is not None
    assert box["y"] < 400


def test_flag_stands_out_above_the_first_table(visit: Go, full: Page) -> None:
    opened = visit(full)
    flag, table = opened.tab.locator(".flag").bounding_box(), opened.tab.locator("#s1-summary").bounding_box()
    assert flag is not None
    assert table is not None
    assert flag["y"] + flag["height"] <= table["y"]
    width = opened.tab.evaluate("() => getComputedStyle(document.querySelector('.flag')).borderLeftWidth")
    assert float(width.removesuffix("px")) >= 5.0


def test_the_address_of_a_folded_table_opens_it(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    opened.tab.evaluate("() => { document.querySelector('#s1-pairs').closest('details').open = false; }")
    table = opened.tab.locator("#s1-pairs table")
    assert not table.is_visible()
    opened.tab.evaluate("() => { location.hash = '#s1-pairs'; }")
    table.wait_for(state="visible", timeout=5000)


def test_every_link_of_the_contents_leads_somewhere_that_comes_into_view(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    links = opened.tab.locator("nav a")
    assert links.count() > 10
    for link in links.all():
        link.click()
        opened.settle()
        target = opened.tab.locator(link.get_attribute("href") or "")
        box = target.bounding_box()
        assert box is not None
        height = opened.tab.evaluate("() => innerHeight")
        assert -1.0 <= box["y"] < height
