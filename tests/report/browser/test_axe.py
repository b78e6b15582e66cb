"""What axe-core finds: nothing serious."""

from typing import Any

import pytest

from ..conftest import Page
from .conftest import Go, Large
from .visits import Visit

CHECK = """async (rules) => {
  const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
  const { violations } = await axe.run(document, { resultTypes: ["violations"], elementRef: false, ...only });
  return violations.map(({ id, impact, nodes }) => [impact, id, nodes.map(({ target, failureSummary }) =>
    `${target.join(" ")}: ${failureSummary}`).slice(0, 3)]);
}"""
OF_COLOURS = ["color-contrast", "link-in-text-block"]


def _serious(opened: Visit, axe: str) -> list[Any]:
    """Violations in both themes; in the dark one only those that colours can make."""
    opened.tab.evaluate(axe)
    found = opened.tab.evaluate(CHECK, None)
    opened.tab.emulate_media(color_scheme="dark")
    opened.settle()
    found += opened.tab.evaluate(CHECK, OF_COLOURS)
    return [one for one in found if one[0] in {"serious", "critical"}]


@pytest.mark.parametrize("name", ["plain", "hostile", "hundred"])
def test_nothing_serious(visit: Go, request: pytest.FixtureRequest, axe: str, name: str) -> None:
    opened = visit(request.getfixturevalue(name), color_scheme="light")
    opened.open_everything()
    opened.explore()
    opened.settle()
    assert _serious(opened, axe) == []


def test_nothing_serious_while_it_is_used(visit: Go, thousand: Large, axe: str) -> None:
    opened = visit(thousand, color_scheme="light")
    members = opened.table("s1-members")
    members.sort(2)
    members.button("Filter columns").click()
    members.filter(2).fill(">x")
    members.filter(2).press("Enter")
    opened.select("s1", members.column(0)[:5])
    opened.tab.evaluate("() => masklab.change({ mark: [masklab.populations[0]] })")
    opened.settle()
    assert members.box.locator(".wrong").is_visible()
    assert members.box.locator("tr.selected").count() == 5
    assert _serious(opened, axe) == []


def test_the_check_finds_what_is_wrong_in_either_theme(visit: Go, plain: Page, axe: str) -> None:
    opened = visit(plain, color_scheme="light")
    opened.tab.evaluate(
        """() => {
          document.querySelector("main").prepend(document.createElement("button"));
          const style = document.createElement("style");
          style.textContent = "@media (prefers-color-scheme: dark) { .question { color: #222 !important; } }";
          document.head.append(style);
        }"""
    )
    assert [rule for _, rule, _ in _serious(opened, axe)] == ["button-name", "color-contrast"]
