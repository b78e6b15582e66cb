"""Controls from the study to the member file: what they keep of their source, and what they train."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import masklab
from masklab import bits, seeds, stages, study
from masklab import data as datasets
from masklab.analysis import distances
from masklab.archive import Archive, Layer, Member
from masklab.errors import ConfigError
from masklab.training import rebuild
from tests.conftest import Cli, TinyStudy, member_bytes
from tests.training.conftest import Gradients

Train = Callable[..., Any]

SOURCES: dict[str, dict[str, Any]] = {
    "plain": {"pruner": "edge-popup"},
    "gain": {"pruner": "biprop", "density": 0.3},
    "iterand": {"pruner": "edge-popup+iterand"},
    "recycle": {"pruner": "biprop+recycle", "period_steps": 4},
    "global": {"pruner": "biprop", "selection": "global", "density": 0.1},
    "trained": {"pruner": "magnitude", "density": 0.2},
    "drawn": {"pruner": "edge-popup", "weight_init": "kaiming-uniform", "fan_scale": "none"},
    "random": {"pruner": "random", "gate": "biprop"},
}


def _drawn(member: Member, layer: Layer) -> np.ndarray:
    """Initial base weights of a layer by the member's recipe."""
    assert member.recipe is not None
    return member.recipe.initial(layer)


def again(member: Member, path: str | None) -> np.ndarray:
    """Classes that the member gives when it is rebuilt from its file."""
    data = datasets.load("imagefolder", path)
    return rebuild.predictions(rebuild.repeat_predictions(member, data.test_images))[0]


@pytest.mark.parametrize("kind", SOURCES)
def test_a_shuffled_member_has_its_sources_counts_and_weights(
    tiny: TinyStudy, train: Train, tmp_path: Path, kind: str
) -> None:
    source, name = {"density": 0.5, "name": kind, **SOURCES[kind]}, "shuffled"
    control = {"pruner": "shuffled", "of": kind, "density": source["density"], "name": name}
    of = tiny(control, source, seeds={"study": 5})
    assert train(of, tmp_path).failed == []
    archive = masklab.open(tmp_path)
    for index in range(2):
        source, member = (archive.member(f"{population}/{index:04d}") for population in (kind, name))
        for layer in source.layers:
            mask, shuffled = source.mask()[layer.name], member.mask()[layer.name]
            random = seeds.stream(5, "mask", index, layer.name)
            expected = mask.reshape(-1)[random.permutation(layer.size)].reshape(layer.shape)
            assert np.array_equal(shuffled, expected)
            assert shuffled.sum() == layer.kept == member.layer(layer.name).kept
            assert not np.array_equal(shuffled, mask)
            assert member.weights()[layer.name].tobytes() == source.weights()[layer.name].tobytes()
        assert member.facts["gate"] == source.facts["gate"]
        assert member.facts["levels"] == source.facts["levels"]
        assert member.facts["training"] == source.facts["training"]
        predicted = again(member, of.data.path)
        assert np.array_equal(predicted, member.prediction())
        member.verify()


@pytest.mark.parametrize(("level", "equal"), [(1, True), ("member", False)])
def test_the_draw_of_the_permutation_is_a_factor(
    tiny: TinyStudy, train: Train, tmp_path: Path, level: Any, equal: bool
) -> None:
    shared = {**dict.fromkeys(study.SEED_SOURCES, 1), "mask": level}
    train(tiny({"pruner": "biprop", "name": "b"}, {"pruner": "shuffled", "of": "b"}, seeds=shared), tmp_path)
    archive = masklab.open(tmp_path)
    sources, shuffled = ([archive.mask(f"{p}/000{i}")["fc1"] for i in (0, 1)] for p in ("b", "shuffled-d0.5"))
    assert np.array_equal(sources[0], sources[1])
    assert np.array_equal(shuffled[0], shuffled[1]) is equal


