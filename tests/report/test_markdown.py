import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from masklab.errors import ArchiveError
from masklab.report import bibliography, compare, findings, load, markdown, provenance, style, tables

from . import builder, dom, variants
from .recipe import HOSTILE
from .together import studies

_KNOWN = {
    *("h1", "h2", "h3", "p", "ul", "li", "strong", "a", "br", "span", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def parsed(text: str) -> dom.Node:
    """As GitHub renders it, without what is only there to keep its calls from firing."""
    html = _parser().render(text)
    return dom.parse(html.replace("\u200b", "").replace("<br>", "<br/>"))


def _tables(root: dom.Node) -> list[list[list[str]]]:
    """Rows of cells of every table, headings included; lines of a cell are joined."""
    found = []
    for table in root.all("table"):
        rows = []
        for row in table.all("tr"):
            cells = [cell for cell in row.all() if cell.tag in {"td", "th"}]
            rows.append([" ".join(filter(None, _lines(cell))) for cell in cells])
        found.append(rows)
    return found


def _lines(cell: dom.Node) -> list[str]:
    lines = [""]
    for child in cell.children:
        if isinstance(child, dom.Node) and child.tag == "br":
            lines.append("")
        else:
            lines[-1] += child if isinstance(child, str) else child.text()
    return [line.strip() for line in lines]


def _said(cell: tables.Cell) -> str:
    return " ".join(filter(None, (cell.text, cell.detail, cell.count)))


def _items(root: dom.Node) -> list[str]:
    return [" ".join(node.text().split()) for node in root.all("li")]


Make = Callable[[str], load.Analysis]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Reads a synthetic study by its kind; each is written once."""

    @functools.cache
    def make(kind: str) -> load.Analysis:
        folder = tmp_path_factory.mktemp(kind)
        size = {"single": (1, 1), "controls": (7, 3)}.get(kind, (3, 4))
        results = builder.build(folder, *size, hostile=kind == "hostile", landscape=kind != "single")
        if kind == "controls":
            variants.add_reference(results)
        if kind == "linear":
            variants.without_pairs(results)
        builder.rewrite(folder, results)
        return load.read(folder)

    return make


@pytest.fixture(params=["plain", "hostile", "single", "controls", "linear"])
def analysis(request: pytest.FixtureRequest, made: Make) -> load.Analysis:
    return made(request.param)


def test_it_is_one_document_that_says_what_the_page_says(analysis: load.Analysis) -> None:
    text = markdown.render([analysis])
    root = parsed(text)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert text == markdown.render([analysis])
    assert {node.tag for node in root.all()} <= _KNOWN
    (title,) = root.all("h1")
    assert title.text() == " ".join(analysis.study.name.split())
    items = _items(root)
    for finding in findings.find(analysis, "s1"):
        assert finding.text in items or f"Open: {finding.text}" in items
    for warning in analysis.results.warnings:
        assert any(item.startswith(" ".join(warning.text.split())) for item in items)
    for label, said in provenance.rows(analysis):
        assert f"{label}: {' '.join(said.split())}" in items
    for reference in bibliography.references([analysis]):
        assert any(item.startswith(f"{reference.name} ({reference.kind})") for item in items)


def test_the_table_of_pruners_is_that_of_the_page(analysis: load.Analysis) -> None:
    root = parsed(markdown.render([analysis]))
    wanted = tables.summary([analysis], style.theme([analysis]), "k")
    drawn = next(own for own in _tables(root) if len(own[0]) == len(wanted.columns))
    assert drawn[0] == [column.label for column in wanted.columns]
    assert drawn[1:] == [[" ".join(_said(cell).split()) for cell in row] for row in wanted.rows]


def test_numbers_stand_to_the_right(made: Make) -> None:
    text = markdown.render([made("plain")])
    assert "| --- | ---: | ---: |" in text
    first = next(parsed(text).all("table"))
    cells = [cell for cell in first.all() if cell.tag == "th"]
    assert "style" not in cells[0].attributes
    assert {cell.attributes["style"] for cell in cells[1:]} == {"text-align:right"}


def test_nothing_of_a_hostile_study_is_more_than_text(made: Make) -> None:
    text = markdown.render([made("hostile")])
    root = parsed(text)
    assert not list(root.all("img"))
    assert HOSTILE in root.text()
    assert not re.search(r"(?<!<span>)\$", text)
    for link in root.all("a"):
        assert link.attributes["href"].startswith("https://doi.org/")


def test_provenance_is_folded_and_references_are_links(made: Make) -> None:
    text = markdown.render([made("plain")])
    assert "<details>\n<summary>Provenance</summary>\n\n- " in text
    assert text.count("</details>") == text.count("<details>") == 1
    links = list(parsed(text).all("a"))
    assert len(links) >= 3
    for link in links:
        assert link.text()
        assert link.text() in link.attributes["href"].replace("arXiv.", "arXiv ") or link.text().startswith(
            "doi:"
        )


def test_differences_are_of_trained_masks_the_largest_first(made: Make) -> None:
    analysis = made("controls")
    root = parsed(markdown.render([analysis]))
    (own,) = [table for table in _tables(root) if table[0][0] == "first"]
    trained = {row.name for row in analysis.results.populations if row.trained and not row.control}
    wanted = {
        (row.a, row.b): row.estimate.value
        for row in analysis.results.tests
        if row.test == "accuracy" and {row.a, row.b} <= trained
    }
    drawn = [(row[0], row[1]) for row in own[1:]]
    assert len(drawn) == min(12, len(wanted)) > 1
    sizes = [abs(wanted[pair] or 0.0) for pair in drawn]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= sorted(map(abs, filter(None, wanted.values())), reverse=True)[len(drawn) - 1]
    assert ("The largest 12 of" in root.text()) == (len(wanted) > 12)


def test_without_any_difference_there_is_no_table(made: Make) -> None:
    assert "Differences of accuracy" not in markdown.render([made("single")])


def test_several_studies(made: Make) -> None:
    analyses = load.distinct([made("plain"), made("linear")])
    text = markdown.render(analyses)
    root = parsed(text)
    headings = [node.text() for node in root.all("h2")]
    names = [analysis.study.name for analysis in analyses]
    assert headings == ["All studies", *names, "References"]
    (title,) = root.all("h1")
    assert title.text() == " · ".join(names)
    assert text.count("### Pruners") == 0
    combined = _tables(root)[0]
    assert combined[0][0] == "study"
    assert {row[0] for row in combined[1:]} == set(names)


def _raised(results: dict[str, Any]) -> dict[str, Any]:
    for row in results["accuracy"]:
        own = row["estimate"]
        if own["value"] is not None:
            studies.move(own, own["value"] + 0.4 * (own["high"] - own["low"]))
    return results


def test_what_changed(tmp_path: Path) -> None:
    results = builder.build(tmp_path, 3, 4, landscape=True)
    analysis = load.read(tmp_path)
    before = _raised(studies.other(results, results["study"]["name"], epochs=30))
    former = compare.document.make(studies.analysis(before))
    root = parsed(markdown.render([analysis], [former]))
    items = _items(root)
    for note in compare.notes([former], [analysis]):
        assert note in items
    settings = next(own for own in _tables(root) if own[0][0] == "of")
    assert settings[1:] == [["recipe", "epochs", "30", "20"]]
    moved = next(own for own in _tables(root) if own[0][0] == "number")
    assert 1 < len(moved) <= 13
    assert {row[5] for row in moved[1:]} <= {"intervals overlap", "intervals apart"}
    same = markdown.render([analysis], compare.read(tmp_path))
    assert "Nothing changed: " in same
    assert "| number |" not in same
    with pytest.raises(ArchiveError, match="nothing to compare with"):
        markdown.render([analysis], [former.model_copy(update={"study": name}) for name in "ab"])


def test_references_that_cannot_be_told_are_no_error(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=1, members=2)
    variants.clear(results)
    text = markdown.render([studies.analysis(results)])
    assert "## References" in text
