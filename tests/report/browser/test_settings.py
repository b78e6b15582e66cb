"""Theme and toolbox, and the address that carries them."""

from typing import Any

import pytest

from ..conftest import Page
from .conftest import Go, Large
from .visits import Visit


def _colours(opened: Visit) -> tuple[str, str]:
    paper = opened.tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
    ink = opened.tab.evaluate("() => getComputedStyle(document.querySelector('svg.figure text')).fill")
    return paper, ink


LIGHT, DARK = ("rgb(255, 255, 255)", "rgb(26, 29, 33)"), ("rgb(20, 23, 26)", "rgb(230, 233, 236)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_button_turns_page_and_figures(visit: Go, plain: Page, scheme: Any) -> None:
    opened = visit(plain, color_scheme=scheme)
    before, after = (LIGHT, DARK) if scheme == "light" else (DARK, LIGHT)
    assert _colours(opened) == before
    opened.tab.locator("#theme").click()
    assert _colours(opened) == after
    opened.tab.reload()
    assert _colours(opened) == after
    opened.tab.locator("#theme").click()
    assert _colours(opened) == before


def _box(opened: Visit, place: int, kind: str) -> Any:
    return opened.tab.locator(f"#toolbox fieldset[data-p='{place}'] .{kind}")


def _drawn(opened: Visit, place: int) -> int:
    """How many marks of a population can be seen in figures."""
    return opened.tab.evaluate(
        "(place) => [...document.querySelectorAll(`svg.figure .p${place}:not(text)`)]"
        ".filter((own) => getComputedStyle(own).display !== 'none').length",
        place,
    )


def test_a_hidden_population_leaves_figures_and_tables(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    names = [population["name"] for population in plain.results["populations"]]
    assert all(_drawn(opened, place) > 3 for place in range(len(names)))
    _box(opened, 1, "hide").check()
    assert _drawn(opened, 1) == 0
    assert _drawn(opened, 0) > 3
    assert opened.table("s1-summary").column(0) == [names[0], names[2]]
    left = [own["id"] for own in plain.results["members"] if own["population"] != names[1]]
    assert opened.table("s1-members").column(0) == left
    pairs = opened.table("s1-pairs")
    opened.open_everything()
    assert names[1] not in [*pairs.column(0), *pairs.column(1)]
    opened.tab.reload()
    assert _box(opened, 1, "hide").is_checked()
    assert opened.table("s1-members").column(0) == left
    opened.tab.locator("#toolbox .reset").click()
    assert _drawn(opened, 1) > 3
    assert opened.table("s1-summary").column(0) == names
    assert "hide" not in opened.tab.url


def test_a_highlighted_population_stands_out(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    _box(opened, 2, "mark").check()
    opacity = "(place) => getComputedStyle(document.querySelector(`svg.figure .p${place}:not(text)`)).opacity"
    assert float(opened.tab.evaluate(opacity, 2)) == 1.0
    assert float(opened.tab.evaluate(opacity, 0)) < 0.5
    row = "document.querySelector(`#s1-members tr[data-p='${place}'] > *`)"
    cells = f"(place) => getComputedStyle({row}).backgroundColor"
    assert opened.tab.evaluate(cells, 2) != opened.tab.evaluate(cells, 0)
    opened.tab.reload()
    assert float(opened.tab.evaluate(opacity, 0)) < 0.5


@pytest.mark.parametrize("name", ["plain", "hostile", "thousand"])
def test_a_renamed_population_is_called_so_everywhere(
    visit: Go, request: pytest.FixtureRequest, name: str
) -> None:
    page: Page | Large = request.getfixturevalue(name)
    opened = visit(page)
    former = page.results["populations"][0]["name"]
    _box(opened, 0, "rename").fill("Zebra <b>&")
    _box(opened, 0, "rename").press("Enter")
    members = opened.table("s1-members")
    own = [member["id"] for member in page.results["members"]]
    wanted = [one.replace(former, "Zebra <b>&", 1) if one.startswith(f"{former}/") else one for one in own]
    found = members.column(0)
    assert found == wanted[: len(found)]
    assert opened.table("s1-summary").column(0)[0] == "Zebra <b>&"
    assert "Zebra <b>&" in (opened.tab.locator("#s1-accuracy svg").first.text_content() or "")
    members.find("zebra 0003")
    assert members.column(0) == ["Zebra <b>&/0003"]
    opened.tab.reload()
    opened.settle()
    assert opened.table("s1-summary").column(0)[0] == "Zebra <b>&"
    members.find("zebra 0003")
    assert members.column(0) == ["Zebra <b>&/0003"]
    opened.tab.locator("#toolbox .reset").click()
    members.button("Show all rows").click()
    assert members.column(0) == own[: len(members.column(0))]


def test_another_address_brings_its_settings(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    second = plain.results["populations"][1]["name"]
    opened.tab.evaluate("(name) => masklab.change({ hide: [name], theme: 'dark' })", second)
    address = opened.tab.url
    opened.tab.locator("#toolbox .reset").click()
    assert _drawn(opened, 1) > 3
    opened.tab.evaluate("(address) => { location.href = address; }", address)
    opened.settle()
    assert _drawn(opened, 1) == 0
    assert _colours(opened) == DARK
    opened.tab.locator("nav a").last.click()
    opened.settle()
    assert _drawn(opened, 1) == 0
    assert "hide=" in opened.tab.url
    other = visit(plain)
    other.tab.goto(address)
    other.tab.reload()
    assert _drawn(other, 1) == 0
    assert _colours(other) == DARK
