"""Tables that are laid out whole: sorting, searching, filtering, selecting."""

import itertools
import math
from collections.abc import Callable

import pytest

from masklab.report import tables

from . import samples
from .conftest import Go

ROWS = samples.entries(60)
SMALL = samples.entries(5, seed=1)


def test_a_heading_sorts_both_ways_and_back(tabled: Go) -> None:
    members = tabled([samples.table(ROWS)], samples.POPULATIONS).table("s1-members")
    assert members.sort(1) == "ascending"
    assert members.column(0) == samples.by_accuracy(ROWS, 1)
    assert members.sort(1) == "descending"
    assert members.column(0) == samples.by_accuracy(ROWS, -1)
    assert members.sort(3) == "ascending"
    assert members.header(1).get_attribute("aria-sort") == "none"
    assert members.column(3) == samples.by_layer(ROWS)
    members.sort(3)
    assert members.column(3) == samples.by_layer(ROWS)[::-1]
    assert members.sort(3) == "none"
    assert members.column(0) == [row.member for row in ROWS]


def test_rows_that_are_equal_keep_the_order_of_the_sort_before(tabled: Go) -> None:
    members = tabled([samples.table(ROWS)], samples.POPULATIONS).table("s1-members")
    members.sort(1)
    members.sort(3)
    place = {name: at for at, name in enumerate(samples.by_accuracy(ROWS, 1))}
    layers = {row.member: row.layer for row in ROWS}
    found = members.column(0)
    assert len(found) == len(ROWS)
    for first, second in itertools.pairwise(found):
        assert layers[first] != layers[second] or place[first] < place[second]


def test_search_finds_rows_with_all_words_anywhere(tabled: Go) -> None:
    members = tabled([samples.table(ROWS)], samples.POPULATIONS).table("s1-members")
    assert members.line() == "60 rows"
    for typed in (
        "conv1",
        "CONV1 other",
        "−1",
        "-1",
        "tool  biprop",
        "img src",
        "no where",
        "not recorded",
        '"><I',
    ):
        members.search.fill(typed)
        words = typed.lower().replace("−", "-").split()
        wanted = [row.member for row in ROWS if all(word in row.searched.replace("−", "-") for word in words)]
        assert len(wanted) < len(ROWS)
        assert members.column(0) == wanted
        assert members.line() == f"{len(wanted)} of 60 rows"
    members.button("Show all rows").click()
    assert members.column(0) == [row.member for row in ROWS]
    assert members.search.input_value() == ""
    assert members.line() == "60 rows"


FILTERS: dict[str, Callable[[float], bool]] = {
    ">50": lambda x: x > 50,
    ">= 50": lambda x: x >= 50,
    "<−1.5": lambda x: x < -1.5,
    "≤20 %": lambda x: x <= 20,
    "10..60": lambda x: 10 <= x <= 60,
    "60 .. 10": lambda x: 10 <= x <= 60,
    "-5 to 5.": lambda x: -5 <= x <= 5,
    ">.5e2": lambda x: x > 50,
    "40": lambda x: math.floor(x + 0.5) == 40,
}


def test_filter_of_numbers(tabled: Go) -> None:
    members = tabled([samples.table(ROWS)], samples.POPULATIONS).table("s1-members")
    members.button("Filter columns").click()
    for typed, holds in FILTERS.items():
        members.filter(1).fill(typed)
        wanted = [row.member for row in ROWS if row.accuracy is not None and holds(row.accuracy)]
        assert members.column(0) == wanted, typed
        assert members.filter(1).get_attribute("aria-invalid") == "false"


def test_a_number_finds_what_is_printed_so(tabled: Go) -> None:
    members = tabled([samples.table(ROWS)], samples.POPULATIONS).table("s1-members")
    members.button("Filter columns").click()
    row = next(row for row in ROWS if row.accuracy is not None)
    members.filter(1).fill(f"{row.accuracy:.2f}")
    assert row.member in members.column(0)
    members.filter(1).fill(f"{(row.accuracy or 0.0) + 0.02:.2f}")
    assert row.member not in members.column(0)


