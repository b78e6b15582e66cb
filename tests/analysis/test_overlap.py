import numpy as np
import pytest

from masklab.analysis import distances, overlap

from . import builder


def rows_of(archive, **wanted):
    blocks = {member: archive.member(member).facts["levels"]["weights"] for member in archive.ids}
    names = [population["name"] for population in archive.study["populations"]]
    rows = overlap.rows(names, distances.measure(archive), blocks)
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


@pytest.fixture(scope="module")
def random_study(tmp_path_factory):
    """Two populations of independent random masks over three draws of base weights."""
    masks = builder.random_masks({"zeta": 0.3, "alpha": 0.5}, members=6)
    return builder.build(tmp_path_factory.mktemp("random"), masks, draws=3)


def test_independent_masks_overlap_at_chance(random_study):
    rows = rows_of(random_study)
    assert len(rows) == (2 + 3 + 2) * 5 * 4  # cells × layers × metrics
    missed = []
    for row in rows:
        estimate = row["estimate"]
        if not estimate["low"] <= row["chance"] <= estimate["high"]:
            missed.append(row)
    assert len(missed) <= 0.05 * len(rows)
    for row in rows_of(random_study, metric="chance_corrected", layer="whole"):
        assert row["estimate"]["low"] <= 0 <= row["estimate"]["high"]


def test_equal_masks_overlap_fully(tmp_path):
    mask = builder.random_mask(0, 0.3)
    archive = builder.build(tmp_path, {"a": [mask] * 4, "b": [mask] * 4})
    expected = {"hamming": 0.0, "jaccard": 0.0, "jaccard_similarity": 1.0, "chance_corrected": 1.0}
    for row in rows_of(archive):
        estimate = row["estimate"]
        ends = [estimate["value"], estimate["low"], estimate["high"]]
        assert ends == pytest.approx([expected[row["metric"]]] * 3, abs=1e-12)


def test_layers_stand_in_network_order(random_study):
    rows = rows_of(random_study, a="zeta", b="zeta", metric="jaccard", block="within")
    assert [row["layer"] for row in rows] == ["whole", "conv1", "conv2", "conv10", "fc"]


def test_populations_stand_in_the_order_of_the_study(random_study):
    pairs = list(dict.fromkeys((row["a"], row["b"]) for row in rows_of(random_study)))
    assert pairs == [("zeta", "zeta"), ("zeta", "alpha"), ("alpha", "alpha")]


def test_similarity_is_the_true_jaccard_and_chance_stands_beside_it(random_study):
    """Not J/(1+J), and never without what independent masks would show."""
    first, second = (random_study.mask(f"zeta/000{index}") for index in (0, 3))
    third, fourth = (random_study.mask(f"zeta/000{index}") for index in (1, 4))
    fifth, sixth = (random_study.mask(f"zeta/000{index}") for index in (2, 5))
    pairs = [(first, second), (third, fourth), (fifth, sixth)]
    values = []
    for one, other in pairs:
        shared = sum(int((one[layer] & other[layer]).sum()) for layer in one)
        union = sum(int((one[layer] | other[layer]).sum()) for layer in one)
        values.append(shared / union)
    (row,) = rows_of(
        random_study, a="zeta", b="zeta", layer="whole", metric="jaccard_similarity", block="within"
    )
    assert row["estimate"]["value"] == pytest.approx(np.mean(values), abs=1e-14)
    assert row["pairs"] == 3
    assert row["chance"] == pytest.approx(0.3 / (2 - 0.3), abs=2e-3)
    assert all(row["chance"] is not None for row in rows_of(random_study))


def test_cells_hold_the_pairs_that_they_name(random_study):
    counted = {
        (row["a"], row["b"], row["block"], row["seed"]): row["pairs"]
        for row in rows_of(random_study, layer="whole", metric="hamming")
    }
    within, across = 3, 12  # of the 15 pairs of six members over three draws
    assert counted == {
        ("zeta", "zeta", "within", "different"): within,
        ("zeta", "zeta", "across", "different"): across,
        ("zeta", "alpha", "within", "same"): 6,
        ("zeta", "alpha", "within", "different"): 2 * within,
        ("zeta", "alpha", "across", "different"): 2 * across,
        ("alpha", "alpha", "within", "different"): within,
        ("alpha", "alpha", "across", "different"): across,
    }


def test_each_metric_is_the_mean_over_its_pairs(random_study):
    measured = distances.measure(random_study)
    for layer in ("conv10", None):
        matrix = measured.hamming(layer)[6:, 6:]
        pairs = [matrix[i, j] for i in range(6) for j in range(i) if (i - j) % 3 == 0]
        (row,) = rows_of(
            random_study, a="alpha", b="alpha", layer=layer or "whole", metric="hamming", block="within"
        )
        assert row["estimate"]["value"] == pytest.approx(np.mean(pairs), abs=1e-14)
        assert row["estimate"]["n"] == 6


def test_a_layer_kept_whole_has_no_corrected_overlap(tmp_path):
    masks = builder.random_masks({"a": 0.5}, members=4)
    for mask in masks["a"]:
        mask["conv1"][:] = True
    archive = builder.build(tmp_path, masks)
    (row,) = rows_of(archive, layer="conv1", metric="chance_corrected")
    assert row["estimate"]["value"] is None and row["chance"] is None
    assert "keeps every weight" in row["estimate"]["why"]
    (row,) = rows_of(archive, layer="conv1", metric="jaccard_similarity")
    assert row["estimate"]["value"] == row["chance"] == 1
    (row,) = rows_of(archive, layer="whole", metric="chance_corrected")
    assert abs(row["estimate"]["value"]) < 0.05


def test_few_members_have_values_without_intervals(tmp_path):
    masks = builder.random_masks({"two": 0.5, "one": 0.5}, members=2)
    masks = {"two": masks["two"], "one": [masks["one"][0], None], "none": [None]}
    archive = builder.build(tmp_path, masks)
    rows = rows_of(archive, layer="whole", metric="hamming")
    assert {(row["a"], row["b"], row["seed"]) for row in rows} == {
        ("two", "two", "different"),
        ("two", "one", "same"),
        ("two", "one", "different"),
    }
    for row in rows:
        assert 0 < row["estimate"]["value"] < 1
        assert row["estimate"]["low"] is None and row["estimate"]["why"]


def test_one_layer_and_one_population(tmp_path):
    masks = [builder.random_mask(seed, 0.5, {"fc": (10, 20)}) for seed in range(4)]
    archive = builder.build(tmp_path, {"only": masks})
    by_layer = {row["layer"]: row["estimate"] for row in rows_of(archive, metric="chance_corrected")}
    assert by_layer["whole"] == by_layer["fc"]


def test_members_are_paired_by_index_where_some_are_missing(tmp_path):
    masks = builder.random_masks({"a": 0.5, "b": 0.5}, members=5)
    masks["a"][4] = masks["b"][0] = None
    archive = builder.build(tmp_path, masks)
    cells = rows_of(archive, a="a", b="b", layer="whole", metric="hamming")
    assert [(row["seed"], row["pairs"], row["estimate"]["n"]) for row in cells] == [
        ("same", 3, 3),
        ("different", 13, 5),
    ]
    for row in cells:
        assert row["estimate"]["low"] < row["estimate"]["value"] < row["estimate"]["high"]
