import numpy as np
import pytest

from masklab import bits
from masklab.analysis import chance, design, distances, overlap
from masklab.analysis.nulls import magnitude, twins

from . import builder
from .simulation import masks as simulated


def rows_of(archive, **wanted):
    rows = overlap.rows(design.of(archive), distances.measure(archive))
    return chosen(rows, **wanted)


def chosen(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def counted(layers):
    """The `Distances` of boolean masks in memory, `[members, size]` per layer."""
    sizes = [layer.shape[1] for layer in layers]
    shared = np.stack([bits.numpy_intersections(bits.pack(layer)) for layer in layers])
    ids = [f"p/{index:04d}" for index in range(len(layers[0]))]
    return distances.Distances(ids, [f"layer{at}" for at in range(len(layers))], np.array(sizes), shared)


def in_memory(found, finer=None):
    """Rows of members in memory, which share one draw of base weights."""
    return overlap.rows(design.make(found.ids, dict.fromkeys(found.ids, 0)), found, finer)


@pytest.fixture(scope="module")
def random_study(tmp_path_factory):
    """Two populations of independent random masks over three draws of base weights."""
    masks = builder.random_masks({"zeta": 0.3, "alpha": 0.5}, members=6)
    return builder.build(tmp_path_factory.mktemp("random"), masks, draws=3)


def test_independent_masks_overlap_at_chance(random_study):
    rows = rows_of(random_study)
    assert len(rows) == (2 + 3 + 2) * (9 + 4 * 4)  # cells × (metrics + layers × their metrics)
    missed = [row for row in rows if not row["estimate"]["low"] <= row["chance"] <= row["estimate"]["high"]]
    assert len(missed) <= 0.05 * len(rows)
    for row in rows_of(random_study, metric="chance_corrected", layer="whole"):
        assert row["estimate"]["low"] <= 0 <= row["estimate"]["high"]


def test_equal_masks_overlap_fully(tmp_path):
    mask = builder.random_mask(0, 0.3)
    archive = builder.build(tmp_path, {"a": [mask] * 4, "b": [mask] * 4})
    layers = [*(layer.reshape(-1) for layer in mask.values())]
    by_chance = {
        name: layer.sum() ** 2 / layer.size
        for name, layer in zip([*mask, "whole"], [*layers, np.concatenate(layers)], strict=True)
    }
    by_chance["whole"] = sum(by_chance[name] for name in mask)
    kept = {**{name: layer.sum() for name, layer in mask.items()}, "whole": sum(map(np.sum, layers))}
    for row in rows_of(archive):
        estimate = row["estimate"]
        expected = 0.0 if row["metric"] in ("hamming", "jaccard") else 1.0
        if row["metric"] == "observed_over_expected":
            expected = kept[row["layer"]] / by_chance[row["layer"]]
        assert estimate["value"] == pytest.approx(expected, abs=1e-12)
        assert estimate["low"] is estimate["high"] is None and "no width" in estimate["why"]


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
    wanted = {"layer": "whole", "metric": "jaccard_similarity", "block": "within"}
    (row,) = rows_of(random_study, a="zeta", b="zeta", **wanted)
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
        wanted = {"layer": layer or "whole", "metric": "hamming", "block": "within"}
        (row,) = rows_of(random_study, a="alpha", b="alpha", **wanted)
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


def test_every_chance_level_is_the_mean_over_independent_masks():
    """Layers of unequal density, so that what is pooled differs from what is stratified."""
    random = np.random.default_rng(0)
    layers = [
        simulated.masks(random, 120, size, density) for size, density in ((40, 0.8), (120, 0.25), (200, 0.5))
    ]
    found = counted(layers)
    rows = in_memory(found)
    for row in rows:
        estimate = row["estimate"]
        sd = (estimate["high"] - estimate["low"]) / 4  # conservative near chance
        assert sd > 0 and abs(estimate["value"] - row["chance"]) < 3 * sd, (row["layer"], row["metric"])
        assert row["chance"] is not None
    (kappa,) = chosen(rows, layer="whole", metric="kappa")
    assert kappa["chance"] > 0.05  # equal layer densities count as agreement there


def test_z_stands_only_beside_an_effect_and_is_that_of_the_mean_intersection(random_study):
    rows, measured = rows_of(random_study, layer="whole"), distances.measure(random_study)
    assert {row["metric"] for row in rows if row["z"] is not None} == set(overlap.TESTED)
    kept = np.stack([measured.kept(name) for name in measured.layers])
    variance = chance.intersection_variance(measured.sizes, kept)
    excess = measured.intersection_count() - chance.expected_intersection(measured.sizes, kept)
    pairs = [(i, j) for i in range(6) for j in range(i + 1, 6)]
    for block in ("within", "across"):
        own = [(i, j) for i, j in pairs if ((i - j) % 3 == 0) == (block == "within")]
        mean = np.mean([excess[pair] for pair in own])
        expected = mean / (np.sqrt(sum(variance[pair] for pair in own)) / len(own))
        for metric in overlap.TESTED:
            (row,) = chosen(rows, a="zeta", b="zeta", block=block, metric=metric)
            assert row["z"] == pytest.approx(expected)


def test_twins_show_the_range_of_the_same_mean(random_study):
    measured, members = distances.measure(random_study), design.of(random_study)
    made = twins.distances(measured, 5, 4)
    rows = overlap.rows(members, measured, twins=made)
    alone = [overlap.rows(members, twin) for twin in made]
    for place, row in enumerate(rows):
        values = [own[place]["estimate"]["value"] for own in alone]
        null = row["null"]
        assert (null["low"], null["high"], null["n"]) == pytest.approx((min(values), max(values), 4))
        assert null["mean"] == pytest.approx(np.mean(values))
        assert null["range"] == "min to max"
    assert all(row["null"] is None for row in overlap.rows(members, measured))


def test_few_numbers_at_once_give_the_same_rows(random_study, monkeypatch):
    measured, members = distances.measure(random_study), design.of(random_study)
    made = twins.distances(measured, 5, 3)
    together = overlap.rows(members, measured, twins=made)
    monkeypatch.setattr(overlap, "_AT_ONCE", 1)
    for one, other in zip(overlap.rows(members, measured, twins=made), together, strict=True):
        for part in ("estimate", "null"):
            numbers = {key: value for key, value in one.pop(part).items() if isinstance(value, float)}
            assert numbers == pytest.approx({key: other[part][key] for key in numbers}, abs=1e-12)
            del other[part]
        assert one == other


def test_undefined_values_have_no_null(tmp_path):
    masks = builder.random_masks({"a": 0.5}, members=4)
    for mask in masks["a"]:
        mask["conv1"][:] = True
    archive = builder.build(tmp_path, masks)
    measured = distances.measure(archive)
    rows = overlap.rows(design.of(archive), measured, twins=twins.distances(measured, 0, 2))
    undefined = {row["metric"] for row in chosen(rows, layer="conv1") if row["null"] is None}
    assert undefined == {"chance_corrected"}
    assert all(row["z"] is None for row in chosen(rows, layer="conv1"))


def test_members_that_keep_nothing_are_undefined_with_a_reason():
    layers = [np.zeros((4, 30), dtype=bool), simulated.masks(np.random.default_rng(1), 4, 50, 0.5)]
    found = counted(layers)
    rows = in_memory(found)
    for row in chosen(rows, layer="layer0"):
        defined = row["metric"] == "hamming"
        assert (row["estimate"]["value"] is not None) == defined == (row["chance"] is not None)
        assert defined or "or none" in row["estimate"]["why"]
    assert all(row["estimate"]["value"] is not None for row in chosen(rows, layer="whole"))


def test_no_members_give_no_rows():
    none = distances.Distances([], [], np.zeros(0, np.int64), np.zeros((0, 0, 0), np.int64))
    assert overlap.rows(design.make([], {}), none) == []


def test_one_member_gives_no_rows():
    found = counted([simulated.masks(np.random.default_rng(1), 1, 50, 0.5)])
    assert in_memory(found) == []


def test_magnitude_rows_are_over_the_sampled_pairs():
    found = counted([simulated.masks(np.random.default_rng(2), 6, 50, 0.5)])
    sampled, expected = [found.ids[at] for at in (1, 2, 4, 5)], np.full((1, 4, 4), 14.0)
    rows = in_memory(found, magnitude.Magnitude(sampled, found.layers, expected))
    (row,) = chosen(rows, metric=overlap.MAGNITUDE, layer="layer0")
    shared = found.intersection_count()
    pairs = [(1, 2), (1, 4), (1, 5), (2, 4), (2, 5), (4, 5)]
    value = np.mean([(shared[pair] - 14) / (25 - 14) for pair in pairs])
    assert row["estimate"]["value"] == pytest.approx(value)
    assert (row["pairs"], row["estimate"]["n"], row["chance"]) == (6, 4, 0)
    assert row["z"] is row["null"] is None
    metrics = [row["metric"] for row in chosen(rows, layer="whole")]
    assert metrics == [*overlap.METRICS, overlap.MAGNITUDE]


@pytest.mark.parametrize(
    ("sampled", "expected", "why"),
    [(1, 14.0, "base weights are known"), (4, 25.0, "no other overlap than the largest")],
)
def test_magnitude_rows_without_a_value_say_why(sampled, expected, why):
    found = counted([simulated.masks(np.random.default_rng(2), 4, 50, 0.5)])
    given = magnitude.Magnitude(found.ids[:sampled], found.layers, np.full((1, sampled, sampled), expected))
    (row,) = chosen(in_memory(found, given), metric=overlap.MAGNITUDE, layer="whole")
    assert row["estimate"]["value"] is None and row["chance"] is None
    assert why in row["estimate"]["why"]


def test_unpaired_populations_have_no_pairs_of_equal_seeds(tmp_path):
    masks = builder.random_masks({"a": 0.5, "b": 0.5}, members=3)
    measured = distances.measure(builder.build(tmp_path, masks))
    members = design.make(measured.ids, dict.fromkeys(measured.ids, 0), unpaired=["b"])
    rows = chosen(overlap.rows(members, measured), a="a", b="b", layer="whole", metric="phi")
    assert [(row["seed"], row["pairs"], row["estimate"]["n"]) for row in rows] == [("different", 9, 6)]
