"""Pages unlike others, in a real Chromium: odd names, many members, no scripts, no drawing code."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from masklab.report import load

from ... import dom
from ...explorer.studies import HOSTILE_NAMES
from ..visits import Visit
from . import harness
from .driver import VIEWS, Explorer
from .harness import Explored

Open = Callable[..., Explorer]


def test_hostile_names_are_shown_and_run_nothing(explored: Open, far: Explored) -> None:
    one = explored(far, "s2")
    names = list(HOSTILE_NAMES.values())
    assert one.box.locator("[data-place] .text").all_inner_texts() == names
    for place, name in enumerate(names):
        one.press(name)
        assert one.text.startswith(f"6 of 18 members selected: 6 of {name}.")
        assert one.told[-1] == {"section": "s2", "ids": one.ids(list(range(6 * place, 6 * place + 6)))}
        assert one.hover(*one.point(6 * place + 1))["member"] == f"{name}/0001"
        one.press(name)
    assert one.hover(*one.point(0))["accuracy"] == "not known"
    one.click(0)
    assert one.text.endswith("Accuracy not known.")
    one.tab.evaluate("() => masklab.change({ names: { ['__proto__']: 'constructor' }, mark: ['__proto__'] })")
    one.key("Escape")
    assert [shade > 0.5 for shade in one.shade("places")] == [False] * 6 + [True] * 6 + [False] * 6
    with one.tab.expect_download() as download:
        one.box.locator("[data-of=curves][data-save=svg]").click()
    svg = download.value.path().read_text(encoding="utf-8")
    (root,) = dom.parse(svg).all("svg")
    assert {"constructor", names[0], names[2]} <= {node.text() for node in root.all("text")}
    assert re.fullmatch(r"[\w.+-]+", download.value.suggested_filename)
    assert one.tab.locator("img").count() == 0


def test_a_thousand_members_are_shown_in_groups(
    explored: Open, thousand: load.Analysis, tmp_path: Path
) -> None:
    one = explored(harness.write(tmp_path / "page.html", [thousand]))
    groups = one.document["distances"]["groups"]
    assert len(one.inside("one.views.places.data('places')")) == 1000
    assert len(one.inside("one.views.distances.data('cells')")) == len(groups) ** 2
    one.drag((0.0, 0.0), (0.5, 0.5))
    picked = set(one.picked)
    assert 20 < len(picked) < 980
    shares = [len(picked & set(group)) / len(group) for group in groups]
    assert one.shade("distances") == pytest.approx([0.25 + 0.75 * share for share in shares])
    assert any(0.0 < share < 1.0 for share in shares)
    members = list(thousand.members.values())
    own = members[groups[3][0]]
    tip = one.hover(*one.cell(3, 8))
    assert tip["first"] == f"{len(groups[3])} members of {own.population}, weight draw {own.block}"
    assert re.fullmatch(r"0\.\d{4}", tip["Hamming distance"])
    one.press(own.population)
    one.change(hide=[own.population])
    left = [k for k, group in enumerate(groups) if members[group[0]].population != own.population]
    assert [row["k"] for row in one.inside("one.views.distances.data('rows')")] == left


def test_axe_finds_nothing(explored: Open, far: Explored, axe: str) -> None:
    one = explored(far, "s2", bypass_csp=True)
    for scheme in ("light", "dark"):
        one.tab.emulate_media(color_scheme=scheme)
        one.press("__proto__")
        one.tab.evaluate(axe)
        found = one.tab.evaluate("() => axe.run('.explorer')")["violations"]
        assert [(own["id"], own["impact"]) for own in found] == []
    for view in VIEWS:
        canvas = one.box.locator(f"[data-view={view}] canvas")
        assert canvas.get_attribute("role") == "img"
        assert canvas.get_attribute("aria-label") == one.document["labels"][view]


@pytest.fixture
def alone(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Open a page that will complain."""
    contexts = []

    def go(path: Path, script: str = "") -> Visit:
        contexts.append(browser.new_context())
        tab = contexts[-1].new_page()
        tab.add_init_script(script)
        return Visit(tab, path)

    yield go
    for context in contexts:
        context.close()


def test_settings_that_change_while_it_is_drawn_hold(explored: Open, far: Explored) -> None:
    one = explored(far, opened=False)
    first = one.document["populations"][0]["name"]
    one.tab.evaluate(
        """async (name) => {
          const one = masklab.explorers.get("s1");
          const drawing = new MutationObserver(() => {
            drawing.disconnect();
            masklab.change({ hide: [name] });
          });
          drawing.observe(one.canvas("places"), { childList: true, subtree: true });
          await one.start();
        }""",
        first,
    )
    assert {row["p"] for row in one.inside("one.views.places.data('places')")} == {1, 2}
    assert not one.open().box.get_by_role("button", name=first, exact=True).is_visible()


def test_a_browser_that_cannot_unpack_is_told_so(alone: Callable[..., Visit], page: Explored) -> None:
    opened = alone(page.path, "delete window.DecompressionStream")
    state = opened.tab.locator(".explorer-state")
    state.get_by_text("it has no DecompressionStream").wait_for()
    assert state.inner_text().endswith("The figures of this page show the same members.")
    assert not opened.tab.locator(".explorer-body").is_visible()
    assert opened.complaints == []


def test_drawing_code_of_another_origin_does_not_run(
    alone: Callable[..., Visit], small: load.Analysis, tmp_path: Path
) -> None:
    page = harness.write(tmp_path / "page.html", [small], runtime="window.vegaEmbed = () => alert(1);")
    opened = alone(page.path)
    state = opened.tab.locator(".explorer-state")
    state.get_by_text("The explorer could not be drawn: the browser refused the drawing code.").wait_for()
    assert len(opened.complaints) == 1
    assert "Content Security Policy" in opened.complaints[0]


def test_without_scripts_the_caption_is_left(browser: Any, page: Explored) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        tab = context.new_page()
        tab.goto(page.path.as_uri())
        assert tab.locator(".explorer-state").inner_text() == "The explorer needs JavaScript."
        assert not tab.locator(".explorer-body").is_visible()
        assert tab.locator(".explorer > .caption").inner_text() == page.made["s1"].caption
    finally:
        context.close()
