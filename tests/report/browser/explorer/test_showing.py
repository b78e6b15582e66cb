"""What is shown, in a real Chromium: tips, settings, embeddings, sizes, pictures, many members, odd names."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab.report import load

from ... import dom
from ...explorer.studies import HOSTILE_NAMES
from ..visits import Visit
from . import harness
from .driver import VIEWS, Explorer
from .harness import Explored

Open = Callable[..., Explorer]


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _closest(one: Explorer, i: int, colours: list[str]) -> str:
    """Which of some colours the middle of a member's point has."""
    pixel = np.array(one.pixel("places", *one.point(i))[:3])
    return min(colours, key=lambda colour: float(np.abs(pixel - np.array(_rgb(colour))).sum()))


def test_tips_name_what_is_under_the_pointer(explored: Open, page: Explored, small: load.Analysis) -> None:
    one = explored(page)
    ids = list(small.members)
    member = small.members[ids[8]]
    assert member.accuracy is not None
    assert one.hover(*one.point(8)) == {
        "member": member.id,
        "pruner": "biprop",
        "density": "0.50 (50 % pruned)",
        "seed": str(member.index),
        "weight draw": str(member.block),
        "accuracy": f"{100 * member.accuracy:.2f} %",
    }
    (ring,) = one.inside("one.views.places.data('hover')")
    assert ring["i"] == 8
    one.key("Escape")
    assert not one.box.locator(".explorer-tip").is_visible()
    groups, distances = one.document["distances"]["groups"], small.distances
    assert distances
    for row, column in ((0, 1), (17, 3)):
        first, second = (ids[groups[place][0]] for place in (row, column))
        a, b = (distances.ids.index(name) for name in (first, second))
        level = small.overlap(small.members[first].population, small.members[second].population, "hamming")
        assert level
        assert one.hover(*one.cell(row, column)) == {
            "first": first,
            "second": second,
            "Hamming distance": f"{distances.hamming[a, b]:.4f}",
            "chance level": f"{level.chance:.4f}",
        }
    assert one.hover(*one.cell(9, 9))["member"] == ids[groups[9][0]]


def test_curves_name_both_ends_and_their_barrier(
    explored: Open, page: Explored, small: load.Analysis
) -> None:
    one = explored(page)
    ids, curves = list(small.members), one.document["curves"]
    lowest = int(np.argmin([accuracy[5] for accuracy in curves["accuracy"]]))
    ends = curves["accuracy"][lowest]
    x, y = one.scaled("curves", 0.5, 100 * ends[5])
    assert one.hover(x, y + 2) == {
        "t = 0": f"{ids[curves['first'][lowest]]}, {100 * ends[0]:.2f} %",
        "t = 1": f"{ids[curves['second'][lowest]]}, {100 * ends[-1]:.2f} %",
        "barrier": f"{100 * curves['barrier'][lowest]:.2f} points of test error",
    }
    rows = one.inside("one.views.curves.data('hover')")
    assert [row["y"] for row in rows] == pytest.approx([100 * value for value in ends])
    assert one.hover(x, y + 60) == {}


def test_pictures_change_with_the_selection(explored: Open, page: Explored, small: load.Analysis) -> None:
    """What is selected keeps its pixels, what is not fades."""
    one = explored(page)
    groups = [group[0] for group in one.document["distances"]["groups"]]
    kept = {"places": one.point(1), "distances": one.cell(groups.index(0), groups.index(3))}
    faded = {"places": one.point(13), "distances": one.cell(groups.index(12), groups.index(15))}
    before = {view: (one.pixel(view, *kept[view]), one.pixel(view, *faded[view])) for view in kept}
    whole = one.picture("curves")
    one.press(small.names[0])
    one.tab.mouse.move(0, 0)
    one.settle()
    for view, (own, other) in before.items():
        assert one.pixel(view, *kept[view]) == own, view
        assert one.pixel(view, *faded[view]) != other, view
    assert one.picture("curves") != whole
    one.press(small.names[0])
    assert one.picture("curves") == whole


def test_points_have_the_colours_of_their_populations(explored: Open, page: Explored) -> None:
    one = explored(page)
    rows = one.document["populations"]
    colours = [row["colour"] for row in rows]
    for i, place in enumerate(one.document["members"]["population"]):
        if i % 5 == 0:
            one.click(i)  # whatever lies over it fades
            assert _closest(one, i, colours) == colours[place]


def test_every_embedding_and_its_twin_can_be_chosen(explored: Open, page: Explored) -> None:
    """Who is selected stays selected, but without the rectangle around other places."""
    one = explored(page)
    one.drag((0.0, 0.0), (0.6, 0.55))
    picked = one.picked
    assert picked
    for method, masks in itertools.product(("umap", "pcoa"), ("twin", "members")):
        one.box.locator(f"input[value={method}]").check()
        one.box.locator(f"input[value={masks}]").check()
        one.settle()
        (embedding,) = [row for row in one.document["embeddings"] if row["method"] == method]
        plane = embedding[masks]
        drawn = {row["i"]: (row["x"], row["y"]) for row in one.inside("one.views.places.data('places')")}
        assert drawn == {i: (x, y) for i, x, y in zip(plane["member"], plane["x"], plane["y"], strict=True)}
        said = "random twin" if masks == "twin" else "members"
        assert one.inside("one.views.places.signal('headline')") == [
            f"{embedding['name']} of the {said}",
            plane["meaning"],
        ]
        assert one.picked == picked
        assert one.inside("one.views.places.data('brush_store').length") == 0
    one.drag((0.1, 0.1), (0.3, 0.4))
    assert one.picked != picked


