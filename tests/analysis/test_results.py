import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from masklab import analysis
from masklab.analysis import distances, embeddings, tables
from masklab.archive import Archive, files
from masklab.errors import ArchiveError, ConfigError

from ..archive import changed
from . import builder

POINT = {"pair": "a/0000–a/0001", "t": 0.5, "accuracy": 0.25}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    masks = builder.random_masks({"beta": 0.3, "alpha": 0.5}, members=4)
    masks["beta"][2] = None
    masks["beta"][3] = None
    return builder.build(tmp_path_factory.mktemp("study"), masks, draws=2, failed=["beta/0003"], events=3)


LANDSCAPE = {"landscape": [{"a": "beta"}], "planes": [{"x": [0.0]}], "landscape_work": {"budget": 1}}


@pytest.fixture(scope="module")
def found(study):
    return analysis.analyze(study, landscape=LANDSCAPE, points={"interpolation": [POINT]})


def test_what_is_written_is_what_is_returned(study, found):
    assert files.read_json(study.directory / "analysis" / "results.json") == found
    assert list(found) == [
        "schema", "study", "created", "without_pairs", "populations", "members", "failures", "accuracy",
        *tables.MEASURED, "scope", "nulls", "landscape_work", *tables.LANDSCAPE, "embeddings", "warnings",
    ]  # fmt: skip
    assert {key: found[key] for key in LANDSCAPE} == LANDSCAPE and found["study"] == study.study
    assert found["chains"] == []


def test_populations_and_members(found):
    beta, alpha = found["populations"]
    assert (beta["members"], beta["stored"], beta["failed"], beta["blocks"]) == (4, 2, 1, 2)
    assert (alpha["stored"], alpha["failed"]) == (4, 0)
    assert beta["refresh_events"] == {"min": 3, "max": 3}
    assert beta["kept"] / beta["size"] == pytest.approx(0.3, abs=0.01)
    assert [row["id"] for row in found["members"][:3]] == ["beta/0000", "beta/0001", "alpha/0000"]
    assert found["members"][1] == {
        "id": "beta/0001", "population": "beta", "index": 1, "block": 1, "accuracy": 0.51,
        "validation_accuracy": 0.41, "best_epoch": 2, "best_epoch_accuracy": 0.56, "refresh_events": 3,
        "kept_density": beta["kept"] / beta["size"],
    }  # fmt: skip
    assert found["failures"] == [{"id": "beta/0003", "cause": "loss is not finite", "step": 7}]
    assert [row["metric"] for row in found["accuracy"][:3]] == list(analysis.results.accuracy.METRICS)


def test_tables_hold_the_same_numbers(study, found):
    folder = study.directory / "analysis"
    members = pd.read_csv(folder / "members.csv")
    assert members["accuracy"].tolist() == [row["accuracy"] for row in found["members"]]
    overlap = pd.read_csv(folder / "overlap.csv")
    assert len(overlap) == len(found["overlap"])
    for line, row in zip(overlap.to_dict("records"), found["overlap"], strict=True):
        assert line["value"] == row["estimate"]["value"] and line["chance"] == row["chance"]
        assert [line[key] for key in ("a", "b", "layer")] == [row[key] for key in ("a", "b", "layer")]
    points = pd.read_csv(folder / "embeddings.csv")
    (embedding,) = found["embeddings"]
    own, twin = (points[points["masks"] == masks] for masks in ("members", "twin"))
    assert own["x"].tolist() == [point["x"] for point in embedding["points"]]
    assert twin["y"].tolist() == [point["y"] for point in embedding["twin"]["points"]]
    for name in tables.MEASURED:
        assert (folder / f"{name}.csv").exists() == bool(found[name])
    assert pd.read_csv(folder / "interpolation.csv").to_dict("records") == [POINT]


def test_arrays_hold_the_distances(study, found):
    measured = distances.measure(study)
    with np.load(study.directory / "analysis" / "overlap.npz") as arrays:
        assert arrays["ids"].tolist() == [row["id"] for row in found["members"]]
        assert arrays["layers"].tolist() == list(builder.SHAPES)
        np.testing.assert_array_equal(arrays["sizes"], measured.sizes)
        np.testing.assert_array_equal(arrays["intersections"], measured.intersections)
        np.testing.assert_array_equal(arrays["hamming"], measured.hamming())
        np.testing.assert_array_equal(arrays["jaccard"], measured.jaccard())


