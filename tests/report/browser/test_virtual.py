"""Large tables: a part is laid out, everything else is as if all of it were."""

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies

from masklab.report import tables, virtual

from . import harness, samples
from .conftest import Go
from .visits import Table, Visit

MANY = samples.entries(1000)
COLUMNS = (
    tables.Column("place"),
    tables.Column("words", numeric=False),
    tables.Column("word", numeric=False),
)


def long(number: int) -> tables.Table:
    """Rows that know their place; some are higher, some wider than others."""
    rows = [
        [
            tables.Cell(f"{place}", place, "and why" if place % 9 == 4 else ""),
            tables.Cell("wide " * (place % 7), f"{place % 7}", count="twice" if place % 11 == 2 else ""),
            tables.Cell("w" * (150 if place == number // 2 else 20), "w"),
        ]
        for place in range(number)
    ]
    return tables.Table("long", "Long.", COLUMNS, rows)


@given(strategies.integers(0, 400))
def test_split_keeps_small_tables_whole_and_the_head_of_large_ones(number: int) -> None:
    table = long(number)
    shown, whole = virtual.split(table)
    if number <= virtual.LIMIT:
        assert (shown, whole) == (table, None)
    else:
        assert whole == table.rows
        assert list(shown.rows) == list(table.rows[: virtual.SHOWN])


def test_carried_rows_are_those_of_the_page() -> None:
    environment = harness.environment(samples.POPULATIONS)
    table = samples.table(MANY[:160])
    carried = virtual.rows(environment, table)
    page = environment.from_string(
        '{% from "tables.html.jinja" import sortable %}{{ sortable(table) }}'
    ).render(table=table)
    assert len(carried) == 160
    laid_out = re.findall(r"<tr data-p=.*?</tr>", page)
    assert laid_out == carried[: virtual.SHOWN]
    assert "<img" not in page + "".join(carried)
    assert virtual.rows(environment, samples.table(MANY[:150])) == []


def test_a_row_about_an_unknown_population_is_refused() -> None:
    table = samples.table(MANY[:160])
    with pytest.raises(KeyError):
        virtual.rows(harness.environment(samples.POPULATIONS[:1]), table)


def _loaded(opened: Visit, table: Table) -> None:
    """Scroll a little, and wait until all rows are there."""
    table.box.locator(".scroll").evaluate("(scroll) => { scroll.scrollTop = 40; }")
    opened.tab.wait_for_function("() => !document.querySelector('.shown').textContent.includes('First')")


def test_says_what_is_there_before_and_after(tabled: Go) -> None:
    opened = tabled([samples.table(MANY)], samples.POPULATIONS)
    members = opened.table("s1-members")
    assert members.line() == "First 100 of 1,000 rows; scroll, sort or search for the rest"
    assert members.column(0) == [row.member for row in MANY[:100]]
    _loaded(opened, members)
    assert members.line() == "1,000 rows"
    assert 20 < members.box.locator("tbody tr").count() < 100


def test_without_scripts_the_first_rows_are_there(tabled: Go) -> None:
    opened = tabled([samples.table(MANY)], samples.POPULATIONS, java_script_enabled=False)
    members = opened.table("s1-members")
    assert members.line() == "First 100 of 1,000 rows"
    assert members.box.locator("tbody tr").count() == 100


def test_every_row_is_reached_by_scrolling_and_stands_where_it_belongs(tabled: Go) -> None:
    opened = tabled([long(500)])
    table = opened.table("long")
    _loaded(opened, table)
    scroll = table.box.locator(".scroll")
    widths = (
        "() => [...document.querySelectorAll('thead th')].map((head) => head.getBoundingClientRect().width)"
    )
    before = opened.tab.evaluate(widths)
    seen: set[str] = set()
    for _ in range(200):
        seen |= set(table.column(0))
        at, end = scroll.evaluate(
            "(own) => { own.scrollTop += 1200; return [own.scrollTop, own.scrollHeight - own.clientHeight]; }"
        )
        opened.settle()
        heights, first, top = scroll.evaluate(
            """(own) => {
              const rows = [...own.querySelectorAll("tbody tr:not(.spacer):not(.sizer)")];
              const heights = new Set(rows.map((row) => row.getBoundingClientRect().height));
              const above = own.getBoundingClientRect().top + own.querySelector("thead").offsetHeight;
              const place = rows[0].getBoundingClientRect().top - above;
              const first = Number(rows[0].querySelector(".text").textContent);
              return [[...heights], first, place + own.scrollTop];
            }"""
        )
        assert len(heights) == 1
        assert top == pytest.approx(first * heights[0], abs=1.5)
        assert opened.tab.evaluate(widths) == before
        if at >= end - 1:
            break
    seen |= set(table.column(0))
    assert seen == {str(place) for place in range(500)}


def test_sort_search_filter_and_csv_cover_all_rows(tabled: Go) -> None:
    opened = tabled([samples.table(MANY)], samples.POPULATIONS)
    members = opened.table("s1-members")
    assert members.sort(1) == "ascending"
    wanted = samples.by_accuracy(MANY, 1)
    assert members.column(0) == wanted[: len(members.column(0))]
    assert members.counted() == (1 + 1000, 2)
    members.search.fill("biprop")
    chosen = [name for name in wanted if "biprop" in name]
    assert members.line() == f"{len(chosen)} of 1,000 rows"
    assert members.column(0) == chosen[: len(members.column(0))]
    assert members.counted() == (1 + len(chosen), 2)
    members.button("Filter columns").click()
    members.filter(1).fill(">94")
    best = [row.member for row in MANY if (row.accuracy or 0) > 94 and "biprop" in row.member]
    assert 0 < len(best) < 15
    assert members.column(0) == [name for name in chosen if name in best]
    assert members.counted() == (2 + len(best), 3)
    _, (_, *lines) = members.csv()
    assert [line[0] for line in lines] == [name for name in chosen if name in best]
    members.button("Show all rows").click()
    _, (_, *lines) = members.csv()
    assert [line[0].removeprefix("'") for line in lines] == wanted


def test_csv_before_anything_was_touched_has_all_rows(tabled: Go) -> None:
    members = tabled([samples.table(MANY)], samples.POPULATIONS).table("s1-members")
    _, (_, *lines) = members.csv()
    assert [line[0].removeprefix("'") for line in lines] == [row.member for row in MANY]


def test_hidden_and_selected_rows_of_a_large_table(tabled: Go) -> None:
    opened = tabled([samples.table(MANY)], samples.POPULATIONS)
    members = opened.table("s1-members")
    opened.tab.evaluate("() => masklab.change({ hide: ['biprop-d0.5'] })")
    left = [row.member for row in MANY if row.population != "biprop-d0.5"]
    opened.tab.wait_for_function("() => document.querySelector('.shown').textContent.includes('hidden')")
    assert members.line() == f"{len(left)} of 1,000 rows, {1000 - len(left)} about hidden populations"
    assert members.column(0) == left[: len(members.column(0))]
    far = left[-3:]
    opened.select("s1", far)
    members.button("Only selected members").click()
    assert members.column(0) == far
    assert members.box.locator("tr.selected").count() == 3


def test_a_damaged_page_says_that_the_other_rows_cannot_be_read(tabled: Go, visit: Go) -> None:
    whole = tabled([samples.table(MANY)], samples.POPULATIONS)
    opened = visit(harness.broken(whole.path))
    members = opened.table("s1-members")
    members.header(1).get_by_role("button").click()
    opened.tab.wait_for_function(
        "() => document.querySelector('.shown').textContent.includes('cannot be read')"
    )
    assert members.line().startswith("First 100 of 1,000 rows; the others cannot be read: ")
    assert members.header(1).get_attribute("aria-sort") == "none"
    assert members.column(0) == [row.member for row in MANY[:100]]


def test_paper_gets_the_first_hundred_and_says_so(tabled: Go) -> None:
    opened = tabled([samples.table(MANY)], samples.POPULATIONS)
    members = opened.table("s1-members")
    events = "() => { window.dispatchEvent(new Event('beforeprint')); }"
    opened.tab.evaluate(events)
    assert members.line() == "Printed: the first 100 of 1,000 rows; the CSV file has the others"
    opened.tab.evaluate("() => { window.dispatchEvent(new Event('afterprint')); }")
    assert members.line() == "First 100 of 1,000 rows; scroll, sort or search for the rest"
    members.sort(1)
    members.search.fill("img")
    chosen = [name for name in samples.by_accuracy(MANY, 1) if "img" in name]
    opened.tab.evaluate(events)
    assert (
        members.line()
        == f"Printed: the first 100 of {len(chosen)} chosen of 1,000 rows; the CSV file has the others"
    )
    assert members.column(0) == chosen[:100]
    opened.tab.evaluate("() => { window.dispatchEvent(new Event('afterprint')); }")
    assert members.line() == f"{len(chosen)} of 1,000 rows"
    members.search.fill("0007")
    opened.tab.evaluate(events)
    assert members.line() == "1 of 1,000 rows"


def test_a_folded_table_is_laid_out_when_it_opens(tmp_path: Path, visit: Go) -> None:
    path = harness.write(tmp_path / "folded.html", [samples.table(MANY)], samples.POPULATIONS, folded=True)
    opened = visit(path)
    opened.tab.evaluate("() => masklab.change({ hide: ['biprop-d0.5'] })")
    opened.tab.wait_for_function("() => document.querySelector('.shown').textContent.includes('hidden')")
    opened.tab.evaluate("() => { document.querySelector('details').open = true; }")
    opened.settle()
    left = [row.member for row in MANY if row.population != "biprop-d0.5"]
    found = opened.table("s1-members").column(0)
    assert found
    assert found == left[: len(found)]
