import json
import subprocess
import sys

import numpy as np
import pytest
import threadpoolctl

from masklab.analysis import embeddings
from masklab.analysis.embeddings import pcoa
from masklab.errors import ConfigError

from .points import measured, noise, points, two_groups

QUICK = [method for method in embeddings.METHODS if method != "umap"]


@pytest.mark.parametrize("method", QUICK)
def test_a_row_stands_beside_its_twin(method, monkeypatch):
    ids, hamming = measured(two_groups())
    twins = [noise(12, seed) for seed in range(19)]
    row = embeddings.embed(method, ids, hamming, twins, 0)
    assert row is not None and row == embeddings.embed(method, ids, hamming, twins, 0)
    json.dumps(row, allow_nan=False)
    assert [point["id"] for point in row["points"]] == [point["id"] for point in row["twin"]["points"]] == ids
    alone = embeddings.embed(method, ids, twins[0], [], 0)
    assert alone is not None
    assert (row["twin"]["points"], row["twin"]["quality"]) == (alone["points"], alone["quality"])
    monkeypatch.setattr(embeddings, "MOST_TO_REPEAT", 0)  # further runs change no trustworthiness
    trusts = []
    for twin in twins:
        own = embeddings.embed(method, ids, twin, [], 0)
        assert own is not None
        trusts.append(own["quality"]["trustworthiness"])
    null = row["null"]
    assert (null["mean"], null["low"], null["high"], null["n"]) == (
        pytest.approx(np.mean(trusts)),
        min(trusts),
        max(trusts),
        19,
    )
    assert row["quality"]["trustworthiness"] > max(trusts) and row["distinguishable"]
    assert row["p"] == row["smallest_p"] == 0.05
    assert ("stability" in row["quality"].get("why", "")) == (row["quality"]["stability"] is None)
    assert (row["quality"]["stability"] is None) == (method == "pcoa")


def test_an_embedding_like_noise_is_named():
    ids = [f"a/{at:04d}" for at in range(12)]
    twins = [noise(12, seed) for seed in range(19)]
    equal = embeddings.embed("pcoa", ids, twins[0], twins, 0)
    assert equal is not None and equal["p"] > equal["smallest_p"] and equal["distinguishable"] is False
    found = embeddings.warnings([None, equal])
    assert [(row["code"], row["where"]) for row in found] == [("embedding-like-noise", "pcoa")]
    assert (
        f"{equal['quality']['trustworthiness']:.3f}; theirs {equal['null']['low']:.3f} to" in found[0]["text"]
    )


@pytest.mark.parametrize(("number", "said"), [(1, "1 set of"), (4, "4 sets of"), (18, "18 sets of")])
def test_too_few_twins_tell_nothing(number, said):
    """Of one twin, half of all noise would be more trustworthy."""
    ids, hamming = measured(two_groups())
    row = embeddings.embed("pcoa", ids, hamming, [noise(12, seed) for seed in range(number)], 0)
    assert row is not None and row["distinguishable"] is None
    assert row["p"] == row["smallest_p"] == 1 / (1 + number)
    assert row["why"] == f"{said} random masks; it takes 19 to tell at 5 %"
    (warning,) = embeddings.warnings([row])
    assert (warning["code"], warning["where"]) == ("embedding-not-tested", "pcoa")
    assert row["why"] in warning["text"]


@pytest.mark.parametrize("method", QUICK)
def test_points_do_not_depend_on_the_threads(method):
    rows = []
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads):
            rows.append(embeddings.embed(method, ["a"] * 300, noise(300, 0), [], 0))
    assert rows[0] is not None and rows[0] == rows[1]


def test_no_more_twins_are_used_than_allowed(monkeypatch):
    monkeypatch.setattr(pcoa, "TWINS", ((4, 2), (5, 1)))
    monkeypatch.setitem(embeddings._METHODS, "pcoa", embeddings.plane.Method(pcoa.fit, pcoa.TWINS, pcoa.RUNS))
    for members, used in ((4, 2), (5, 1)):
        row = embeddings.embed("pcoa", ["a"] * members, noise(members, 0), [noise(members, 1)] * 3, 0)
        assert row is not None and row["null"]["n"] == used == embeddings.twins_used("pcoa", members)
    row = embeddings.embed("pcoa", ["a"] * 6, noise(6, 0), [], 0)
    assert row is not None and row["points"] == [] and row["why"] == "6 members; pcoa is drawn for up to 5"
    assert row["distinguishable"] is None and embeddings.warnings([row]) == []


def test_large_studies_are_not_repeated(monkeypatch):
    monkeypatch.setattr(embeddings, "MOST_TO_REPEAT", 9)
    row = embeddings.embed("mds", ["a"] * 10, noise(10, 0), [], 0)
    assert row is not None and row["quality"]["stability"] is None
    assert row["quality"]["why"] == "stability: measured for up to 9 members"


def test_without_twins_nothing_is_compared():
    ids, hamming = measured(two_groups())
    row = embeddings.embed("pcoa", ids, hamming, [], 0)
    assert row is not None and "no twins: no matched random masks" in row["why"]
    (warning,) = embeddings.warnings([row])
    assert warning["code"] == "embedding-not-tested" and "no twins" in warning["text"]
    assert [row[key] for key in ("twin", "null", "p", "smallest_p", "distinguishable")] == [None] * 5


@pytest.mark.parametrize("method", QUICK)
def test_equal_masks_are_not_compared(method):
    ids, hamming = measured(np.ones((5, 40)))
    for observed, twin, said in (
        (hamming, hamming, "all masks are equal"),
        (hamming, noise(5, 0), "all masks are equal"),
        (noise(5, 0), hamming, "all matched random masks are equal"),
    ):
        row = embeddings.embed(method, ids, observed, [twin], 0)
        assert row is not None and row["why"] == said and row["distinguishable"] is None
        assert np.isfinite(points(row)).all()


@pytest.mark.parametrize("method", QUICK)
@pytest.mark.parametrize(("members", "neighbors"), [(4, 1), (5, 2)])
def test_few_masks_are_embedded(method, members, neighbors):
    row = embeddings.embed(method, ["a"] * members, noise(members, 0), [noise(members, 1)], 0)
    assert (
        row is not None
        and np.isfinite(points(row)).all()
        and row["quality"]["neighbors"] == members // 2 - 1 + members % 2
    )


@pytest.mark.parametrize("method", embeddings.METHODS)
@pytest.mark.parametrize("members", [0, 1, 2, 3])
def test_too_few_masks_are_not_embedded(method, members):
    ids, hamming = measured(np.eye(members, 8))
    assert embeddings.embed(method, ids, hamming, [], 0) is None


def test_an_unknown_method_is_refused():
    with pytest.raises(ConfigError, match=r"unknown embedding 'pca' .*known: mds, pcoa, tsne, umap"):
        embeddings.embed("pca", ["a"] * 4, noise(4, 0), [], 0)


def test_nothing_heavy_is_imported_before_an_embedding():
    heavy = ("torch", "sklearn", "umap", "pandas", "scipy.stats")
    code = f"import sys, masklab.analysis.embeddings; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