def test_a_filter_that_means_nothing_hides_nothing_and_says_what_is_allowed(tabled: Go) -> None:
    members = tabled([samples.table(ROWS)], samples.POPULATIONS).table("s1-members")
    members.button("Filter columns").click()
    for typed in (">", "90..", "a lot", ">9x", "--1"):
        members.filter(1).fill("")
        members.filter(1).fill(typed)
        assert members.filter(1).get_attribute("aria-invalid") != "true"
        members.filter(1).press("Enter")
        assert members.filter(1).get_attribute("aria-invalid") == "true"
        described = members.filter(1).get_attribute("aria-describedby")
        text = members.tab.locator(f"#{described}").inner_text()
        assert text.startswith("accuracy, %: give a comparison such as >90")
        assert members.column(0) == [row.member for row in ROWS]
    members.filter(1).fill(">50")
    assert members.filter(1).get_attribute("aria-invalid") == "false"
    assert members.box.locator(".wrong").inner_text() == ""
    assert 0 < len(members.column(0)) < len(ROWS)


def test_filters_of_several_columns_and_the_search_hold_together(tabled: Go) -> None:
    members = tabled([samples.table(ROWS)], samples.POPULATIONS).table("s1-members")
    opener = members.button("Filter columns")
    assert opener.get_attribute("aria-expanded") == "false"
    opener.click()
    assert opener.get_attribute("aria-expanded") == "true"
    assert members.tab.evaluate("() => document.activeElement.ariaLabel") == "Filter member"
    members.filter(1).fill(">0")
    members.filter(3).fill("conv1")
    members.search.fill("biprop")
    wanted = [
        row.member
        for row in ROWS
        if row.accuracy is not None and row.accuracy > 0 and "conv1" in row.layer and "biprop" in row.member
    ]
    assert 0 < len(wanted) < 20
    assert members.column(0) == wanted
    opener.click()
    assert members.box.locator(".filters").count() == 0
    assert members.column(0) == [row.member for row in ROWS if "biprop" in row.member]
    members.search.fill("no such thing")
    assert members.column(0) == []
    assert members.box.locator("tbody").inner_text().strip() == "No such row"


def test_small_tables_stay_plain(tabled: Go) -> None:
    one = tables.Table("one", "One.", samples.COLUMNS, [SMALL[0].cells])
    opened = tabled([samples.table(SMALL, "small"), one], samples.POPULATIONS)
    small = opened.table("small")
    assert [own.inner_text() for own in small.box.locator(".tools button").all()] == ["Copy", "Download CSV"]
    assert opened.table("one").box.locator(".tools").count() == 0
    assert small.line() == ""
    small.sort(1)
    assert small.column(0) == samples.by_accuracy(SMALL, 1)


def test_rows_about_hidden_populations_are_hidden(tabled: Go) -> None:
    opened = tabled([samples.table(ROWS), samples.table(SMALL, "small")], samples.POPULATIONS)
    members, small = opened.table("s1-members"), opened.table("small")
    hidden = samples.POPULATIONS[1]
    opened.tab.evaluate("(name) => masklab.change({ hide: [name] })", hidden)
    left = [row.member for row in ROWS if row.population != hidden]
    assert members.column(0) == left
    assert members.line() == "40 of 60 rows, 20 about hidden populations"
    assert small.column(0) == [row.member for row in SMALL if row.population != hidden]
    members.search.fill("conv1")
    found = [row.member for row in ROWS if row.population != hidden and "conv1" in row.searched]
    assert members.column(0) == found
    _, (_, *lines) = members.csv()
    assert len(lines) == len(found)
    opened.tab.evaluate("() => masklab.change({ hide: [] })")
    members.button("Show all rows").click()
    assert members.column(0) == [row.member for row in ROWS]
    assert small.column(0) == [row.member for row in SMALL]