def test_hidden_populations_are_nowhere_and_in_no_selection(
    explored: Open, page: Explored, small: load.Analysis
) -> None:
    one = explored(page)
    first, second, third = small.names
    one.press(first)
    one.press(second)
    one.change(hide=[first])
    assert one.picked == list(range(6, 12))
    assert one.told[-1]["ids"] == one.ids(list(range(6, 12)))
    assert {row["p"] for row in one.inside("one.views.places.data('places')")} == {1, 2}
    assert len(one.inside("one.views.distances.data('rows')")) == 12
    cells = one.inside("one.views.distances.data('cells')")
    groups = one.document["distances"]["groups"]
    shown = {k for k, (i,) in enumerate(groups) if i >= 6}
    assert {row["i"] for row in cells} == {row["j"] for row in cells} == shown
    curves = one.document["curves"]
    assert {row["c"] for row in one.inside("one.views.curves.data('lines')")} == {
        c for c, ends in enumerate(zip(curves["first"], curves["second"], strict=True)) if min(ends) >= 6
    }
    assert one.plot("distances")[2] % 12 == 0
    assert not one.box.get_by_role("button", name=first, exact=True).is_visible()
    one.drag((0.0, 0.0), (1.0, 1.0))
    assert one.picked == list(range(6, 18))
    one.change(hide=[], mark=[third])
    one.key("Escape")
    assert [shade > 0.5 for shade in one.shade("places")] == [False] * 12 + [True] * 6
    assert len(one.inside("one.views.distances.data('rows')")) == 18


def test_renamed_populations_have_their_new_names_everywhere(
    explored: Open, page: Explored, small: load.Analysis
) -> None:
    one = explored(page)
    first, second, _ = small.names
    one.change(names={first: second, second: "<b>new</b>"})  # one gets the name that another had
    assert one.box.locator("[data-place] .text").all_inner_texts()[:2] == [second, "<b>new</b>"]
    one.press("<b>new</b>")
    assert one.text.startswith("6 of 18 members selected: <b>new</b> 6.")
    assert one.told[-1]["ids"] == one.ids(list(range(6, 12)))
    assert one.hover(*one.point(7))["member"] == "<b>new</b>/0001"
    assert one.hover(*one.point(0))["member"] == f"{second}/0000"
    one.change(names={})
    assert one.text.startswith(f"6 of 18 members selected: {second} 6.")


@pytest.mark.parametrize("way", ["settings", "system"])
def test_colours_follow_the_page(explored: Open, page: Explored, way: str) -> None:
    one = explored(page, color_scheme="light")
    signals = "['ink', 'grid', 'paper'].map((name) => one.views.distances.signal(name))"
    assert one.inside(signals) == ["#1a1d21", "#d5dae0", "#ffffff"]
    light = one.picture("curves")
    if way == "system":
        one.tab.emulate_media(color_scheme="dark")
    else:
        one.tab.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
        one.change(theme="dark")
    one.settle()
    assert one.inside(signals) == ["#e6e9ec", "#363d45", "#14171a"]
    assert one.picture("curves") != light


def test_views_are_as_wide_as_there_is_room(explored: Open, page: Explored) -> None:
    one = explored(page, viewport={"width": 1280, "height": 1100})
    for width, rows in ((1280, 1), (360, 3), (820, 2)):
        one.tab.set_viewport_size({"width": width, "height": 1100})
        one.settle()
        boxes = [one.box.locator(f"[data-view={view}] canvas").bounding_box() for view in VIEWS]
        found = [box for box in boxes if box]
        assert len({box["y"] for box in found}) == rows
        assert one.tab.evaluate("() => document.documentElement.scrollWidth") == width
        for box, view in zip(found, VIEWS, strict=True):
            room = one.inside(f"one.canvas('{view}').clientWidth")
            assert room - 20 < box["width"] + (20 if view == "distances" else 1) <= room + 21
    one.drag((0.0, 0.0), (1.0, 1.0))
    assert one.picked == list(range(18))


def test_it_is_not_printed(explored: Open, page: Explored) -> None:
    one = explored(page)
    width = one.plot("places")[2]
    one.tab.emulate_media(media="print")
    assert not one.box.is_visible()
    one.settle()
    one.tab.emulate_media(media="screen")
    one.settle()
    assert one.plot("places")[2] == width


@pytest.mark.parametrize("view", VIEWS)
def test_pictures_are_exported_with_a_legend(
    explored: Open, page: Explored, small: load.Analysis, tmp_path: Path, view: str
) -> None:
    """For paper: light, whatever the page is, with the names that populations have on it."""
    one = explored(page, color_scheme="dark")
    one.change(names={small.names[0]: '"><b>$'}, hide=[small.names[2]])
    name = {"places": "pcoa", "distances": "distances", "curves": "interpolation"}[view]
    for kind in ("svg", "png"):
        with one.tab.expect_download() as download:
            one.box.locator(f"[data-of={view}][data-save={kind}]").click()
        assert download.value.suggested_filename == f"recycling-at-half-{name}.{kind}"
        download.value.save_as(tmp_path / f"picture.{kind}")
    (svg,) = dom.parse((tmp_path / "picture.svg").read_text(encoding="utf-8")).all("svg")
    texts = [node.text() for node in svg.all("text")]
    assert '"><b>$' in texts
    assert small.names[1] in texts
    assert small.names[2] not in texts
    assert next(svg.all("rect")).attributes["fill"] == "white"
    from PIL import Image

    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size[0] >= 1200
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_hostile_names_are_shown_and_run_nothing(explored: Open, far: Explored) -> None:
    one = explored(far, "s2")
    names = list(HOSTILE_NAMES.values())
    assert one.box.locator("[data-place] .text").all_inner_texts() == names
    for place, name in enumerate(names):
        one.press(name)
        assert one.text.startswith(f"6 of 18 members selected: {name} 6.")
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