def test_same_input_same_bytes(tmp_path):
    builder.build(tmp_path, builder.random_masks({"a": 0.3, "b": 0.5}, members=4))
    contents, document = [], {}
    for _ in range(2):
        analysis.analyze(Archive(tmp_path))
        folder = tmp_path / "analysis"
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    stripped = []
    for content in contents:
        document = json.loads(content.pop("results.json"))
        document.pop("created")
        stripped.append(json.dumps(document))
    assert contents[0] == contents[1] and stripped[0] == stripped[1]
    names = ("populations", "accuracy", "members", "embeddings", "nulls", "warnings", *tables.MEASURED)
    measured = {f"{name}.csv" for name in names if document[name]}
    assert set(contents[0]) == measured | {"overlap.npz", "structure.npz"}


def test_paths_of_an_earlier_analysis_do_not_stay(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.3}, members=2))
    analysis.analyze(archive, points={"interpolation": [POINT]})
    assert (tmp_path / "analysis" / "interpolation.csv").exists()
    analysis.analyze(archive)
    assert not (tmp_path / "analysis" / "interpolation.csv").exists()


@pytest.mark.parametrize("members", [1, 2, 3])
def test_small_studies_are_analyzed(tmp_path, members):
    masks = {"a": builder.random_masks({"a": 0.5}, members)["a"], "empty": [None]}
    found = analysis.analyze(builder.build(tmp_path, masks))
    assert len(found["members"]) == members and found["embeddings"] == []
    assert found["populations"][1]["refresh_events"] == {"min": None, "max": None}
    for row in [*found["accuracy"], *found["overlap"]]:
        estimate = row["estimate"]
        assert ("why" in estimate) == (None in estimate.values())
    assert bool(found["overlap"]) == (members > 1)
    (tmp_path / "analysis" / "overlap.csv").read_text(encoding="utf-8")


def test_missing_accuracies_stay_missing(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.5}, members=2))
    changed.rewrite(
        tmp_path / "members/a/0001.safetensors",
        lambda document, _: document["accuracy"].update(best=None, validation=None),
    )
    found = builder.assembled(archive)
    first, second = found["members"]
    assert (first["best_epoch"], first["best_epoch_accuracy"], first["validation_accuracy"]) == (2, 0.55, 0.4)
    assert second["best_epoch"] is second["best_epoch_accuracy"] is second["validation_accuracy"] is None


DENSE = {"dense": {"compared": False, "trained": True, "control": "dense"}}


@pytest.mark.parametrize("compared", [0, 1, 2])
def test_an_accuracy_reference_is_compared_with_nothing(tmp_path, compared):
    full = {name: np.ones(shape, dtype=bool) for name, shape in builder.SHAPES.items()}
    masks = {"dense": [full] * 4, "a": [builder.random_mask(seed, 0.5) for seed in range(compared)]}
    snapshots = {f"dense/{index:04d}": {1: full} for index in range(4)}
    archive = builder.build(tmp_path, masks, rows=DENSE, trained=["dense"], snapshots=snapshots)
    found = analysis.analyze(archive, methods=embeddings.METHODS)
    assert json.loads((tmp_path / "analysis" / "results.json").read_text()) == found
    own = [f"a/{index:04d}" for index in range(compared)]
    assert [row["id"] for row in found["members"]] == [f"dense/{index:04d}" for index in range(4)] + own
    assert [row["compared"] for row in found["populations"]] == [False, True]
    accuracies = {row["population"]: row for row in found["accuracy"] if row["metric"] == "accuracy"}
    assert accuracies["dense"]["estimate"]["n"] == 4 and accuracies["dense"]["sampling_sd"] > 0
    assert {(row["a"], row["b"]) for row in found["overlap"]} == ({("a", "a")} if compared > 1 else set())
    assert found["embeddings"] == [] and found["movement"] == []
    codes = {row["code"]: row for row in found["warnings"]}
    assert ("nothing-to-compare" in codes) == (compared < 2)
    assert ("few-members-to-embed" in codes) == (compared == 2)
    assert not {"unequal-densities", "duplicate-members"} & set(codes)
    if compared < 2:
        said = f"{compared} mask{'s' * (compared != 1)} to compare: there is no overlap"
        assert codes["nothing-to-compare"]["text"].startswith(said)
    with np.load(tmp_path / "analysis" / "overlap.npz") as arrays:
        assert arrays["ids"].tolist() == own and arrays["ids"].dtype.kind == "U"
        assert arrays["hamming"].shape == (compared, compared)


