from pathlib import Path
from typing import Any

import pytest

from .. import measured, walked
from . import said

Results = dict[str, Any]


def test_tests_without_a_p_are_not_spoken_of(folder: Path, results: Results) -> None:
    for row in results["tests"]:
        row["p"] = row["adjusted_p"] = None
    results["clusters"] = []
    assert "Tests" not in said.of(folder, results)


def _test(name: str, **fields: Any) -> Results:
    return {**measured.tested(name, "edge-popup-d0.5", "biprop-d0.5", effect=0.1), **fields}


@pytest.mark.parametrize(
    ("rows", "wanted", "absent"),
    [
        (
            [_test("permanova", exact=True, permutations=512)],
            "512 relabelings: all that there are, p",
            "phipson",
        ),
        (
            [_test("permanova")],
            "9,999 relabelings: a random sample with p = (1 + b) ÷ (1 + B) [phipson2010permutation].",
            "exact share",
        ),
        (
            [_test("permanova"), _test("accuracy", exact=True, permutations=64)],
            "64–9,999 relabelings: all that there are, p being their exact share, or, where these are more,",
            "Welch",
        ),
        (
            [_test("accuracy", method="labels exchanged, Welch's t")],
            "[welch1947generalization]",
            "[fisher1935",
        ),
        ([_test("accuracy")], "[fisher1935design]", "Welch"),
        ([_test("permdisp")], "[anderson2006dispersions]", "Simes"),
        ([{**_test("permdisp"), "a": None, "b": None}], "[simes1986bonferroni]", "[anderson2001"),
        ([_test("stability")], "compared by the jackknife of their difference", "relabeling"),
        ([_test("stability-against-chance", b=None)], "two-sided z with its exact variance", "relabeling"),
    ],
)
def test_tests_are_those_that_were_made(
    folder: Path, results: Results, rows: list[Results], wanted: str, absent: str
) -> None:
    results["tests"], results["clusters"] = rows, []
    text = said.of(folder, results)["Tests"]
    assert wanted in text
    assert absent not in text
    assert "[benjamini1995false]" in text


def test_clusterings_are_those_that_were_made(folder: Path, results: Results) -> None:
    results["tests"] = []
    text = said.of(folder, results)["Tests"]
    assert "[sokal1962dendrograms]" in text
    assert "HDBSCAN" not in text
    for row in results["clusters"]:
        row |= {"method": "hdbscan", "parameters": {"min_cluster_size": 4}}
    text = said.of(folder, results)["Tests"]
    assert "HDBSCAN [campello2013density] finds their number itself, clusters of 4 members at least." in text
    assert "average linkage" not in text


def test_predictions_without_true_classes(folder: Path, results: Results) -> None:
    results["function"] = [row for row in results["function"] if row["metric"] in {"disagreement", "kappa"}]
    results["ensembles"], results["tests"] = [], []
    text = said.of(folder, results)["Function"]
    assert "[cohen1960agreement]" in text
    for absent in ("fort2019", "kuncheva2003", "lin1991", "Ensembles", "Mantel", "Mean Q", "double fault"):
        assert absent not in text


def test_intervals_are_described_as_the_analysis_made_them(folder: Path, results: Results) -> None:
    plain = said.of(folder, results)
    assert not [title for title, text in plain.items() if "hall1992" in text and title != "Tests"]
    for key in ("accuracy", "function", "structure"):
        for row in results[key]:
            row["estimate"]["method"] = "as far as t or Hall's t"
    text = said.of(folder, results)
    for title in ("Accuracy", "Function", "Structure"):
        assert "[hall1992skewness]" in text[title] or "efron1981jackknife, hall1992skewness]" in text[title]


def test_diversity_and_embeddings(folder: Path, results: Results) -> None:
    text = said.of(folder, results)
    assert "dimension" not in text["Diversity"]
    assert "Stability of an embedding" not in text["Embeddings"]
    for row in results["diversity"]:
        row["estimate"]["value"] = 2.0
    for row in results["embeddings"]:
        row["quality"]["stability"] = 0.7
    results["embeddings"][1]["parameters"] |= {"init": "pcoa", "stress": 3.0, "runs": None}
    text = said.of(folder, results)
    assert "[acevedo2025semantic]" in text["Diversity"]
    assert "[facco2017dimension]" in text["Diversity"]
    assert (
        "UMAP (n_neighbors = 15, min_dist = 0.1, random_state = 0, init = pcoa) [mcinnes2018umap, "
        "kobak2021initialization]" in text["Embeddings"]
    )
    assert "Stability of an embedding" in text["Embeddings"]
    for row in results["embeddings"]:
        row["points"] = []
    text = said.of(folder, results)
    assert "Embeddings" not in text
    assert "umap" not in text["Software"]


def test_movement_and_settling(folder: Path, results: Results) -> None:
    assert "settled" not in said.of(folder, results)["Movement"]
    row = {"population": "biprop-d0.5", "layer": "whole", "tolerance": 0.01, "to": 20, "members": 3}
    estimate = results["movement"][0]["estimate"]
    results["settling"] = [
        {**row, "metric": "settled_epoch", "first": 0, "estimate": estimate, "chance": 20.0}
    ]
    assert "in at most 1 % of the weights." in said.of(folder, results)["Movement"]


def test_landscape_without_some_of_its_parts(folder: Path, results: Results) -> None:
    text = said.of(folder, results)
    assert "Planes of flips" in text["Neighbourhoods, sets and planes"]
    assert "[garipov2018surfaces]" in text["Neighbourhoods, sets and planes"]
    assert "[sreenivasan2022gems]" not in text["Paths"]
    results["planes"] = [row for row in results["planes"] if row["kind"] == "flips"]
    results["neighbourhood"] = [row for row in results["neighbourhood"] if row["kind"] == "swap"]
    results["algebra"] = results["transfer"] = results["chains"] = []
    results["landscape"] = [
        {**row, "path": "scores"} for row in results["landscape"] if row["path"] == "linear"
    ]
    walked.reestimate(results)
    text = said.of(folder, results)
    around = text["Neighbourhoods, sets and planes"]
    assert (
        "bits of a mask are flipped in pairs at random, so that every layer keeps its density. More" in around
    )
    for absent in ("threshold", "Algebra", "Transfer", "garipov", "Chains"):
        assert absent not in around
    assert "applied to them [sreenivasan2022gems]." in text["Paths"]
    assert "(1,024 images) [jordan2023repair]." in text["Landscape"]
    for key in walked.KEYS:
        results[key] = []
    results["landscape_work"] = None
    assert not {"Landscape", "Paths"} & said.of(folder, results).keys()
