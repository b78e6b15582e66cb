import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import cluster, metrics

from masklab.analysis.between import clustering, permutations
from masklab.analysis.distances import Distances
from masklab.analysis.nulls import summary
from tests.analysis.between import synthetic


def found(design, distances, twins=()):
    rows = clustering.rows(design, distances, list(twins), 0)
    return {(row["method"], row["quantity"], row["against"]): row for row in rows}


def in_groups(design, groups):
    """Distances of members that are near where `groups` are equal and far elsewhere."""
    size = 200
    random = np.random.default_rng(0)
    centre = random.random((int(groups.max()) + 1, size)) < 0.5
    masks = centre[groups] ^ (random.random((len(design), size)) < 0.05)
    counts = masks.astype(float)
    return Distances(design.ids, ["only"], np.array([size]), (counts @ counts.T).astype(np.int64)[None])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
def test_adjusted_rand_index_is_that_of_scikit_learn(pairs):
    first, second = (np.unique(one, return_inverse=True)[1] for one in zip(*pairs, strict=True))
    [index] = clustering.adjusted_rand(first, second[None])
    trivial = len(set(first)) == len(set(second)) == 1 or len(set(first)) == len(set(second)) == len(pairs)
    if trivial:
        assert np.isnan(index)
    else:
        assert index == pytest.approx(metrics.adjusted_rand_score(first, second))


def test_groups_that_are_populations_are_found_by_both():
    design = synthetic.design_of(6, 3)
    rows = found(design, in_groups(design, design.population))
    for method in ("average-linkage", "hdbscan"):
        row = rows[method, "adjusted_rand_index", "population"]
        assert row["estimate"]["value"] == 1.0
        assert row["p"] == row["smallest_p"]
    assert rows["hdbscan", "clusters", None]["estimate"]["value"] == 3
    assert rows["hdbscan", "noise", None]["estimate"]["value"] == 0
    assert rows["average-linkage", "cophenetic_correlation", None]["estimate"]["value"] > 0.95


def test_groups_that_are_draws_agree_with_draws_only():
    design = synthetic.design_of(15, 3, draws=3)
    rows = found(design, in_groups(design, design.block))
    for method in ("average-linkage", "hdbscan"):
        assert rows[method, "adjusted_rand_index", "block"]["estimate"]["value"] == 1.0
        row = rows[method, "adjusted_rand_index", "population"]
        assert row["estimate"]["value"] < 0
        assert row["p"] == 1.0
        assert row["chance"] == pytest.approx(row["estimate"]["value"])


def test_values_are_those_of_scipy_and_scikit_learn():
    from scipy.cluster import hierarchy
    from scipy.spatial import distance as spatial

    design = synthetic.design_of(5, 2, draws=1)
    distances = synthetic.distances_of(design, strength=0.6)
    rows = found(design, distances)
    away = np.sqrt(distances.hamming())
    tree = hierarchy.linkage(spatial.squareform(away), "average")
    expected, _ = hierarchy.cophenet(tree, spatial.squareform(away))
    assert rows["average-linkage", "cophenetic_correlation", None]["estimate"]["value"] == pytest.approx(
        expected
    )
    cut = hierarchy.fcluster(tree, 2, "maxclust")
    score = metrics.adjusted_rand_score(design.population, cut)
    assert rows["average-linkage", "adjusted_rand_index", "population"]["estimate"]["value"] == pytest.approx(
        score
    )
    settings = {"metric": "precomputed", "min_cluster_size": 5, "copy": True}
    labels = cluster.HDBSCAN(**settings).fit_predict(away)
    row = rows["hdbscan", "noise", None]
    assert row["estimate"]["value"] == np.mean(labels < 0)
    assert row["parameters"] == {"min_cluster_size": 5, "why": ""}


def test_each_noise_point_is_a_cluster_of_its_own():
    design = synthetic.design_of(8, 2)
    groups = np.where(np.arange(16) % 8 < 5, design.population, 2 + np.arange(16))
    distances = in_groups(design, groups)
    settings = {"metric": "precomputed", "min_cluster_size": 5, "copy": True}
    labels = cluster.HDBSCAN(**settings).fit_predict(np.sqrt(distances.hamming()))
    noise = labels < 0
    assert 0 < noise.sum() < 16
    rows = found(design, distances)
    assert rows["hdbscan", "noise", None]["estimate"]["value"] == noise.mean()
    alone = np.where(noise, 100 + np.arange(16), labels)
    together = metrics.adjusted_rand_score(design.population, labels)
    expected = metrics.adjusted_rand_score(design.population, alone)
    row = rows["hdbscan", "adjusted_rand_index", "population"]
    assert row["estimate"]["value"] == pytest.approx(expected) != pytest.approx(together)