def test_an_embedding_leaves_the_accuracy_reference_out(tmp_path):
    masks = builder.random_masks({"a": 0.5, "dense": 1.0}, members=4)
    found = analysis.analyze(builder.build(tmp_path, masks, rows=DENSE))
    (row,) = found["embeddings"]
    assert [point["id"] for point in row["points"]] == [f"a/{index:04d}" for index in range(4)]


@pytest.mark.parametrize(
    ("stated", "trained"),
    [({}, True), ({"control": "random"}, False), ({"control": "magnitude", "trained": True}, True)],
)
def test_populations_say_whether_they_were_trained(tmp_path, stated, trained):
    masks = builder.random_masks({"a": 0.5}, members=2)
    archive = builder.build(tmp_path, masks, rows={"a": stated})
    (row,) = builder.assembled(archive)["populations"]
    assert (row["trained"], row["compared"]) == (trained, True)


def test_kept_counts_that_differ_between_members_are_those_of_the_members(tmp_path):
    """Global selection: the study plans no count per layer, and each member has its own."""
    masks = [builder.random_mask(seed, density) for seed, density in ((0, 0.2), (1, 0.5), (2, 0.35))]
    layers = [
        {"name": name, "size": int(np.prod(shape)), "kept": None} for name, shape in builder.SHAPES.items()
    ]
    archive = builder.build(
        tmp_path, {"a": masks, "b": [None]}, rows={name: {"layers": layers} for name in "ab"}
    )
    found = analysis.analyze(archive)
    counts = [sum(int(layer.sum()) for layer in mask.values()) for mask in masks]
    assert [row["kept"] for row in found["populations"]] == [pytest.approx(np.mean(counts)), None]
    assert found["populations"][0]["size"] == sum(layer["size"] for layer in layers)
    pairs = [(masks[i], masks[j]) for i in range(3) for j in range(i)]
    for layer in builder.SHAPES:
        kept = [(a[layer].mean(), b[layer].mean()) for a, b in pairs]
        expected = np.mean([p * (1 - q) + q * (1 - p) for p, q in kept])
        (row,) = (row for row in found["overlap"] if (row["layer"], row["metric"]) == (layer, "hamming"))
        assert row["chance"] == pytest.approx(expected, abs=1e-12)
        assert row["estimate"]["value"] == pytest.approx(
            np.mean([(a[layer] ^ b[layer]).mean() for a, b in pairs])
        )


def test_nothing_stored(tmp_path):
    with pytest.raises(ArchiveError, match="no members are stored in"):
        analysis.analyze(builder.build(tmp_path, {"a": [None]}))


def test_analysis_needs_neither_torch_nor_umap(tmp_path):
    builder.build(tmp_path, builder.random_masks({"a": 0.5, "b": 0.5}, members=4))
    code = (
        "import sys, masklab; from masklab import analysis;"
        f"analysis.analyze(masklab.open({str(tmp_path)!r}));"
        "print([name for name in ('torch', 'umap', 'seaborn', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert (tmp_path / "analysis" / "results.json").exists()


def test_no_column_of_a_table_is_overwritten(tmp_path):
    """A row and its estimate may both have a method and an n; formulas are text."""
    names = {"=HYPERLINK(1)": (4, 3, 3, 3), "fc": (10, 32)}
    masks = {
        name: [builder.random_mask(seed, 0.5, names) for seed in seeds]
        for name, seeds in (("a", range(6)), ("b", range(6, 12)))
    }
    found = analysis.analyze(builder.build(tmp_path, masks))
    for key in ("clusters", "tests"):
        table = pd.read_csv(tmp_path / "analysis" / f"{key}.csv")
        assert table["method"].tolist() == [row["method"] for row in found[key]]
        assert table["estimate_method"].tolist() == [row["estimate"]["method"] for row in found[key]]
    tests = pd.read_csv(tmp_path / "analysis" / "tests.csv")
    assert tests["n"].tolist() == [row["n"] for row in found["tests"]]
    overlap = pd.read_csv(tmp_path / "analysis" / "overlap.csv")
    assert "null" not in overlap.columns
    assert set(overlap["layer"]) == {"whole", "'=HYPERLINK(1)", "fc"}


def test_a_layer_must_not_be_called_as_the_whole_mask_is(tmp_path):
    names = {"whole": (4, 3, 3, 3), "fc": (10, 32)}
    masks = {"a": [builder.random_mask(seed, 0.5, names) for seed in range(3)]}
    with pytest.raises(ConfigError, match="a layer is called 'whole'"):
        analysis.analyze(builder.build(tmp_path, masks))
