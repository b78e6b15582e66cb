"""Pages of a hundred and of a thousand members."""

import pytest

from masklab.report import load, virtual

from .. import large
from .conftest import Go, Large

MEGABYTES = {"hundred": 5.0, "thousand": 10.0}


@pytest.fixture(params=MEGABYTES)
def page(request: pytest.FixtureRequest) -> Large:
    return request.getfixturevalue(request.param)


def test_size_of_the_page(page: Large) -> None:
    assert page.path.stat().st_size < MEGABYTES[page.study.name] * 1e6


def test_the_synthetic_analysis_is_one(page: Large) -> None:
    analysis = load.read(page.study)
    assert analysis.distances is not None
    assert analysis.distances.ids == [member["id"] for member in page.results["members"]]
    lists = {key: rows for key, rows in page.results.items() if isinstance(rows, list)}
    assert [key for key, rows in lists.items() if not rows] == ["sums"]
    assert len(page.results["scatter"]) <= large.SCATTER


def _sorted(page: Large, sign: int) -> list[str]:
    members = page.results["members"]
    return [member["id"] for member in sorted(members, key=lambda own: sign * own["accuracy"])]


def test_members_sort_and_are_searched_beyond_what_is_laid_out(visit: Go, page: Large) -> None:
    members = visit(page).table("s1-members")
    members.sort(2)
    members.sort(2)
    wanted = _sorted(page, -1)
    found = members.column(0)
    assert found == wanted[: len(found)]
    if len(wanted) > virtual.LIMIT:
        assert members.counted() == (1 + len(wanted), 2)
    name = page.results["populations"][-1]["name"]
    members.search.fill(f"{name}/ 001")
    chosen = [member for member in wanted if name in member and "001" in member]
    assert len(chosen) == 11
    assert members.column(0) == chosen
    assert members.line() == f"11 of {len(wanted):,} rows"


def test_members_csv_has_all_of_them_at_full_precision(visit: Go, page: Large) -> None:
    _, (head, *lines) = visit(page).table("s1-members").csv()
    column = head.index("accuracy, %")
    assert head[0] == "member"
    assert [line[0] for line in lines] == [member["id"] for member in page.results["members"]]
    for line, member in zip(lines, page.results["members"], strict=True):
        assert float(line[column]) == pytest.approx(100.0 * member["accuracy"], rel=1e-14)


def test_every_table_of_the_page_says_how_many_rows_it_has(visit: Go, page: Large) -> None:
    opened = visit(page)
    opened.open_everything()
    for box in opened.tab.locator(".table[data-rows]").all():
        rows = int(box.get_attribute("data-rows") or 0)
        assert box.locator(".shown").inner_text().startswith(f"First 100 of {rows:,} rows")
        assert box.locator("tbody tr").count() == 100
        table = opened.table(box.get_attribute("id") or "")
        _, (_, *lines) = table.csv()
        assert len(lines) == rows
        assert table.line() == f"{rows:,} rows"
