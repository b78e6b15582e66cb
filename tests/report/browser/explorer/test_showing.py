"""What is shown, in a real Chromium: tips, embeddings, settings, sizes, pictures."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from masklab.report import load

from ... import dom
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
        "index": str(member.index),
        "weight draw": str(member.block),
        "accuracy": f"{100 * member.accuracy:.{one.document['digits']}f} %",
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
    left, away = [*range(6), *range(12, 18)], set(range(6, 12))
    one.press(first)
    one.press(second)
    one.change(hide=[second])
    assert one.picked == list(range(6))
    assert one.told[-1]["ids"] == one.ids(list(range(6)))
    assert {row["p"] for row in one.inside("one.views.places.data('places')")} == {0, 2}
    assert len(one.inside("one.views.distances.data('rows')")) == 12
    cells = one.inside("one.views.distances.data('cells')")
    shown = {k for k, (i,) in enumerate(one.document["distances"]["groups"]) if i not in away}
    assert {row["i"] for row in cells} == {row["j"] for row in cells} == shown
    curves = one.document["curves"]
    ends = zip(curves["first"], curves["second"], strict=True)
    assert {row["c"] for row in one.inside("one.views.curves.data('lines')")} == {
        c for c, pair in enumerate(ends) if not away & set(pair)
    }
    assert one.plot("distances")[2] % 12 == 0
    assert not one.box.get_by_role("button", name=second, exact=True).is_visible()
    one.drag((0.0, 0.0), (1.0, 1.0))
    assert one.picked == left
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
    assert one.text.startswith("6 of 18 members selected: 6 of <b>new</b>.")
    assert one.told[-1]["ids"] == one.ids(list(range(6, 12)))
    assert one.hover(*one.point(7))["member"] == "<b>new</b>/0001"
    assert one.hover(*one.point(0))["member"] == f"{second}/0000"
    one.change(names={})
    assert one.text.startswith(f"6 of 18 members selected: 6 of {second}.")


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


def test_pictures_are_exported_with_a_legend(
    explored: Open, page: Explored, small: load.Analysis, tmp_path: Path
) -> None:
    """For paper: light, whatever the page is, with the names that populations have on it."""
    one = explored(page, color_scheme="dark")
    one.change(names={small.names[0]: '"><b>$'}, hide=[small.names[2]])
    for view, name in zip(VIEWS, ("pcoa", "distances", "interpolation"), strict=True):
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
        with Image.open(tmp_path / "picture.png") as picture:
            assert picture.size[0] >= 1200
            assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
