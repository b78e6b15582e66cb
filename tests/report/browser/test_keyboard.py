"""The page without a mouse."""

from ..conftest import Page
from .conftest import Go
from .visits import Visit

FOCUSED = """() => {
  const own = document.activeElement;
  return [own.tagName, own.closest("[id]")?.id ?? "", (own.ariaLabel ?? own.textContent).trim()];
}"""


def _tab_to(opened: Visit, wanted: str, name: str, most: int = 400) -> list[tuple[str, str, str]]:
    """Press Tab until something is reached; everything on the way."""
    way: list[tuple[str, str, str]] = []
    for _ in range(most):
        opened.tab.keyboard.press("Tab")
        tag, near, text = opened.tab.evaluate(FOCUSED)
        way.append((tag, near, text))
        if near == wanted and text == name:
            return way
    raise AssertionError(f"{name} of {wanted} is not reached by Tab: {way[-5:]}")


def test_the_first_key_skips_to_the_results(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    opened.tab.keyboard.press("Tab")
    assert opened.tab.evaluate(FOCUSED)[2] == "Skip to the results"
    assert opened.tab.locator(".skip").bounding_box() is not None
    opened.tab.keyboard.press("Enter")
    opened.tab.keyboard.press("Tab")
    assert opened.tab.evaluate("() => document.querySelector('main').contains(document.activeElement)")


def test_every_tool_of_a_table_is_reached_and_works(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    members = opened.table("s1-members")
    opened.tab.locator("#s1-members-title").evaluate("(title) => { title.tabIndex = -1; title.focus(); }")
    way = _tab_to(opened, "s1-members", "member", 30)
    names = [name for _, near, name in way if near == "s1-members"]
    for wanted in ("Search in: ", "Filter columns", "Copy", "Download CSV"):
        assert any(name.startswith(wanted) for name in names)
    opened.tab.keyboard.press("Tab")
    opened.tab.keyboard.press("Tab")
    assert opened.tab.evaluate(FOCUSED)[2] == "accuracy, %"
    opened.tab.keyboard.press("Enter")
    accuracies = sorted(member["accuracy"] for member in plain.results["members"])
    assert members.header(2).get_attribute("aria-sort") == "ascending"
    assert members.column(2) == [f"{100 * value:.2f}" for value in accuracies]
    assert opened.tab.evaluate(FOCUSED)[2] == "accuracy, %"
    opened.tab.keyboard.press("Space")
    assert members.column(2) == [f"{100 * value:.2f}" for value in accuracies[::-1]]
    assert "accuracy, %, descending" in opened.tab.locator("#status").inner_text()


def test_focus_is_always_seen(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    opened.explore()
    unseen = opened.tab.evaluate(
        """() => {
          const usable = "a[href], button, input, summary, [tabindex='0']";
          return [...document.querySelectorAll(usable)].filter((own) => {
            if (!own.checkVisibility({ visibilityProperty: true }) || own.disabled) return false;
            own.focus({ focusVisible: true });
            const { outlineStyle, outlineWidth } = getComputedStyle(own);
            return document.activeElement !== own || outlineStyle === "none" || parseFloat(outlineWidth) < 1;
          }).map((own) => own.outerHTML.slice(0, 120));
        }"""
    )
    assert unseen == []


def test_a_row_in_focus_of_the_heading_is_not_behind_it(visit: Go, plain: Page) -> None:
    opened = visit(plain, viewport={"width": 800, "height": 500})
    scroll = opened.tab.locator("#s1-members .scroll")
    scroll.focus()
    for _ in range(3):
        opened.tab.keyboard.press("ArrowDown")
    opened.tab.wait_for_function("() => document.querySelector('#s1-members .scroll').scrollTop > 20")
    assert scroll.evaluate("(own) => own === document.activeElement")
