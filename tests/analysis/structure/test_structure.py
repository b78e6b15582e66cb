import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from masklab.analysis import design, distances, structure
from masklab.analysis.structure import axes, paths, weights
from masklab.archive import Archive, directory, files, study_file
from tests.analysis import builder
from tests.archive.exchange import samples

CONV2 = {
    "conv1": (8, 1, 3, 3),
    "conv2": (8, 8, 3, 3),
    "fc1": (32, 128),
    "fc2": (32, 32),
    "fc3": (10, 32),
}
"""Conv2 at width 0.125 for images of 8 × 8 pixels."""

POPULATIONS = {"edge-popup-d0.5": 0.5, "biprop-d0.1": 0.1}


def built(folder: Path, members: int = 4, shapes: Mapping[str, tuple[int, ...]] = CONV2) -> Archive:
    """A study of which the network is what its layers say."""
    masks = {
        name: [builder.random_mask(100 * at + index, density, shapes) for index in range(members)]
        for at, (name, density) in enumerate(POPULATIONS.items())
    }
    archive = builder.build(folder, masks, draws=2)
    study = {**archive.study, "network": {**archive.study["network"], "width": 0.125}}
    files.write_json(folder / directory.STUDY, {**study, "recipe_digest": study_file.recipe_digest(study)})
    return Archive(folder)


def measured(archive: Archive, ids: list[str] | None = None) -> tuple[list[dict], dict]:
    found = structure.measure(archive, design.of(archive, ids), distances.measure(archive, ids))
    json.dumps(found[0], allow_nan=False)
    return found


def test_rows_and_arrays_of_a_whole_study(tmp_path: Path) -> None:
    archive = built(tmp_path)
    rows, arrays = measured(archive)
    keys = [(row["population"], row["layer"], row["metric"], row["axis"], row.get("block")) for row in rows]
    assert len(set(keys)) == len(keys)
    order = [(list(POPULATIONS).index(key[0]), ["whole", *CONV2].index(key[1])) for key in keys]
    assert order == sorted(order)
    metrics = {row["metric"] for row in rows}
    assert metrics == {
        "density",
        "distance_share",
        "keep_rate_dispersion",
        "dead_count",
        "dead_share",
        *paths.METRICS,
        *weights.METRICS,
    }
    names = {
        f"{name}/{layer}/{axis}" for name in POPULATIONS for layer in CONV2 for axis in ("output", "input")
    }
    kernels = {f"{name}/{layer}/kernel" for name in POPULATIONS for layer in ("conv1", "conv2")}
    assert set(arrays) == names | kernels
    for name in POPULATIONS:
        own = [archive.mask(one)["conv2"] for one in archive.ids if one.startswith(f"{name}/")]
        mean = np.mean([mask.mean(axis=(1, 2, 3)) for mask in own], axis=0)
        np.testing.assert_allclose(arrays[f"{name}/conv2/output"], mean)


def test_estimates_are_means_over_the_members_of_a_population(tmp_path: Path) -> None:
    archive = built(tmp_path)
    rows, _ = measured(archive)
    along = paths.chain(archive.study)
    assert along.layers
    for name in POPULATIONS:
        ids = [own for own in archive.ids if own.startswith(f"{name}/")]
        shown = []
        for own in ids:
            counts = {layer: axes.count(mask) for layer, mask in archive.mask(own).items()}
            twin = paths.random_twin(counts, along, archive.seed, own)
            shown.append(paths.measure(counts, along, twin)["fc2", paths.COUNT, None])
        [row] = [
            row
            for row in rows
            if (row["population"], row["layer"], row["metric"]) == (name, "fc2", paths.COUNT)
        ]
        assert row["estimate"]["value"] == pytest.approx(np.mean([one.value for one in shown]))
        assert row["chance"] == pytest.approx(np.mean([one.chance for one in shown]))
        assert row["null"]["n"] == row["estimate"]["n"] == 4
    sparse = [row for row in rows if (row["layer"], row["metric"]) == ("whole", paths.COUNT)]
    assert sparse[1]["estimate"]["value"] > 0  # at a density of 0.1 some kept weights lead nowhere


def test_only_the_first_members_have_twins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "TWINS", 3)
    rows, _ = measured(built(tmp_path))
    found = [row for row in rows if row["metric"] == paths.EFFECTIVE]
    assert found and all(row["null"]["n"] == 3 and row["estimate"]["n"] == 4 for row in found)


