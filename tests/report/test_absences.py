"""What an analysis does not hold is said, and nothing is drawn from it."""

from pathlib import Path
from typing import Any

from masklab import report
from masklab.report import comparisons, load, populations, style
from masklab.report.figures import ensembles, rarefaction, scatter

from . import builder, dom, measured, variants
from .conftest import Page


def _write(folder: Path, results: dict[str, Any]) -> dom.Node:
    builder.rewrite(folder, results)
    return dom.parse(report.write([folder], folder / "report.html").read_text(encoding="utf-8"))


def test_an_embedding_that_is_not_drawn_says_why(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3)
    umap = results["embeddings"][1]
    nothing = dict.fromkeys(("quality", "twin", "null", "p", "smallest_p", "distinguishable"))
    umap.update(**nothing, points=[], why="9,000 members; umap is drawn for up to 3,000")
    results["embeddings"][0].update(twin=None, null=None, p=None, distinguishable=None, why="no random masks")
    root = _write(tmp_path, results)
    assert "UMAP is not drawn: 9,000 members" in root.by_id("s1-embeddings").text()
    assert "Chance level: unknown." in root.by_id("s1-embeddings").text()
    verdicts = [row[-1][0] for row in dom.table(root, "embeddings-table")]
    assert verdicts == ["no random masks", "9,000 members; umap is drawn for up to 3,000"]


def test_without_pairs_the_page_still_says_what_is_linear(linear: Page) -> None:
    why = linear.results["without_pairs"]
    for name in ("distances", "embeddings", "scatter", "ensembles", "rarefaction", "shares"):
        figure = linear.root.by_id(f"s1-{name}")
        assert not list(figure.all("svg")), name
        assert why in figure.text(), name
    for name in ("accuracy", "layers", "consensus", "movement", "interpolation"):
        assert any(linear.root.by_id(f"s1-{name}").all("svg")), name
    assert "Nogueira's stability of the masks of a population" in linear.root.by_id("s1-layers").text()
    summary = dom.rows(linear.root.by_id("s1-summary"))[0]
    assert dom.part(summary[4], "detail") == "needs all pairs, which were left out"
    assert dom.part(summary[6], "text") == "0.050"
    for table in ("tests", "structure-table", "consensus-table"):
        assert dom.table(linear.root, table)
    ids = {node.attributes.get("id") for node in linear.root.all()}
    assert ids.isdisjoint({"s1-pairs", "s1-clusters", "s1-mantel", "s1-diversity-table", "s1-function-table"})
    references = linear.root.by_id("references").text()
    assert "Nogueira" in references
    for name in ("Vendi", "Mantel, The", "Venna", "McInnes"):
        assert name not in references


def test_one_population_has_tests_that_say_why_they_have_no_p(tmp_path: Path) -> None:
    root = _write(tmp_path, builder.build(tmp_path, populations=1, members=4))
    row = dom.table(root, "tests")[0]
    assert row[0][0] == "location (PERMANOVA)"
    assert row[3] == ("–", "there is one population")
    assert row[5] == ("–", "there is one population")
    assert "s1-tests-pairs" not in {node.attributes.get("id") for node in root.all()}
    (embeddings,) = [node for node in root.all("figure") if node.attributes["id"] == "s1-embeddings"]
    assert any(embeddings.all("svg"))


def test_without_predictions_or_labels_it_is_said(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3)
    results["scope"]["labels"] = "the data set cannot be read"
    for row in results["ensembles"]:
        row["gain"] = measured.value(None, why="the data set cannot be read")
    assert builder.draw(tmp_path, results, ensembles.draw).caption == "the data set cannot be read."
    results["ensembles"] = []
    drawn = builder.draw(tmp_path, results, ensembles.draw)
    assert (drawn.svg, drawn.caption) == (None, "True classes are not known: the data set cannot be read.")
    variants.clear(results)
    results["scope"] = {"members": 0, "images": 0, "left_out": {}, "labels": "none", "scatter": None}
    for draw in (scatter.draw, ensembles.draw):
        drawn = builder.draw(tmp_path, results, draw)
        assert drawn.svg is None
        assert drawn.caption == "No predictions of members that are compared are known."


def test_a_null_that_is_missing_is_left_out(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3)
    for row in (*results["diversity"], *results["rarefaction"], *results["clusters"]):
        row.update(null=None, why="all matched random masks are equal")
    drawn = builder.draw(tmp_path, results, rarefaction.draw)
    assert drawn.svg is not None
    assert drawn.message == "How much each further mask adds."
    analysis = load.read(tmp_path)
    vendi = populations.diversity(analysis, style.theme([analysis]), "k").rows[0][3]
    assert (vendi.text, vendi.detail, vendi.count) == ("2.900", "[2.890, 2.910]", "")
    assert comparisons.clusters(analysis, "k").rows[0][3].text == "–"
