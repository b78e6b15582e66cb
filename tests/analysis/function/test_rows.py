import subprocess
import sys

import numpy as np
import pytest

from masklab.analysis import cells, design, distances, estimates, jackknife
from masklab.analysis.function import agreement, divergence, pairs, predictions
from masklab.errors import ArchiveError

from . import studies


@pytest.fixture(scope="module")
def whole(tmp_path_factory, truth):
    archive = studies.of_guesses(tmp_path_factory.mktemp("whole"), truth, draws=2, without=("b/0001",))
    return archive, studies.rows(archive)


def test_pairs_are_those_of_the_cells(whole, truth):
    archive, found = whole
    known = [one for one in archive.ids if one != "b/0001"]
    classes = np.stack([archive.member(one).prediction() for one in known])
    listed = {(r["a"], r["b"], r["block"], r["seed"], r["metric"]): r for r in found["function"]}
    expected = {}
    for i, first in enumerate(known):
        for j, second in enumerate(known):
            one, two = first.partition("/")[0], second.partition("/")[0]
            if (one, i) < (two, j):
                at, to = int(first[-4:]), int(second[-4:])
                key = (
                    one,
                    two,
                    "within" if at % 2 == to % 2 else "across",
                    "same" if at == to else "different",
                )
                expected.setdefault(key, []).append(np.mean(classes[i] != classes[j]))
    for key, values in expected.items():
        row = listed[(*key, "disagreement")]
        assert row["estimate"]["value"] == pytest.approx(np.mean(values)) and row["pairs"] == len(values)
    metrics = {key[4] for key in listed}
    assert metrics == {
        "disagreement", "kappa", "normalised_disagreement", "q_statistic", "double_fault", "jensen_shannon",
    }  # fmt: skip
    assert set(listed) == {(*key, metric) for key in expected for metric in metrics}
    assert {row["images"] for row in found["function"]} == {50}
    order = [(r["a"], r["b"]) for r in found["function"]]
    assert order == sorted(order)


def test_intervals_leave_out_masks(whole):
    archive, found = whole
    who = design.of(archive)
    read = predictions.read(archive, who)
    disagreement = next(agreement.statistics(read.classes, studies.LABELS)).values
    cell = next(
        one for one in cells.of(read.design) if (one.a, one.b) == ("a", "a") and one.block == "within"
    )
    means = jackknife.mean_over_pairs(
        disagreement[np.ix_(cell.rows, cell.columns)][None],
        cell.chosen,
        read.design.unit[cell.rows],
        read.design.unit[cell.columns],
    )
    row = next(r for r in found["function"] if (r["a"], r["b"], r["block"]) == ("a", "a", "within"))
    assert row["estimate"]["low"] == estimates.number(means.low[0])


def test_members_without_predictions_are_counted(whole):
    _, found = whole
    assert found["scope"] == {
        "members": 8,
        "images": 50,
        "left_out": {"b": 1},
        "labels": None,
        "scatter": {"shown": 13, "of": 13},
    }
    assert {(row["population"], row["members"]) for row in found["ensembles"]} == {("a", 5), ("b", 3)}
    assert not any("b/0001" in (row["id_a"], row["id_b"]) for row in found["scatter"])


def test_scatter_holds_pairs_within_populations(whole):
    archive, found = whole
    measured = distances.measure(archive)
    place = {one: at for at, one in enumerate(measured.ids)}
    for row in found["scatter"]:
        i, j = place[row["id_a"]], place[row["id_b"]]
        assert row["id_a"][0] == row["id_b"][0] and i < j
        assert row["hamming"] == pytest.approx(measured.hamming()[i, j])
        classes = [archive.member(row[key]).prediction() for key in ("id_a", "id_b")]
        assert row["disagreement"] == pytest.approx(np.mean(classes[0] != classes[1]))
        same = int(row["id_a"][-4:]) % 2 == int(row["id_b"][-4:]) % 2
        assert row["block"] == ("within" if same else "across")
        assert -1 <= row["chance_corrected"] <= 1


def test_scatter_is_sampled(whole, monkeypatch):
    archive, found = whole
    read, measured = predictions.read(archive, design.of(archive)), distances.measure(archive)
    disagreement = 1 - agreement.agreements(read.classes, studies.LABELS) / 50
    monkeypatch.setattr(pairs, "SCATTER", 5)
    first, again, other = (pairs.scatter(read, measured, disagreement, seed) for seed in (0, 0, 1))
    assert len(first[0]) == 5 and first[1] == 13
    assert all(row in found["scatter"] for row in first[0])
    assert first == again and first != other