@pytest.mark.parametrize("jobs", [1, 2])
def test_sources_are_trained_first_whatever_the_order(
    tiny: TinyStudy, train: Train, tmp_path: Path, jobs: int
) -> None:
    source, control = {"pruner": "biprop", "name": "b"}, {"pruner": "shuffled", "of": "b", "name": "s"}
    train(tiny(source, control), tmp_path / "one")
    outcome = train(tiny(control, source), tmp_path / "two", jobs=jobs)
    assert len(outcome.written) == 4
    assert member_bytes(tmp_path / "one") == member_bytes(tmp_path / "two")


def test_a_control_can_join_a_study_that_is_trained(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    source, control = {"pruner": "biprop", "name": "b", "members": 3}, {"pruner": "shuffled", "of": "b"}
    train(tiny(source), tmp_path)
    before = member_bytes(tmp_path)
    outcome = train(tiny({**source, "members": 4}, {**control, "members": 2}), tmp_path)
    assert sorted(outcome.written) == ["b/0003", "shuffled-d0.5/0000", "shuffled-d0.5/0001"]
    assert before.items() <= member_bytes(tmp_path).items()


def test_only_the_control_of_a_failed_member_fails(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients
) -> None:
    of = tiny({"pruner": "biprop", "name": "b"}, {"pruner": "shuffled", "of": "b", "name": "s"})
    train(of, tmp_path / "sound")
    gradients.spoil = 1
    outcome = train(of, tmp_path / "out")
    assert sorted(outcome.failed) == ["b/0001", "s/0001"]
    assert sorted(outcome.written) == ["b/0000", "s/0000"]
    record = json.loads((tmp_path / "out/members/s/0001.failed.json").read_text())
    assert record["cause"].startswith("its source cannot be read: ")
    assert record["cause"].endswith("members/b/0001.safetensors does not exist")
    assert (record["population"], record["index"], record["step"]) == ("s", 1, 0)
    gradients.spoil = None
    assert train(of, tmp_path / "out").written == []
    assert sorted(train(of, tmp_path / "out", retry_failed=True).written) == ["b/0001", "s/0001"]
    sound, stored = member_bytes(tmp_path / "sound"), member_bytes(tmp_path / "out")
    alone = "members/s/0000.safetensors"  # says that the other one was not in its cohort
    assert {**stored, alone: sound[alone]} == sound
    first, second = (Member(tmp_path / folder / alone) for folder in ("out", "sound"))
    assert first.facts["digest"] == second.facts["digest"]
    assert first.facts["cohort"]["indices"] == [0]
    assert not list(tmp_path.rglob("*.failed.json"))


def test_failed_controls_are_told_by_the_exit_code(cli: Cli, tmp_path: Path, images: Path) -> None:
    (tmp_path / "s.toml").write_text(
        f"data = {{name = 'imagefolder:{images}', validation_fraction = 0.25}}\n"
        "network = {name = 'mlp', width = 0.05}\n"
        "training = {epochs = 2, batch_size = 16, learning_rate = 3e38}\n"
        "[[population]]\npruner = 'edge-popup'\nname = 'e'\ndensity = 0.5\nmembers = 1\n"
        "[[population]]\npruner = 'shuffled'\nname = 's'\nof = 'e'\n"
    )
    command = ("train", tmp_path / "s.toml", "--out", tmp_path / "out", "--jobs", 1, "--device", "cpu")
    for _ in range(2):  # known failures count when nothing is left to do, too
        code, out, err = cli(*command)
        assert code == 1
        assert "0 members trained, 0 already there, 2 failed" in out
        assert "failed: s/0000 (see " in err


BASE = {"pruner": "biprop", "name": "b", "members": 3}
SHUFFLED = {"pruner": "shuffled", "name": "s", "of": "b"}


@pytest.mark.parametrize(
    ("populations", "message"),
    [
        ([BASE, {**SHUFFLED, "of": "c"}], r"population 's': of: unknown population 'c'.*; known: b$"),
        ([BASE, {**SHUFFLED, "of": "s"}], r"population 's': of: unknown population 's'.*; known: b$"),
        (
            [BASE, SHUFFLED, {**SHUFFLED, "name": "t", "of": "s"}],
            r"population 't': of: unknown population 's'",
        ),
        ([BASE, {**SHUFFLED, "of": 3}], r"population 's': of: .*3"),
        ([BASE, {**SHUFFLED, "density": 0.25}], r"'s': density = 0.25, but 'b' has 0.5; leave it out"),
        ([BASE, {**SHUFFLED, "members": 4}], r"'s': members = 4, but 'b' has 3; leave it out"),
        ([BASE, {**SHUFFLED, "rank": "signed"}], r"'s': rank: it has that of 'b'"),
        (
            [BASE, {"pruner": "shuffled", "name": "s"}],
            r"population 's': of is missing; give the name",
        ),
        ([BASE, {"pruner": "random", "of": "b"}], r"random-d0.5.*unknown key 'of'.*gate"),
        ([BASE, {"pruner": "random", "gate": "gat"}], r"random-d0.5.*unknown gate 'gat'"),
        ([{"pruner": "dense", "density": 0.5}], r"density 0.5, but dense has only 1"),
        ([{"pruner": "dense", "learning_rate": 0.0}], r"learning_rate: .*greater than 0.*got 0\.0"),
        ([{"pruner": "magnitude", "learning_rate": "high"}], r"learning_rate: .*got 'high'"),
    ],
)
def test_what_a_control_cannot_be(populations: list[dict[str, Any]], message: str) -> None:
    inherits = ("shuffled", "dense")
    raw = [{**({} if p["pruner"] in inherits else {"density": 0.5}), **p} for p in populations]
    with pytest.raises(ConfigError, match=message) as caught:
        study.build({"population": raw})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("batchnorm", [False, True])
def test_magnitude_keeps_the_largest_trained_weights(
    tiny: TinyStudy, train: Train, tmp_path: Path, batchnorm: bool
) -> None:
    network = {"name": "resnet18" if batchnorm else "mlp", "batchnorm": "learned" if batchnorm else "frozen"}
    population = {"pruner": "magnitude", "density": 0.3, "members": 1, "learning_rate": 0.05}
    of = tiny(population, network=network, training={"epochs": 2}, seeds={"weights": 1})
    train(of, tmp_path, engine="loop")
    archive = masklab.open(tmp_path)
    member = archive.member("magnitude-d0.3/0000")
    data = datasets.load("imagefolder", of.data.path)
    rebuilt, weights = archive.network(member.id), member.weights()
    own = rebuilt.state_dict()
    for layer in member.layers:
        weight, mask = weights[layer.name].reshape(-1), member.mask()[layer.name].reshape(-1)
        kept = bits.kept_count(layer.size, 0.3)
        assert set(np.flatnonzero(mask)) == set(np.argsort(-np.abs(weight), kind="stable")[:kept].tolist())
        effective = own[f"network.{layer.name}.weight"].numpy().reshape(-1)
        assert np.array_equal(effective, np.where(mask, weight, np.float32(0)))
        assert not np.array_equal(weight, _drawn(member, layer))  # trained, not drawn
    predicted = again(member, of.data.path)
    assert np.array_equal(predicted, member.prediction())
    assert member.facts["accuracy"]["test"] == (predicted == data.test_labels).mean()
    held_out = _held_out(data)
    validated = rebuild.evaluate(rebuilt, data.train_images[held_out], 512).argmax(1).numpy()
    assert member.facts["accuracy"]["validation"] == (validated == data.train_labels[held_out]).mean()
    assert member.scores() == {}


def _held_out(data: datasets.Data) -> np.ndarray:
    random, held_out = seeds.stream(0, "split"), np.zeros(len(data.train_labels), dtype=bool)
    for label in range(len(data.classes)):
        of_class = np.flatnonzero(data.train_labels == label)
        held_out[of_class[random.permutation(len(of_class))[: len(of_class) // 4]]] = True
    return held_out


def test_magnitude_that_keeps_everything_is_dense(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "magnitude", "density": 1.0}, {"pruner": "dense", "density": 1.0})
    train(of, tmp_path)
    archive = masklab.open(tmp_path)
    for index in (0, 1):
        kept, dense = (archive.member(f"{name}-d1.0/{index:04d}") for name in ("magnitude", "dense"))
        assert kept.facts["digest"] == dense.facts["digest"]
        assert kept.facts["history"] == dense.facts["history"]
        assert np.array_equal(kept.probability(), dense.probability())


def test_dense_is_trained_whole_and_compared_with_nothing(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    of = tiny({"pruner": "biprop"}, {"pruner": "dense", "density": 1.0}, training={"epochs": 8})
    train(of, tmp_path)
    archive = masklab.open(tmp_path)
    dense = [archive.member(f"dense-d1.0/000{index}") for index in (0, 1)]
    for member in dense:
        assert all(mask.all() for mask in member.mask().values())
        assert all(
            not np.array_equal(member.weights()[o.name].reshape(-1), _drawn(member, o)) for o in member.layers
        )
        assert np.array_equal(again(member, of.data.path), member.prediction())
        assert member.facts["accuracy"]["best"]["test"] > 0.75  # of two classes
        loss = member.facts["history"]["loss"]
        assert loss[-1] < loss[0]
    assert distances.measure(Archive(tmp_path)).ids == ["biprop-d0.5/0000", "biprop-d0.5/0001"]
    results = json.loads(stages.analyze(tmp_path, jobs=1).read_text())
    assert not [row for row in results["overlap"] if "dense" in json.dumps(row)]
    assert [row for row in results["overlap"] if "biprop" in json.dumps(row)]
    assert "dense-d1.0" in json.dumps(results["accuracy"])


@pytest.mark.parametrize("pruner", ["dense", "magnitude"])
def test_the_learning_rate_of_weights_replaces_the_recipes(
    tiny: TinyStudy, train: Train, tmp_path: Path, pruner: str
) -> None:
    """One step of a study whose recipe is far away from it; then the same with the recipe changed."""
    stored: dict[float, list[np.ndarray]] = {}
    for rate, recipe in ((0.01, 0.5), (0.02, 0.5), (0.02, 3.0)):
        population = {"pruner": pruner, "density": 1.0, "learning_rate": rate, "members": 1}
        tables = {"training": {"epochs": 1, "batch_size": 64, "learning_rate": recipe, "weight_decay": 0.0}}
        train(tiny(population, **tables), tmp_path / f"{rate}-{recipe}")
        member = masklab.open(tmp_path / f"{rate}-{recipe}").member(f"{pruner}-d1.0/0000")
        moved = [member.weights()[o.name].reshape(-1) - _drawn(member, o) for o in member.layers]
        if rate in stored:
            assert all(np.array_equal(*pair) for pair in zip(moved, stored[rate], strict=True))
        stored[rate] = moved
    for once, twice in zip(stored[0.01], stored[0.02], strict=True):
        assert np.abs(once).max() > 0
        np.testing.assert_allclose(twice, 2 * once, atol=1e-6)


@pytest.mark.parametrize("gate", [None, "biprop"])
def test_random_keeps_the_count_of_each_layer(
    tiny: TinyStudy, train: Train, tmp_path: Path, gate: str | None
) -> None:
    options = {"gate": gate} if gate else {}
    of = tiny({"pruner": "random", "density": 0.3, **options}, {"pruner": "biprop", "density": 0.3})
    train(of, tmp_path)
    archive = masklab.open(tmp_path)
    one, other = (archive.member(f"random-d0.3/000{index}") for index in (0, 1))
    trained = archive.member("biprop-d0.3/0000")
    for layer in one.layers:
        assert layer.kept == bits.kept_count(layer.size, 0.3) == one.mask()[layer.name].sum()
        assert not np.array_equal(one.mask()[layer.name], other.mask()[layer.name])
        assert one.weights()[layer.name].tobytes() == trained.weights()[layer.name].tobytes()  # paired
        assert (layer.gain is None) == (gate is None)
    assert one.facts["options"] == {"gate": gate or "edge-popup"}
    assert np.array_equal(again(one, of.data.path), one.prediction())