def test_equal_input_gives_equal_numbers_whatever_else_is_analysed(tmp_path: Path) -> None:
    archive = built(tmp_path)
    rows, arrays = measured(archive)
    assert measured(Archive(tmp_path))[0] == rows
    last = [own for own in archive.ids if own.startswith("biprop")]
    alone, own_arrays = measured(archive, last)
    assert alone == [row for row in rows if row["population"] == "biprop-d0.1"]
    for key, rate in own_arrays.items():
        np.testing.assert_array_equal(rate, arrays[key])
    backwards, _ = measured(archive, archive.ids[::-1])
    assert [row["estimate"]["value"] for row in sorted(backwards, key=_place)] == pytest.approx(
        [row["estimate"]["value"] for row in sorted(rows, key=_place)], nan_ok=True
    )


def _place(row: dict) -> list[str]:
    return [str(row.get(key)) for key in ("population", "layer", "metric", "axis", "block")]


def test_networks_without_a_chain_have_no_paths(tmp_path: Path) -> None:
    rows, _ = measured(built(tmp_path, shapes=builder.SHAPES))
    found = [row for row in rows if row["metric"] in paths.METRICS]
    assert len(found) == len(POPULATIONS) * (1 + len(builder.SHAPES)) * len(paths.METRICS)
    for row in found:
        assert (row["estimate"]["value"], row["chance"], "null" in row) == (None, None, False)
        assert row["estimate"]["why"] == row["why"] == "the masked layers are not those of network conv2"


def test_without_members_there_is_nothing(tmp_path: Path) -> None:
    archive = builder.build(tmp_path, {"p-d0.5": [None]}, failed=["p-d0.5/0000"])
    assert measured(archive) == ([], {})


@pytest.mark.parametrize("members", [1, 2])
def test_few_members_have_values_and_say_why_there_is_no_interval(tmp_path: Path, members: int) -> None:
    rows, _ = measured(built(tmp_path, members))
    for row in rows:
        assert row["estimate"]["n"] == (0 if row["estimate"]["value"] is None else members)
        if row["estimate"]["low"] is None:
            assert row["estimate"]["why"]
    assert ("distance_share" in {row["metric"] for row in rows}) == (members > 1)


@pytest.mark.parametrize("kept", [True, False])
def test_masks_of_all_weights_or_none(tmp_path: Path, kept: bool) -> None:
    mask = {name: np.full(shape, kept) for name, shape in builder.SHAPES.items()}
    rows, arrays = measured(builder.build(tmp_path, {"p-d1": [mask] * 3}))
    found = {(row["layer"], row["metric"], row["axis"]): row for row in rows}
    assert found["fc", "keep_rate_dispersion", "input"]["estimate"]["value"] is None
    assert found["fc", "dead_count", "output"]["estimate"]["value"] == (0 if kept else 10)
    assert found["fc", "distance_share", None]["estimate"]["value"] is None
    assert set(np.concatenate(list(arrays.values()))) == {float(kept)}


def test_imported_masks_have_structure_without_weights(tmp_path: Path) -> None:
    builder.build(tmp_path / "out", builder.random_masks({"p-d0.5": 0.5}, 3))
    for seed in range(3):
        samples.savez(tmp_path / f"{seed}.npz", builder.random_mask(10 + seed, 0.3))
    samples.take(tmp_path / "out", *(tmp_path / f"{seed}.npz" for seed in range(3)), population="foreign")
    rows, _ = measured(Archive(tmp_path / "out"))
    found = {
        (row["population"], row["layer"], row["metric"], row["axis"]): row["estimate"]["value"]
        for row in rows
    }
    assert found["foreign", "fc", "norm_kept", None] is None
    assert found["p-d0.5", "fc", "norm_kept", None] > 0
    assert found["foreign", "fc", "keep_rate_dispersion", "output"] > 0
    assert found["foreign", "whole", "density", None] == pytest.approx(0.3, abs=0.01)


def test_a_study_of_imported_masks_alone_has_no_chain(tmp_path: Path) -> None:
    samples.savez(tmp_path / "0.npz", builder.random_mask(0, 0.3))
    samples.take(tmp_path / "out", tmp_path / "0.npz", population="foreign")
    rows, _ = measured(Archive(tmp_path / "out"))
    [row] = [row for row in rows if (row["layer"], row["metric"]) == ("fc", "disconnected_share")]
    assert row["why"] == "the network of imported masks is not known"


def test_torch_is_not_imported(tmp_path: Path) -> None:
    built(tmp_path, 2)
    code = """if True:
        import sys
        from pathlib import Path
        from masklab.analysis import design, distances, structure
        from masklab.archive import Archive
        archive = Archive(Path(sys.argv[1]))
        rows, _ = structure.measure(archive, design.of(archive), distances.measure(archive))
        print(len(rows), "torch" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    count, torch = done.stdout.split()
    assert int(count) > 100 and torch == "False"