def test_ensembles_stand_beside_mean_and_best_member(whole, truth):
    archive, found = whole
    classes = np.stack([archive.member(f"a/{index:04d}").prediction() for index in range(5)])
    each = (classes == truth).mean(axis=1)
    own = [row for row in found["ensembles"] if (row["population"], row["rule"]) == ("a", "average")]
    assert [row["size"] for row in own] == [1, 2, 4, 5] and [row["subsets"] for row in own] == [5, 10, 5, 1]
    for row in own:
        assert (row["mean_member"], row["best_member"]) == pytest.approx((each.mean(), each.max()))
        gain = row["estimate"]["value"] - row["mean_member"]
        assert row["gain"]["value"] == pytest.approx(gain) and "Kuncheva" in row["note"]
    assert own[0]["independent"] == pytest.approx(each.mean())


def test_large_populations_and_data_sets_are_sampled(whole, monkeypatch):
    from masklab.analysis.function import by_size

    monkeypatch.setattr(by_size, "MEMBERS", 3)
    monkeypatch.setattr(by_size, "_HELD", 3 * studies.LABELS * 20)
    monkeypatch.setattr(divergence, "_HELD", 8 * studies.LABELS * 30)
    found = studies.rows(whole[0])
    assert {(row["members"], row["images"]) for row in found["ensembles"]} == {(3, 20)}
    images = {row["metric"]: row["images"] for row in found["function"]}
    assert images["jensen_shannon"] == 30 and images["kappa"] == 50
    monkeypatch.setattr(divergence, "_HELD", 8 * studies.LABELS * 19)
    nothing = [row for row in studies.rows(whole[0])["function"] if row["metric"] == "jensen_shannon"]
    assert all(
        row["estimate"]["value"] is None and "fewer than 20" in row["estimate"]["why"] for row in nothing
    )


def test_torch_is_not_imported(whole):
    archive, _ = whole
    code = (
        "import sys; from pathlib import Path; from masklab.archive import Archive\n"
        "from masklab.analysis import design, distances, function\n"
        f"archive = Archive(Path({str(archive.directory)!r}))\n"
        "found = function.rows(archive, design.of(archive), distances.measure(archive), 0)\n"
        "assert found['scope']['labels'] is None, found['scope']\n"
        "assert not {'torch', 'sklearn', 'PIL'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_no_predictions_at_all(tmp_path, truth):
    found = studies.rows(studies.of_guesses(tmp_path, truth, members=(2,), without=("a/0000", "a/0001")))
    assert found["scope"]["left_out"] == {"a": 2} and found["scope"]["labels"] == "no predictions are known"
    assert not any(found[key] for key in ("function", "ensembles", "tests", "scatter"))


def test_one_member(tmp_path, truth):
    found = studies.rows(studies.of_guesses(tmp_path, truth, members=(1,)))
    assert found["function"] == found["scatter"] == []
    assert [row["size"] for row in found["ensembles"]] == [1, 1]
    assert found["tests"][0]["p"] is None


def test_members_that_all_predict_the_same(tmp_path, truth):
    same = {"a": np.zeros((5, 50), np.uint8)}
    found = studies.rows(studies.build(tmp_path, same, truth, studies.LABELS))
    values = {row["metric"]: row["estimate"] for row in found["function"]}
    assert values["disagreement"]["value"] == 0 and values["kappa"]["value"] is None
    assert "same single class" in values["kappa"]["why"]
    assert "same distance" in found["tests"][0]["why"]


def test_members_without_errors(tmp_path, truth):
    found = studies.rows(
        studies.build(tmp_path, {"a": np.tile(truth, (3, 1)).astype(np.uint8)}, truth, studies.LABELS)
    )
    whys = {row["metric"]: row["estimate"].get("why") for row in found["function"]}
    assert (
        "no member makes an error" in whys["normalised_disagreement"] and "empty row" in whys["q_statistic"]
    )


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        (np.full((50, 3), 0.1, np.float16), r"prediction/probability is \[50, 3\], not \[50, 4\]"),
        (np.zeros((50, 4), np.float16), "not all 0 for an image"),
        (np.full((50, 4), np.nan, np.float16), "must be numbers ≥ 0"),
        (np.tile(np.array([2, -1, 0, 0], np.float16), (50, 1)), "must be numbers ≥ 0"),
    ],
)
def test_probabilities_that_are_none(tmp_path, truth, probability, message):
    archive = studies.of_guesses(tmp_path, truth, members=(2,), probability=probability)
    found = predictions.read(archive, design.of(archive))
    with pytest.raises(ArchiveError, match=message):
        found.probabilities([0, 1], np.arange(50))
