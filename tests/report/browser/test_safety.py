"""Nothing is loaded, nothing complains, and no text of a user becomes anything else."""

import pytest

from ..conftest import Page
from .conftest import Go, Large

PAGES = ["plain", "hostile", "single", "several", "full", "linear", "hundred"]


@pytest.mark.parametrize("name", PAGES)
def test_page_loads_nothing_and_complains_about_nothing(
    visit: Go, request: pytest.FixtureRequest, name: str
) -> None:
    opened = visit(request.getfixturevalue(name))
    opened.settle()
    assert opened.requests == [opened.path.as_uri()]


@pytest.mark.parametrize("name", ["hostile", "hundred"])
def test_using_everything_loads_nothing_and_complains_about_nothing(
    visit: Go, request: pytest.FixtureRequest, name: str
) -> None:
    opened = visit(request.getfixturevalue(name))
    opened.use_everything()
    assert opened.tab.locator("img, iframe, object, embed, base").count() == 0


def test_hostile_names_are_shown_and_run_nothing(visit: Go, hostile: Page) -> None:
    opened = visit(hostile)
    assert opened.tab.locator("h1").inner_text() == hostile.results["study"]["name"]
    name = hostile.results["populations"][0]["name"]
    assert opened.tab.locator("#s1-summary tbody th .text").first.inner_text() == name
    opened.open_everything()
    text = opened.tab.locator("main").inner_text()
    study = hostile.results["study"]
    layer = study["network"]["layers"][0]["name"]
    member = hostile.results["members"][0]["id"]
    for wanted in (layer, member, hostile.results["failures"][0]["cause"], study["provenance"]["command"]):
        assert wanted in text
    assert opened.tab.locator("main img").count() == 0
    assert (
        opened.tab.evaluate("() => document.querySelectorAll('[onerror], [onload], [onclick]').length") == 0
    )


def test_a_hostile_name_stays_text_wherever_it_goes(visit: Go, hostile: Page) -> None:
    opened = visit(hostile)
    name = hostile.results["populations"][0]["name"]
    evil = '</script><script>alert(1)</script>"><img src=x onerror=alert(2)>'
    opened.tab.evaluate(
        "([name, evil]) => masklab.change({ names: { [name]: evil }, mark: [name] })", [name, evil]
    )
    assert opened.tab.locator("#s1-summary tbody th .text").first.inner_text() == evil
    opened.tab.reload()
    opened.settle()
    assert opened.tab.locator("#s1-summary tbody th .text").first.inner_text() == evil
    assert opened.tab.locator("main img").count() == 0
    assert opened.tab.locator("script").count() == opened.tab.evaluate(
        "() => [...document.scripts].filter((own) => own.closest('body')).length"
    )


def test_content_policy_stops_a_script_that_is_not_ours(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    ran = opened.tab.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        " document.body.append(s); return window.ran === true; }"
    )
    assert ran is False
    first, *others = opened.complaints
    assert "Content Security Policy" in first
    assert others == []
    opened.complaints.clear()


def test_content_policy_stops_what_comes_from_elsewhere(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    failed: list[tuple[str, str | None]] = []
    opened.tab.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
    address = "https://example.org/x.png"
    opened.tab.evaluate(
        "(address) => new Promise((go) => { const own = new Image(); own.onerror = go;"
        " own.src = address; document.body.append(own); })",
        address,
    )
    assert failed == [(address, "csp")]
    opened.requests.remove(address)
    (complaint,) = opened.complaints
    assert "Content Security Policy" in complaint
    opened.complaints.clear()


def test_a_thousand_members_load_nothing(visit: Go, thousand: Large) -> None:
    opened = visit(thousand)
    opened.settle()
    assert opened.requests == [opened.path.as_uri()]
    assert opened.table("s1-members").line().startswith("First 100 of 1,000 rows")
