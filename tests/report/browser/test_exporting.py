"""Rows that are shown, as a file and on the clipboard."""

from masklab.report import tables

from . import samples
from .conftest import Go

ROWS = samples.entries(60)


def _written(rows: list[samples.Entry]) -> list[list[str]]:
    """Lines that a file of these rows has."""
    found = []
    for row in rows:
        name = "'" + row.member if row.member.startswith("=") else row.member
        detail = "of another tool" if row.member.endswith("3") else ""
        low, high = ("", "") if row.accuracy is None else (row.accuracy - 1.0, row.accuracy + 1.0)
        number = "" if row.accuracy is None else repr(row.accuracy)
        found.append(
            [
                *(name, detail, number),
                *("" if end == "" else f"{end:.1f}" for end in (low, high)),
                "not recorded" if row.accuracy is None else "15 pairs",
                *(repr((row.accuracy or 0.0) / 10.0), "0.43"),
                "whole mask" if row.layer == "whole" else row.layer,
            ]
        )
    return found


HEAD = [
    *("member", "member note", "accuracy, %", "accuracy, % low", "accuracy, % high", "accuracy, % note"),
    *("spread", "spread ±", "layer"),
]
_NUMBERS = (2, 3, 4, 6, 7)


def _same(found: list[list[str]], wanted: list[list[str]]) -> None:
    assert len(found) == len(wanted)
    for line, other in zip(found, wanted, strict=True):
        for column, (text, expected) in enumerate(zip(line, other, strict=True)):
            if column in _NUMBERS and expected:
                assert float(text) == float(expected)
            else:
                assert text == expected


def test_csv_has_the_rows_shown_at_full_precision(tabled: Go) -> None:
    members = tabled([samples.table(ROWS)], samples.POPULATIONS).table("s1-members")
    name, (head, *lines) = members.csv()
    assert name == "s1-members.csv"
    assert head == HEAD
    _same(lines, _written(ROWS))
    members.search.fill("biprop")
    members.sort(1)
    shown = {row.member: row for row in ROWS}
    _, (head, *lines) = members.csv()
    assert head == HEAD
    chosen = [shown[name] for name in samples.by_accuracy(ROWS, 1) if "biprop" in name]
    _same(lines, _written(chosen))


def test_copy_puts_the_same_on_the_clipboard(tabled: Go) -> None:
    opened = tabled(
        [samples.table(ROWS)], samples.POPULATIONS, permissions=["clipboard-read", "clipboard-write"]
    )
    members = opened.table("s1-members")
    members.search.fill("conv1")
    chosen = [row for row in ROWS if "conv1" in row.searched]
    head, *lines = members.copied()
    assert head == HEAD
    _same(lines, _written(chosen))
    assert opened.tab.locator("#status").inner_text() == f"{len(chosen)} rows copied"


def test_odd_numbers_keep_what_is_printed(tabled: Go) -> None:
    columns = (tables.Column("name", numeric=False), tables.Column("events"), tables.Column("p"))
    rows = [
        [tables.Cell("a", "a"), tables.Cell("3–5", 5), tables.Cell("< 0.0001", 1e-40)],
        [
            tables.Cell("-2+3", "-2+3"),
            tables.Cell("12,000", 12000),
            tables.Cell("0.4", 0.4, "0.6 [0.5, 0.7]"),
        ],
    ]
    _, lines = tabled([tables.Table("odd", "Odd.", columns, rows)]).table("odd").csv()
    assert lines == [
        ["name", "events", "events printed", "p", "p printed", "p note"],
        ["a", "5", "3–5", "1e-40", "< 0.0001", ""],
        ["'-2+3", "12000", "", "0.4", "", "0.6 [0.5, 0.7]"],
    ]
