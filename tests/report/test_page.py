import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from masklab import report
from masklab.report import numbers, records

from . import builder, dom, variants
from .conftest import Page

PAGES = ("plain", "hostile", "single", "several", "full", "linear")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    return request.getfixturevalue(request.param)


def test_ids_are_unique_and_every_reference_inside_the_page_has_a_target(page: Page) -> None:
    ids = [node.attributes["id"] for node in page.root.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    references = {
        value.removeprefix("#")
        for node in page.root.all()
        for name, value in node.attributes.items()
        if name in {"href", "xlink:href"} and value.startswith("#")
    }
    clips = set(re.findall(r"url\(#([^)]*)\)", page.html))
    labels = {
        node.attributes["aria-labelledby"] for node in page.root.all() if "aria-labelledby" in node.attributes
    }
    assert len(references) > 10
    assert (references | clips | labels) <= set(ids)


def test_nothing_is_loaded_from_outside(page: Page) -> None:
    for node in page.root.all():
        for name, value in node.attributes.items():
            if name in {"src", "href", "xlink:href", "data", "action", "srcset"} and re.match(
                r"\s*(\w+:)?//", value
            ):
                assert node.tag == "a"
                assert value.startswith("https://doi.org/")
    assert "@import" not in page.html
    assert not re.search(r"url\((?!#)", page.html)
    (policy,) = [node for node in page.root.all("meta") if "http-equiv" in node.attributes]
    assert policy.attributes["content"].startswith("default-src 'none'; script-src 'sha256-")


def test_no_undefined_number_is_printed(page: Page) -> None:
    texts = [page.root.text(), *(value for node in page.root.all() for value in node.attributes.values())]
    for text in texts:
        assert not re.search(r"\b(nan|NaN|None|inf|Infinity)\b", text)


def test_every_figure_is_labelled_and_captioned(page: Page) -> None:
    figures = list(page.root.all("figure"))
    assert len(figures) >= 6
    for figure in figures:
        for drawing in (node for node in figure.all("svg") if node.has("figure")):
            assert drawing.attributes["role"] == "img"
            assert len(drawing.attributes["aria-label"]) > 20
            (caption,) = figure.all("figcaption")
            assert re.search(r"\bn = \d", caption.text())
            assert "chance" in caption.text().lower() or "Guessing gives 10 %" in caption.text()
            assert "interval" in caption.text()


def test_the_theme_reaches_the_figures(plain: Page) -> None:
    assert "#010203" not in plain.html
    assert plain.html.count("currentColor") > 100


def test_page_is_the_same_bytes_twice(plain: Page, tmp_path: Path) -> None:
    again = report.write([plain.study], tmp_path / "again.html")
    assert again.read_bytes() == plain.path.read_bytes()


def _near(text: str, value: float, digits: int) -> bool:
    printed = float(text.replace("−", "-"))
    return len(text.partition(".")[2]) == digits and abs(printed - value) <= 0.5000001 * 10.0**-digits


def _row(results: dict[str, Any], name: str, metric: str) -> dict[str, Any]:
    (row,) = [
        row
        for row in results["overlap"]
        if (row["a"], row["b"], row["layer"], row["metric"], row["block"])
        == (name, name, "whole", metric, "within")
    ]
    return row


def _check_estimate(
    cell: dom.Node, estimate: dict[str, Any], scale: float, digits: int, after: str = ""
) -> None:
    assert _near(dom.part(cell, "text").partition(" ± ")[0], scale * estimate["value"], digits)
    assert float(cell.attributes["data-value"]) == pytest.approx(scale * estimate["value"], rel=1e-14)
    assert dom.part(cell, "count") == after
    low, high = dom.part(cell, "interval").strip("[]").split(", ")
    assert _near(low, scale * estimate["low"], digits)
    assert _near(high, scale * estimate["high"], digits)


def test_summary_prints_the_numbers_of_results_json(plain: Page) -> None:
    cells = dom.rows(plain.root.by_id("s1-summary"))
    assert [dom.part(row[0], "text") for row in cells] == [
        row["name"] for row in plain.results["populations"]
    ]
    for row, population in zip(cells, plain.results["populations"], strict=True):
        name = population["name"]
        refreshes = "5 refreshes" if population["refresh"] else ""
        assert dom.part(row[0], "detail") == refreshes
        assert (dom.part(row[1], "text"), dom.part(row[1], "detail")) == ("0.50", "50 % pruned")
        assert (dom.part(row[2], "text"), dom.part(row[2], "count")) == ("6", "2 draws")
        last, best = (
            next(
                entry
                for entry in plain.results["accuracy"]
                if (entry["population"], entry["metric"]) == (name, metric)
            )
            for metric in ("accuracy", "best_epoch_accuracy")
        )
        _check_estimate(
            row[3], last["estimate"], 100.0, 2, f"best epoch {100.0 * best['estimate']['value']:.2f}"
        )
        assert _near(dom.part(row[3], "text").partition(" ± ")[2], 100.0 * last["sd"], 2)
        similarity = _row(plain.results, name, "jaccard_similarity")
        digits = _digits(similarity)
        _check_estimate(
            row[4], similarity["estimate"], 1.0, digits, f"chance {similarity['chance']:.{digits}f}"
        )
        corrected = _row(plain.results, name, "chance_corrected")
        _check_estimate(row[5], corrected["estimate"], 1.0, _digits(corrected))
        (stability,) = [
            entry
            for entry in plain.results["stability"]
            if (entry["population"], entry["layer"]) == (name, "whole")
        ]
        _check_estimate(row[6], stability["estimate"], 1.0, _digits(stability), "15 pairs")
        (path,) = [
            entry
            for entry in plain.results["landscape"]
            if (entry["a"], entry["b"], entry["block"]) == (name, name, "within")
            and (entry["path"], entry["split"]) == ("linear", "test")
        ]
        sampled = f"{path['pairs']} of {path['of_pairs']} pairs"
        _check_estimate(row[7], path["barrier"]["entezari_error"], 100.0, 1, sampled)


def _digits(row: dict[str, Any]) -> int:
    """Decimals of an estimate whose interval is shown with two significant digits of half its width."""
    return numbers.decimals(records.Estimate(**row["estimate"]), 1.0, 0)


def test_member_table_holds_every_member(plain: Page) -> None:
    cells = dom.rows(plain.root.by_id("s1-members"))
    for row, member in zip(cells, plain.results["members"], strict=True):
        assert dom.part(row[0], "text") == member["id"]
        assert _near(dom.part(row[2], "text"), 100.0 * member["accuracy"], 2)
        assert float(row[2].attributes["data-value"]) == pytest.approx(100.0 * member["accuracy"], rel=1e-14)


def test_pair_table_holds_every_kind_of_pair(plain: Page) -> None:
    cells = dom.rows(plain.root.by_id("s1-pairs"))
    wanted = [
        row
        for row in plain.results["overlap"]
        if row["layer"] == "whole" and row["metric"] == "chance_corrected"
    ]
    for row, overlap in zip(cells, wanted, strict=True):
        assert [dom.part(cell, "text") for cell in row[:2]] == [overlap["a"], overlap["b"]]
        assert dom.part(row[4], "text") == str(overlap["pairs"])
        _check_estimate(row[7], overlap["estimate"], 1.0, _digits(overlap))
        ratio = _row(plain.results, overlap["a"], "observed_over_expected")
        if overlap["a"] == overlap["b"] and overlap["block"] == "within":
            _check_estimate(row[6], ratio["estimate"], 1.0, _digits(ratio), "z = 12.3")


def test_hostile_text_stays_text(hostile: Page) -> None:
    for node in hostile.root.all():
        assert node.tag != "img"
        assert not any(name.startswith("on") for name in node.attributes)
    text = hostile.root.text()
    first = hostile.results["populations"][0]["name"]
    assert hostile.results["study"]["name"] in text
    drawn = [node.text() for figure in hostile.root.all("figure") for node in figure.all("text")]
    assert drawn.count(first) >= 5
    assert builder.HOSTILE in text.partition("Provenance")[2]


def test_single_member_says_what_is_undefined(single: Page) -> None:
    ((*_, accuracy, similarity, corrected, stability, barrier),) = dom.rows(single.root.by_id("s1-summary"))
    assert dom.part(accuracy, "text") == f"{100.0 * single.results['members'][0]['accuracy']:.2f}"
    best = 100.0 * single.results["members"][0]["best_epoch_accuracy"]
    assert dom.part(accuracy, "detail") == f"one value has no intervalbest epoch {best:.2f}"
    assert dom.part(stability, "detail") == "one mask"
    for cell in (similarity, corrected):
        assert (dom.part(cell, "text"), dom.part(cell, "detail")) == ("–", "fewer than two members")
        assert "data-value" not in cell.attributes
    assert dom.part(barrier, "detail") == "not measured"
    absent = {
        node.attributes["id"]: node.text() for node in single.root.all("figure") if not list(node.all("svg"))
    }
    wanted = (
        "distances matrices layers shares embeddings differences separation scatter ensembles rarefaction "
        "consensus paths"
    )
    assert set(absent) == {f"s1-{name}" for name in wanted.split()}
    assert "at least three stored members" in absent["s1-distances"]


def test_failed_members_and_empty_study(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=1, members=2)
    empty = copy.deepcopy(results)
    variants.clear(empty)
    empty["members"], empty["accuracy"] = [], []
    empty["populations"][0].update(stored=0, failed=2, blocks=0, refresh_events={"min": None, "max": None})
    empty["failures"] = [
        {"id": f"edge-popup-d0.5/000{i}", "cause": "loss is not finite", "step": i} for i in (3, 5)
    ]
    builder.rewrite(tmp_path, empty)
    (tmp_path / "analysis" / "overlap.npz").unlink()
    root = dom.parse(report.write([tmp_path], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No member is stored" in root.text()
    assert not [node for node in root.all("svg") if node.has("figure")]
    ((first, *_), (second, *_)) = dom.rows(root.by_id("s1-failures"))
    assert [dom.part(cell, "text") for cell in (first, second)] == [
        "edge-popup-d0.5/0003",
        "edge-popup-d0.5/0005",
    ]
    (row,) = dom.rows(root.by_id("s1-summary"))
    assert (dom.part(row[2], "text"), dom.part(row[2], "detail")) == ("0", "2 failed0 draws")


def test_several_studies_share_one_summary(several: Page) -> None:
    cells = dom.rows(several.root.by_id("all-summary"))
    assert [dom.part(row[0], "text") for row in cells] == ["recycling-at-half"] * 2 + ["the-other"] * 3
    assert several.html.index('id="all-summary"') < several.html.index('id="s1-summary"')
    colours = {}
    for row in cells:
        (chip,) = [node for node in row[1].all("span") if node.has("chip")]
        colours.setdefault(dom.part(row[1], "text"), set()).add(chip.attributes["style"])
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 3


def test_methods_provenance_and_sources_are_those_of_the_study(plain: Page) -> None:
    text = plain.root.text()
    for wanted in (
        "batch size 128",
        "edge-popup-d0.5 (weight init signed-constant, √(2 ÷ fan) with random signs [ramanujan2020hidden])",
        "biprop+recycle-d0.5 (rate = 0.2, period = 3 epochs)",
        "0123abcd" * 5 + ", with uncommitted changes",
        "train 1 h 30 min",
        "torch 2.15.0",
        "2025-03-04 05:06:07",
        "standard deviation √(p(1 − p)/n) of 0.3",
        "Fewer than 3 draws of base weights.",
    ):
        assert wanted in text
    links = {node.attributes["href"] for node in plain.root.by_id("references").all("a")}
    wanted_links = {f"https://doi.org/10.48550/arXiv.{n}" for n in ("1911.13299", "2103.09377", "2303.15953")}
    assert wanted_links <= links
    assert "https://doi.org/10.48550/arXiv.2106.09269" not in links


def test_unknown_pruner_is_said_to_be_unknown(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=1, members=2)
    results["populations"][0]["pruner"] = "from-elsewhere"
    builder.rewrite(tmp_path, results)
    root = dom.parse(report.write([tmp_path], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Pruner from-elsewhere: not known to this installation of masklab." in root.text()


def test_size_of_a_usual_page(tmp_path: Path) -> None:
    builder.build(tmp_path, populations=7, members=12, draws=3, landscape=True)
    assert report.write([tmp_path], tmp_path / "report.html").stat().st_size < 3_000_000


def test_report_needs_no_torch(plain: Page, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from masklab import report\n"
        f"report.write([Path({str(plain.study)!r})], Path({str(tmp_path / 'report.html')!r}))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    assert (tmp_path / "report.html").read_bytes() == plain.path.read_bytes()