def test_a_row_about_two_populations_goes_with_either(tabled: Go) -> None:
    columns = (tables.Column("a", numeric=False), tables.Column("b", numeric=False))
    pairs = [("x", "x"), ("x", "y"), ("y", "z"), ("z", "z")]
    rows = [[tables.named(a), tables.named(b)] for a, b in pairs]
    opened = tabled([tables.Table("pairs", "Pairs.", columns, rows)], ("z", "y", "x"))
    assert [row.get_attribute("data-p") for row in opened.tab.locator("tbody tr").all()] == [
        *("2", "1 2", "0 1", "0")
    ]
    opened.tab.evaluate("() => masklab.change({ hide: ['y'] })")
    assert opened.table("pairs").column(1) == ["x", "z"]


def test_settings_in_the_address_hide_rows_from_the_start(tabled: Go) -> None:
    opened = tabled([samples.table(ROWS)], samples.POPULATIONS)
    opened.tab.goto(opened.path.as_uri() + "#?hide=biprop-d0.5")
    opened.tab.reload()
    assert opened.table("s1-members").line() == "40 of 60 rows, 20 about hidden populations"


def test_selected_members_are_marked_and_can_stand_alone(tabled: Go) -> None:
    opened = tabled([samples.table(ROWS), samples.table(SMALL, "s2-members")], samples.POPULATIONS)
    members = opened.table("s1-members")
    only = members.button("Only selected members")
    assert not only.is_visible()
    chosen = [row.member for row in ROWS[::7]]
    opened.select("s1", chosen)
    rows = members.box.locator("tbody tr.selected")
    assert rows.locator("th .text").all_inner_texts() == chosen
    assert rows.first.locator("th").evaluate("(cell) => cell.textContent") == f"{chosen[0]} selected"
    assert opened.tab.locator("#s2-members tr.selected").count() == 0
    assert not opened.table("s2-members").button("Only selected members").is_visible()
    only.click()
    assert only.get_attribute("aria-pressed") == "true"
    assert members.column(0) == chosen
    opened.select("s1", chosen[:2])
    assert members.column(0) == chosen[:2]
    opened.select("s1", [])
    assert members.column(0) == [row.member for row in ROWS]
    assert rows.count() == 0
    assert members.box.locator("tbody .unseen").count() == 0
    assert not only.is_visible()


def test_rows_shown_can_be_selected_where_there_is_an_explorer(tabled: Go) -> None:
    opened = tabled(
        [samples.table(ROWS), samples.table(SMALL, "s2-members")], samples.POPULATIONS, explored="s1"
    )
    members = opened.table("s1-members")
    assert opened.table("s2-members").button("Select the rows shown").count() == 0
    opened.tab.evaluate(
        "() => document.addEventListener('masklab:select', (event) => { window.chosen = event.detail; })"
    )
    members.button("Select the rows shown").click()
    assert opened.tab.evaluate("() => window.chosen") == {
        "section": "s1",
        "ids": [row.member for row in ROWS],
    }
    members.search.fill("biprop")
    members.button("Select the rows shown").click()
    assert opened.tab.evaluate("() => window.chosen.ids") == [
        row.member for row in ROWS if "biprop" in row.member
    ]


def test_headings_stay_in_sight(tabled: Go) -> None:
    opened = tabled([samples.table(ROWS)], samples.POPULATIONS, viewport={"width": 280, "height": 500})
    where = opened.tab.evaluate(
        """() => {
          const scroll = document.querySelector(".table > .scroll");
          scroll.scrollTo(60, 900);
          const place = (name) => {
            const { left, top } = scroll.querySelector(name).getBoundingClientRect();
            return [left, top];
          };
          const { left, top } = scroll.getBoundingClientRect();
          const names = [place("thead"), place("tbody tr:nth-child(30) th")];
          return [scroll.scrollTop, scroll.scrollLeft, left, top, ...names, scroll.clientHeight];
        }"""
    )
    down, right, left, top, head, name, height = where
    assert down == 900
    assert right == 60
    assert height <= 0.8 * 500
    assert head[1] == pytest.approx(top, abs=1.0)
    assert name[0] == pytest.approx(left, abs=1.0)