def test_smaller_populations_make_smaller_clusters_with_a_reason():
    design = synthetic.design_of(6, 2, draws=2)
    row = found(design, synthetic.distances_of(design))["hdbscan", "clusters", None]
    assert row["parameters"] == {
        "min_cluster_size": 3,
        "why": "a population has 3 members on a draw of base weights",
    }


@pytest.mark.parametrize("twins", [1, 4])
def test_null_is_the_same_for_the_twins(twins):
    design = synthetic.design_of(5, 2)
    distances = synthetic.distances_of(design, strength=0.8)
    others = [synthetic.distances_of(design, seed) for seed in range(1, twins + 1)]
    rows, alone = found(design, distances, others), [found(design, other) for other in others]
    for key, row in rows.items():
        values = [one[key]["estimate"]["value"] for one in alone]
        if all(value is None for value in values):
            assert row["null"] is None
            continue
        low, high = min(values), max(values)
        assert (row["null"]["n"], row["null"]["range"]) == (twins, summary.RANGE)
        assert row["null"]["mean"] == pytest.approx(np.mean(values))
        assert (row["null"]["low"], row["null"]["high"]) == pytest.approx((low, high))
    assert rows["average-linkage", "cophenetic_correlation", None]["null"]["high"] < 0.9


def test_p_is_the_share_of_relabelings_that_agree_as_well():
    design = synthetic.design_of(5, 2)
    distances = synthetic.distances_of(design, strength=0.5)
    row = found(design, distances)["average-linkage", "adjusted_rand_index", "population"]
    clusters, _ = clustering.linked(np.sqrt(distances.hamming()), 2)
    [labels] = permutations.of(design, 0).chunks()
    scores = np.array([metrics.adjusted_rand_score(clusters, one) for one in labels])
    assert row["p"] == np.mean(scores >= row["estimate"]["value"] - 1e-9)
    assert row["chance"] == pytest.approx(scores.mean())


def test_rows_without_a_test_say_why():
    design = synthetic.design_of(4, 2)
    rows = found(design, synthetic.distances_of(design))
    for key, row in rows.items():
        assert row["estimate"]["value"] is None or "no interval" in row["estimate"]["why"]
        assert (row["p"] is None) == (key[2] != "population" or row["estimate"]["value"] is None)
        assert row["p"] is not None or row["why"]
    assert rows["average-linkage", "adjusted_rand_index", "block"]["estimate"]["value"] is None


@pytest.mark.parametrize("members", [1, 2])
def test_too_few_members(members):
    design = synthetic.design_of(members, 1)
    rows = clustering.rows(design, synthetic.distances_of(design), [], 0)
    assert [row["method"] for row in rows] == ["average-linkage", "hdbscan"]
    assert all("at least 3 members" in row["why"] for row in rows)


@pytest.mark.parametrize("density", [0.5, 1.0])
@pytest.mark.parametrize(("units", "populations"), [(3, 1), (1, 5), (4, 2)])
def test_degenerate_members_give_null_with_a_reason(units, populations, density):
    design = synthetic.design_of(units, populations)
    distances = synthetic.distances_of(design, strength=1.0 if density == 1.0 else 0.0, density=density)
    for row in clustering.rows(design, distances, [distances], 0):
        assert row["estimate"]["value"] is not None or row["estimate"]["why"]
        if density == 1.0 and row["quantity"] == "cophenetic_correlation":
            assert row["estimate"]["value"] is None
            assert row["null"] is None


def test_ranks_of_populations_do_not_matter():
    design = synthetic.design_of(6, 3)
    distances = in_groups(design, design.population)
    order = np.random.default_rng(0).permutation(18)
    mixed = design.only(order)
    moved = Distances(mixed.ids, ["only"], distances.sizes, distances.intersections[:, order][:, :, order])
    first, second = found(design, distances), found(mixed, moved)
    key = ("average-linkage", "adjusted_rand_index", "population")
    assert first[key]["estimate"] == second[key]["estimate"]
