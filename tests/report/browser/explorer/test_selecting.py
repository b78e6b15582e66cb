"""Selecting, in a real Chromium: by rectangle, click, button, key and from the page."""

from collections.abc import Callable

import numpy as np
import pytest

from masklab.report import load

from .driver import Explorer
from .harness import Explored

Open = Callable[..., Explorer]
Corner = tuple[float, float]


def _inside(one: Explorer, start: Corner, end: Corner) -> list[int]:
    """Members in a rectangle of the first embedding, worked out from the document alone."""
    plane = one.document["embeddings"][0]["members"]
    low, high = one.document["specs"]["places"]["layer"][0]["encoding"]["x"]["scale"]["domain"]
    x = (np.array(plane["x"]) - low) / (high - low)
    y = 1.0 - (np.array(plane["y"]) - low) / (high - low)
    within = (x >= start[0]) & (x <= end[0]) & (y >= start[1]) & (y <= end[1])
    return sorted(np.array(plane["member"])[within].tolist())


def _standing_out(one: Explorer, picked: list[int]) -> None:
    """Every view shows the selection, worked out once more."""
    chosen = [i in picked for i in range(len(one.document["members"]["id"]))]
    assert one.shade("places") == [0.85 if own else 0.1 for own in chosen]
    shares = [np.mean([chosen[i] for i in group]) for group in one.document["distances"]["groups"]]
    assert one.shade("distances") == pytest.approx([0.25 + 0.75 * share for share in shares])
    curves = one.document["curves"]
    both = [int(chosen[i]) + chosen[j] for i, j in zip(curves["first"], curves["second"], strict=True)]
    assert one.shade("curves") == [(0.04, 0.2, 0.95)[ends] for ends in both]


def test_a_rectangle_selects_the_members_inside(explored: Open, page: Explored) -> None:
    one = explored(page)
    assert (one.picked, one.text, one.told) == ([], "Nothing is selected.", [])
    assert [set(one.shade(view)) for view in ("places", "distances", "curves")] == [{0.85}, {1}, {0.22, 0.6}]
    start, end = (0.0, 0.0), (0.6, 0.55)
    wanted = _inside(one, start, end)
    assert 2 < len(wanted) < 16
    one.drag(start, end)
    assert one.picked == wanted
    _standing_out(one, wanted)
    assert one.told[-1] == {"section": "s1", "ids": one.ids(wanted)}
    accuracies = [one.document["members"]["accuracy"][i] for i in wanted]
    assert one.text.startswith(f"{len(wanted)} of 18 members selected: ")
    assert one.text.endswith(
        f" Mean accuracy {100 * np.mean(accuracies):.{one.document['digits']}f} %, n = {len(wanted)}."
    )


def test_a_rectangle_can_be_moved_and_may_hold_nobody(explored: Open, page: Explored) -> None:
    one = explored(page)
    one.drag((0.02, 0.02), (0.4, 0.4))
    one.drag((0.2, 0.2), (0.5, 0.6))
    moved = (0.32, 0.42), (0.7, 0.8)
    assert one.picked == _inside(one, *moved)
    assert one.picked != _inside(one, (0.02, 0.02), (0.4, 0.4))
    nobody = (0.003, 0.003), (0.012, 0.012)
    assert _inside(one, *nobody) == []
    one.drag(*nobody)
    assert (one.picked, one.told[-1]["ids"]) == ([], [])


def test_clicks_select_and_shift_adds_and_takes_away(explored: Open, page: Explored) -> None:
    one = explored(page)
    one.click(3)
    assert one.picked == [3]
    one.click(9, shift=True)
    assert one.picked == [3, 9]
    one.click(3, shift=True)
    assert one.picked == [9]
    one.click(14)
    assert one.picked == [14]
    _standing_out(one, [14])
    left, top, _ = one.plot("places")
    one.tab.mouse.click(left + 2, top + 2)
    one.settle()
    assert one.picked == []
    assert [len(told["ids"]) for told in one.told] == [1, 2, 1, 1, 0]
    one.drag((0.0, 0.0), (1.0, 1.0))
    assert one.picked == list(range(18))
    one.click(5)
    assert one.picked == [5]
    assert one.inside("one.views.places.data('brush_store').length") == 0


def test_population_buttons_select_and_take_away(
    explored: Open, page: Explored, small: load.Analysis
) -> None:
    one = explored(page)
    first, second, _ = small.names
    one.press(first)
    one.press(second)
    assert one.picked == list(range(12))
    _standing_out(one, one.picked)
    pressed = one.box.locator("[data-place]").evaluate_all("(all) => all.map((one) => one.ariaPressed)")
    assert pressed == ["true", "true", "false"]
    one.press(first)
    assert one.picked == list(range(6, 12))
    assert f"members selected: 6 of {second}." in one.text
    one.tab.locator("#status").get_by_text("6 of 18 members selected").wait_for()
    assert one.tab.locator("#status").inner_text() == one.text


@pytest.mark.parametrize("way", ["button", "Escape"])
def test_the_selection_can_be_cleared(explored: Open, page: Explored, way: str) -> None:
    one = explored(page)
    one.drag((0.0, 0.0), (0.6, 0.6))
    assert one.picked
    if way == "button":
        one.press("Clear the selection")
    else:
        one.tab.evaluate("() => document.body.append(document.createElement('input'))")
        one.tab.locator("body > input").focus()
        one.key("Escape")
        assert one.picked  # in a field, Escape is the field's
        one.tab.evaluate("() => document.activeElement.blur()")
        one.key("Escape")
    assert one.picked == []
    assert one.told[-1] == {"section": "s1", "ids": []}
    assert one.inside("one.views.places.data('brush_store').length") == 0
    assert set(one.shade("places")) == {0.85}


def test_all_is_done_with_the_keyboard_alone(explored: Open, page: Explored) -> None:
    one = explored(page)
    one.box.locator("input[value=pcoa]").focus()
    one.key("ArrowRight")
    assert one.inside("one.embedding.method") == "umap"
    for _ in range(2):  # to the choice of masks, to the first population
        one.key("Tab")
    one.key("Enter")
    assert one.picked == list(range(6))
    one.key("Escape")
    assert one.picked == []


def test_the_page_can_select_before_anything_is_drawn(explored: Open, far: Explored) -> None:
    one = explored(far, opened=False)
    one.tab.wait_for_timeout(300)
    assert one.tab.locator("canvas").count() == 0
    ids = [*one.ids([2, 7]), "nobody/0000", "__proto__", "constructor"]
    one.tab.evaluate(
        """(ids) => { for (const section of ["s1", "s9", "__proto__"])
          document.dispatchEvent(new CustomEvent("masklab:select", { detail: { section, ids } })); }""",
        ids,
    )
    one.box.locator(".explorer-selected").get_by_text("2 of 18 members selected").wait_for(state="attached")
    assert one.picked == [2, 7]
    _standing_out(one, [2, 7])
    assert one.told == [{"section": "s1", "ids": one.ids([2, 7])}]


def test_sections_select_for_themselves(explored: Open, far: Explored, small: load.Analysis) -> None:
    one = explored(far)
    other = Explorer(one.visit, far.made, "s2").open()
    one.press(small.names[0])
    other.click(4)
    assert (one.picked, other.picked) == (list(range(6)), [4])
    assert [told["section"] for told in one.told] == ["s1", "s2"]
