"""Tables and figures of the statistics print the numbers of results.json, each beside its chance level."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest

from masklab.report import below, comparisons, load, populations, style, tables
from masklab.report.figures import consensus, scatter, shares

from . import builder, dom
from .conftest import Page


def test_chapters_stand_in_the_order_of_the_questions(plain: Page) -> None:
    (main,) = plain.root.all("main")
    anchors = [node.attributes["id"] for node in main.all() if "id" in node.attributes]
    wanted = (
        "summary accuracy matrices distances layers shares embeddings tests tests-pairs clusters scatter "
        "ensembles rarefaction consensus structure-table movement paths interpolation barriers "
        "barriers-table landscape-work flatness sensitivity sensitivity-table algebra gathering "
        "algebra-table transfer transfer-table surfaces chains chains-table members methods"
    )
    places = [anchors.index(f"s1-{name}") for name in wanted.split()]
    assert places == sorted(places)
    contents = next(plain.root.all("nav")).text()
    for title in ("Differences between pruners", "Structure against function", "How many masks", "Consensus"):
        assert title in contents


def test_overall_tests_come_first_with_everything_that_makes_them_readable(plain: Page) -> None:
    first, *others = dom.table(plain.root, "tests")
    assert [text for text, _ in first] == [
        *("location (PERMANOVA)", "all", "R²", "0.170", "0.160"),
        *("0.0001", "0.0002", "0.0001", "12"),
    ]
    assert first[3][1] == "[0.150, 0.190]"
    assert first[7][1] == "9,999 sampled"
    names = [row["name"] for row in plain.results["populations"]]
    assert [row[1][0] for row in others] == names
    assert {row[0][0] for row in others} == {"agreement against chance"}
    assert {row[5][0] for row in others} == {"< 0.0001"}  # no p of 0, however small
    stored = dom.rows(plain.root.by_id("s1-tests"))[1][5]
    assert float(stored.attributes["data-value"]) == 1e-40


def test_pairs_of_populations_are_tested_in_points(plain: Page) -> None:
    rows = dom.table(plain.root, "tests-pairs")
    assert len(rows) == 2 * 3
    accuracy = next(row for row in rows if row[0][0] == "accuracy")
    names = [row["name"] for row in plain.results["populations"]]
    assert [text for text, _ in accuracy[1:4]] == [*names[:2], "difference of the means, points"]
    assert accuracy[4] == ("−1.23", "[−3.23, 0.77]")
    assert accuracy[5][0] == "0"
    assert accuracy[6][0] == "0.500"


def test_every_name_of_a_test_is_explained(plain: Page) -> None:
    analysis = load.read(plain.study)
    for name in ("stability-against-chance", "stability", "permanova", "permdisp", "accuracy", "mantel"):
        row = analysis.results.tests[0].model_copy(update={"test": name, "a": "x", "b": "y"})
        table = comparisons.pairwise(_with(analysis, tests=[row]), "k")
        called = table.rows[0][0].text
        assert called != name or name == "accuracy"
        assert table.columns[0].note.startswith(f"{called}: ")
        assert table.columns[0].note.endswith("?")


@pytest.mark.parametrize(
    ("effect", "called"),
    [
        ("r_squared: share of the squared √Hamming scatter", "R²"),
        ("eta_squared: share of the variance", "η²"),
        ("difference of stability, a − b", "difference of stability"),
        ("difference of mean distance to centroid (√Hamming), a − b", "difference of spread"),
        ("Spearman correlation of Hamming distance and disagreement", "Spearman r"),
    ],
)
def test_effects_are_called_what_they_are(plain: Page, effect: str, called: str) -> None:
    analysis = load.read(plain.study)
    row = analysis.results.tests[0].model_copy(update={"effect": effect})
    table = comparisons.overall(_with(analysis, tests=[row]), "k")
    assert table.rows[0][2].text == called
    assert table.columns[2].note.startswith(f"{called}: ")


def test_what_is_not_known_is_shown_as_it_is_called(plain: Page) -> None:
    analysis = load.read(plain.study)
    names = analysis.names[:2]
    row = analysis.results.tests[0].model_copy(
        update={"test": "new-test", "effect": "new: effect", "a": names[0], "b": names[1]}
    )
    cluster = analysis.results.clusters[0].model_copy(update={"method": "new", "quantity": "newer"})
    changed = _with(analysis, tests=[row], clusters=[cluster])
    table = comparisons.pairwise(changed, "k")
    assert [cell.text for cell in table.rows[0][:4]] == ["new-test", *names, "new: effect"]
    assert (table.columns[0].note, table.columns[3].note) == ("", "")
    assert [cell.text for cell in comparisons.clusters(changed, "k").rows[0][:2]] == ["new", "newer"]


def _with(analysis: load.Analysis, **changes: object) -> load.Analysis:
    return replace(analysis, results=analysis.results.model_copy(update=changes))


def test_rows_are_about_their_populations(plain: Page) -> None:
    """What the toolbox hides with a population."""
    analysis = load.read(plain.study)
    theme, names = style.theme([analysis]), analysis.names

    def about(table: tables.Table) -> list[set[str]]:
        return [{name for cell in row for name in cell.populations} for row in table.rows]

    assert about(comparisons.overall(analysis, "k")) == [set(), *({name} for name in names)]
    pairs = [{a, b} for a, b in itertools.combinations(names, 2)]
    assert about(comparisons.pairwise(analysis, "k")) == [pair for pair in pairs for _ in range(2)]
    assert about(comparisons.mantel(analysis, "k")) == [set(), *({name} for name in names)]
    assert about(tables.summary([analysis], theme, "k")) == [{name} for name in names]
    assert {frozenset(own) for own in about(tables.pairs(analysis, "k"))} == {
        frozenset(own) for own in [*pairs, *({name} for name in names)]
    }
    for make in (
        *(populations.function, populations.diversity, populations.structure, populations.consensus),
        *(below.movement, below.members),
    ):
        assert {next(iter(own)) for own in about(make(analysis, theme, "k"))} == set(names)


def test_failed_members_belong_to_their_population(hostile: Page) -> None:
    analysis = load.read(hostile.study)
    ((first, *_),) = below.failures(analysis, "k").rows
    assert list(first.populations) == [analysis.names[0]]
    failure = analysis.results.failures[0].model_copy(update={"id": "gone/0001"})
    ((first, *_),) = below.failures(_with(analysis, failures=[failure]), "k").rows
    assert not first.populations


def test_overlap_given_the_size_of_weights_is_shown(plain: Page) -> None:
    analysis = load.read(plain.study)
    given = [
        row.model_copy(
            update={
                "metric": "chance_corrected_magnitude",
                "estimate": row.estimate.model_copy(update={"value": 0.0123, "low": 0.01, "high": 0.0146}),
            }
        )
        for row in analysis.results.overlap
        if (row.metric, row.layer) == ("chance_corrected", "whole")
    ]
    both = _with(analysis, overlap=[*analysis.results.overlap, *given])
    for row in tables.pairs(both, "k").rows:
        assert (row[8].text, row[8].detail) == ("0.0123", "[0.0100, 0.0146]")
    for row in tables.summary([both], style.theme([both]), "k").rows:
        assert row[5].count == "given |w| 0.0123"
    assert {row[8].detail for row in tables.pairs(analysis, "k").rows} == {"not computed"}


def test_clusterings_stand_beside_random_masks_and_exchanged_labels(plain: Page) -> None:
    cophenetic, rand = dom.table(plain.root, "clusters")
    assert cophenetic[2:4] == [("0.913", ""), ("0.340", "[0.320, 0.360]19 sets")]
    assert rand[1][1] == "1 = the clusters are the labels, 0 = chance"
    assert [text for text, _ in rand] == [
        "average linkage",
        "adjusted Rand index with the populations",
        *("0.456", "0.000", "−0.010", "0.020", "0.0001"),
    ]


def test_embeddings_are_judged_in_words(plain: Page) -> None:
    figure = plain.root.by_id("s1-embeddings")
    (message,) = [node.text() for node in figure.all("p") if node.has("message")]
    assert "Warning: UMAP cannot be told from the embedding of random masks" in message
    assert "PCoA: more trustworthy than every set of random masks" in message
    drawn = [node.text() for node in figure.all("text")]
    assert {"PCoA (trust 0.94)", "UMAP (trust 0.71)", "random twin (trust 0.62)"} <= set(drawn)
    caption = next(figure.all("figcaption")).text()
    assert "PCoA 0.62 [0.59, 0.65] over 19 sets, p = 0.050" in caption
    pcoa, umap = dom.table(plain.root, "embeddings-table")
    assert [text for text, _ in pcoa[:6]] == ["PCoA", "0.936", "0.620", "0.050", "0.050", "0.510"]
    assert umap[-1][0].startswith("no more trustworthy than random masks")
    marks = [node for node in figure.all("use") if "fill: #" in node.attributes["style"]]
    members = len(plain.results["members"])
    populations = len(plain.results["populations"])
    assert len(marks) == 2 * 2 * members + populations  # masks and twins of two methods, and the legend


def test_every_pair_is_a_point_of_the_scatter(plain: Page) -> None:
    colours = style.theme([load.read(plain.study)]).colours
    drawn = list(plain.root.by_id("s1-scatter").all("use"))
    for name, colour in colours.items():
        pairs = [row for row in plain.results["scatter"] if row["id_a"].startswith(f"{name}/")]
        found = sum(f"fill: {colour}" in node.attributes["style"] for node in drawn)
        assert found == len(pairs) + 1  # the legend
    figure = plain.root.by_id("s1-scatter").text()
    assert "r = 0.27 [0.25, 0.29], p = 0.0020" in figure
    assert figure.count("r = 0.31 [0.29, 0.33], p = 0.0040, adjusted p = 0.0080") == 3
    assert [row[2][0] for row in dom.table(plain.root, "mantel")] == ["Pearson r"] * 4
    assert dom.table(plain.root, "mantel")[0][1][0] == "all"


def test_many_pairs_become_a_bitmap(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3)
    results["scatter"] *= 200
    drawn = str(builder.draw(tmp_path, results, scatter.draw).svg)
    assert "data:image/png;base64," in drawn
    assert len(drawn) < 200_000


def test_function_metrics_have_chance_and_limits_below(plain: Page) -> None:
    row = dom.table(plain.root, "function-table")[0]
    assert row[0][1] == "15 pairs"
    assert row[1] == ("15.6", "[14.6, 16.6]chance 90.0")
    assert row[2] == ("1.456", "[1.446, 1.466]chance 1.928; relabelled 0.277")
    assert row[3] == ("0.827", "[0.817, 0.837]chance 0")


def test_ensembles_say_the_gain_of_all_members(plain: Page) -> None:
    name = plain.results["populations"][2]["name"]
    text = plain.root.by_id("s1-ensembles").text()
    assert f"{name}, 4.3 [3.3, 5.3] points with 6 members" in text
    for wanted in ("probabilities averaged", "majority vote", "if errors were independent"):
        assert wanted in text


def test_diversity_stands_beside_random_masks(plain: Page) -> None:
    row = dom.table(plain.root, "diversity-table")[0]
    assert row[3] == ("2.900", "[2.890, 2.910]random 2.990 [2.985, 2.995]")
    assert row[5] == ("0.4693", "random 0.4925 [0.4895, 0.4955]")
    why = "a dimension needs at least 50 masks of one weight draw"
    assert row[7:] == [("–", why)] * 2
    figure = plain.root.by_id("s1-rarefaction").text()
    name = plain.results["populations"][2]["name"]
    assert f"{name}, 2.820 effective of 3; as many random masks have 2.997 [2.996, 2.998]." in figure


def test_consensus_shows_core_and_never_kept(plain: Page) -> None:
    names = [row["name"] for row in plain.results["populations"]]
    texts = [node.text() for node in plain.root.by_id("s1-consensus").all("text")]
    assert [text for text in texts if text in names] == names
    first, *_, last = dom.table(plain.root, "consensus-table")
    assert [text for text, _ in first] == [names[0], "3", "2", "16.00", "18.00"]
    assert first[3][1] == "[15.60, 16.40]chance 12.50"
    message = plain.root.by_id("s1-consensus").text()
    assert f"{names[-1]}, where all 3 masks keep {last[4][0]} % [17.80, 18.60]" in message


def test_consensus_takes_the_size_that_most_draws_have(plain: Page) -> None:
    analysis = load.read(plain.study)
    rows = list(analysis.results.consensus)
    name = rows[0].population
    other = [row.model_copy(update={"of": 5, "draws": 1}) for row in rows if row.population == name]
    results = analysis.results.model_copy(update={"consensus": [*other, *rows]})
    found = consensus.histograms(load.Analysis(analysis.directory, results, None))
    assert {row.of for row in found[name]} == {3}
    single = [row.model_copy(update={"of": 1, "kept_by": row.kept_by % 2}) for row in rows]
    results = analysis.results.model_copy(update={"consensus": single})
    assert consensus.histograms(load.Analysis(analysis.directory, results, None)) == {}


def test_structure_stands_beside_chance(plain: Page) -> None:
    row = dom.table(plain.root, "structure-table")[1]
    assert row[1] == ("45.7", "[44.7, 46.7]chance 50.3")
    assert row[6] == ("0.00", "no intervalchance 0.01")
    assert row[7] == ("3.001", "[2.991, 3.011]chance 1.200")


def test_shares_of_the_distance_are_multiples_of_their_chance_level(plain: Page) -> None:
    analysis = load.read(plain.study)
    _, rows = shares._rows(analysis, list(builder.LAYERS))
    for own in shares._relative(rows).values():
        values = [row.estimate.value for row in own if row is not None]
        assert values == pytest.approx([0.9, 0.92, 0.94, 0.96, 0.98, 1.0])
    text = plain.root.by_id("s1-shares").text()
    assert "it has 4.25 % [4.21, 4.30] of the distance and would have 4.73 % among independent masks" in text
    assert "(0.90 times; n = 6)" in text


def test_hostile_names_stay_text_in_every_statistic(hostile: Page) -> None:
    first = hostile.results["populations"][0]["name"]
    for table in ("tests", "tests-pairs", "mantel", "function-table", "diversity-table", "structure-table"):
        assert any(first in text for row in dom.table(hostile.root, table) for text, _ in row), table
    for name in ("shares", "embeddings", "scatter", "ensembles", "rarefaction", "consensus"):
        drawn = [node.text() for node in hostile.root.by_id(f"s1-{name}").all("text")]
        assert any(first[:29] in text for text in drawn), name


def test_methods_and_references_are_those_that_were_used(plain: Page) -> None:
    text, references = plain.root.text(), plain.root.by_id("references").text()
    for wanted in (
        "leave-one-mask-out jackknife",
        "9,999 relabelings",
        "Benjamini and Hochberg",
        "random masks (19 sets)",
        "5 neighbours; it is compared with that of the same method on 19 sets",
        "UMAP (n_neighbors = 15, min_dist = 0.1, random_state = 0)",
    ):
        assert wanted in text
    for author in (
        "Nogueira",
        "Anderson",
        "Mantel",
        "Friedman",
        "Kuncheva",
        "Fort",
        "Efron",
        "Benjamini",
        "Venna",
    ):
        assert author in references
    for unused in ("Acevedo", "De Leeuw", "van der Maaten", "dispersions"):
        assert unused not in references
    links = {node.attributes["href"] for node in plain.root.by_id("references").all("a")}
    assert "https://doi.org/10.1023/A:1022859003006" in links


def test_captions_have_no_unfinished_sentence(plain: Page) -> None:
    for node in plain.root.all("figcaption"):
        assert node.text().strip().endswith("."), node.text()
        assert not re.search(r"  |\.\.|;\.|: \.", node.text())
