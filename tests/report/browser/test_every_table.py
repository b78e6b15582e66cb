"""Every table of a real page does what tables do."""

from typing import Any

import pytest

from ..conftest import Page
from .conftest import Go

SORT_ALL = """() => [...document.querySelectorAll(".table")].flatMap((box) => {
  const rows = () => [...box.querySelectorAll("tbody tr")];
  const values = (column) => rows().map((row) => row.cells[column].dataset.value ?? null);
  return [...box.querySelectorAll("thead th")].map((head, column) => {
    const before = values(column);
    const after = [];
    for (let turn = 0; turn < 3; turn += 1) {
      head.querySelector("button").click();
      after.push([head.getAttribute("aria-sort"), values(column)]);
    }
    return [`${box.id} ${column}`, head.classList.contains("number"), before, after];
  });
})"""


@pytest.mark.parametrize("name", ["plain", "full"])
def test_every_column_sorts(visit: Go, request: pytest.FixtureRequest, name: str) -> None:
    opened = visit(request.getfixturevalue(name))
    assert opened.tab.locator(".table[data-rows]").count() == 0
    found: list[Any] = opened.tab.evaluate(SORT_ALL)
    assert len(found) > 100
    for column, numeric, before, turns in found:
        known = [value for value in before if value is not None]
        unknown = [None] * (len(before) - len(known))
        (up, ascending), (down, descending), (back, again) = turns
        assert (up, down, back) == ("ascending", "descending", "none")
        assert again == before
        if numeric:
            numbers = sorted(float(value) for value in known)
            assert [value if value is None else float(value) for value in ascending] == numbers + unknown, (
                column
            )
            assert [value if value is None else float(value) for value in descending] == numbers[
                ::-1
            ] + unknown
        else:
            assert sorted(ascending[: len(known)]) == sorted(known)
            assert ascending[len(known) :] == descending[len(known) :] == unknown


def test_every_table_is_downloaded_with_the_numbers_of_its_cells(visit: Go, plain: Page) -> None:
    opened = visit(plain)
    opened.open_everything()
    boxes = opened.tab.locator(".table:has(.tools)")
    assert boxes.count() > 10
    for box in boxes.all():
        table = opened.table(box.get_attribute("id") or "")
        heads = [head.inner_text().strip() for head in box.locator("thead th").all()]
        numeric = [
            ("number" in (head.get_attribute("class") or "")) for head in box.locator("thead th").all()
        ]
        values = box.locator("tbody tr").evaluate_all(
            "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.dataset.value ?? null))"
        )
        name, (head, *lines) = table.csv()
        assert name == f"{table.key}.csv"
        assert len(lines) == len(values)
        places = [head.index(label) for label in heads]
        for line, row in zip(lines, values, strict=True):
            assert len(line) == len(head)
            for place, value, number in zip(places, row, numeric, strict=True):
                if number and value is not None:
                    assert float(line[place]) == float(value)
                elif number:
                    assert line[place] == ""


def test_members_csv_has_the_numbers_of_the_results(visit: Go, plain: Page) -> None:
    _, (head, *lines) = visit(plain).table("s1-members").csv()
    columns = [head.index(name) for name in ("member", "weight draw", "accuracy, %")]
    for line, member in zip(lines, plain.results["members"], strict=True):
        name, draw, accuracy = (line[column] for column in columns)
        assert (name, int(draw)) == (member["id"], member["block"])
        assert float(accuracy) == pytest.approx(100.0 * member["accuracy"], rel=1e-14)
