"""Imported populations beside trained ones, in one study or alone."""

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import masklab
from masklab import stages
from masklab.archive import Archive, files
from masklab.errors import ArchiveError, ConfigError
from masklab.training.run import Outcome
from tests.conftest import TinyStudy, member_bytes

from . import samples

Train = Callable[..., Outcome]


@pytest.fixture
def trained(tiny: TinyStudy, train: Train, tmp_path: Path) -> Path:
    """A trained study of one population on an MLP."""
    out = tmp_path / "trained"
    train(tiny({"pruner": "edge-popup"}, training={"epochs": 1}), out)
    return out


def shapes(out: Path) -> dict[str, tuple[int, ...]]:
    layers = json.loads((out / "study.json").read_text())["network"]["layers"]
    return {layer["name"]: tuple(layer["shape"]) for layer in layers}


def foreign(folder: Path, layers: dict[str, tuple[int, ...]], seed: int = 0, name: str = "mask") -> Path:
    """OpenLTH's mask of those layers, in another order than the study's."""
    random = np.random.RandomState(seed)
    masks = {own: torch.from_numpy(random.random_sample(shape) < 0.5) for own, shape in layers.items()}
    document = {f"{own}.weight": mask for own, mask in reversed(masks.items())}
    return samples.save(folder, f"{name}{seed}.pth", document)


def test_a_trained_study_takes_masks_and_goes_on(
    trained: Path, tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    before = member_bytes(trained)
    places = [foreign(tmp_path, shapes(trained), seed) for seed in range(2)]
    outcome = samples.take(trained, *places)
    assert outcome.population.startswith("imported-openlth-d0.")
    assert (outcome.written, outcome.present) == (2, 0)
    assert {name: data for name, data in member_bytes(trained).items() if name in before} == before
    archive = Archive(trained)
    assert list(archive.mask(f"{outcome.population}/0000")) == list(shapes(trained))
    mine = {"pruner": "edge-popup"}
    again = train(tiny(mine, training={"epochs": 1}), trained)
    assert (again.written, again.present) == ([], 2)
    more = train(tiny({**mine, "members": 3}, {"pruner": "random"}, training={"epochs": 1}), trained)
    assert len(more.written) == 3
    archive = Archive(trained)
    assert [row["name"] for row in archive.study["populations"]][:2] == [
        "edge-popup-d0.5",
        outcome.population,
    ]
    assert len(archive.ids) == 7
    assert samples.take(trained, *places).present == 2
    assert stages.reproduce(trained, "edge-popup-d0.5/0000").identical


def test_an_imported_name_cannot_be_trained(
    trained: Path, tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    samples.take(trained, foreign(tmp_path, shapes(trained)), population="random-d0.5")
    with pytest.raises(ConfigError, match=r"'random-d0\.5' is stored with another recipe: pruner is imp"):
        train(tiny({"pruner": "random"}, training={"epochs": 1}), trained)
    with pytest.raises(ConfigError, match=r"population 'edge-popup-d0\.5' is in .* and was trained; give"):
        samples.take(trained, foreign(tmp_path, shapes(trained)), population="edge-popup-d0.5")


def test_imported_masks_have_no_recipe_to_train_by(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    samples.take(tmp_path / "out", foreign(tmp_path, {"fc": (3, 3)}))
    before = (tmp_path / "out/study.json").read_bytes()
    with pytest.raises(ConfigError, match="holds imported masks and no recipe to train by"):
        train(tiny({"pruner": "random"}), tmp_path / "out")
    assert (tmp_path / "out/study.json").read_bytes() == before


@pytest.mark.parametrize("names", ["yx", "xyz"])
def test_a_study_that_becomes_another_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    """Another process wrote other layers, or the same in another order, before this one had the lock."""
    first, second = (
        samples.save(tmp_path, f"{own}.pth", dict.fromkeys(own, samples.EYE)) for own in ("xy", names)
    )
    locked, turns = files.locked, iter([second])

    def late(folder: files.Location) -> contextlib.AbstractContextManager[bool]:
        for place in turns:
            samples.take(tmp_path / "out", place, population="theirs")
        return locked(folder)

    monkeypatch.setattr(files, "locked", late)
    with pytest.raises(ArchiveError, match="has become another study; import again"):
        samples.take(tmp_path / "out", first, population="mine")
    assert list(shapes(tmp_path / "out")) == list(names)
    assert Archive(tmp_path / "out").ids == ["theirs/0000"]
    archive, (own,) = samples.only(tmp_path / "out", first if names == "yx" else second, population="mine")
    assert list(archive.mask(own)) == list(names)


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    places = [foreign(tmp_path, {"fc": (3, 3)}, seed) for seed in range(2)]
    samples.take(tmp_path / "out", *places, population="p")
    before = {file: file.read_bytes() for file in (tmp_path / "out").rglob("*.*") if file.is_file()}
    elsewhere = [shutil.copy(place, tmp_path / f"renamed{place.name}") for place in places]
    outcome = samples.take(tmp_path / "out", *map(Path, elsewhere), population="p")
    assert (outcome.written, outcome.present) == (0, 2)
    assert {file: file.read_bytes() for file in before} == before
    third = foreign(tmp_path, {"fc": (3, 3)}, 9)
    for other in ([places[0]], places[::-1], [*places, places[0]], [places[0], third]):
        with pytest.raises(ConfigError, match=r"population 'p' is in .*out with other files or options"):
            samples.take(tmp_path / "out", *other, population="p")
    assert {file: file.read_bytes() for file in before} == before


def test_a_lost_member_is_written_again(tmp_path: Path) -> None:
    place = foreign(tmp_path, {"fc": (3, 3)})
    samples.take(tmp_path / "out", place, population="p")
    path = tmp_path / "out/members/p/0000.safetensors"
    before = path.read_bytes()
    path.unlink()
    assert samples.take(tmp_path / "out", place, population="p").written == 1
    assert path.read_bytes() == before


def test_other_layers_than_the_study(trained: Path, tmp_path: Path) -> None:
    before = member_bytes(trained)
    with pytest.raises(ArchiveError, match="has other layers than the study: 'fc1' is missing in it"):
        samples.take(trained, foreign(tmp_path, {"fc": (3, 3)}))
    assert member_bytes(trained) == before


def test_layers_by_their_order(trained: Path, tmp_path: Path) -> None:
    """Fully connected layers of hidden-networks are 1×1 convolutions under other names."""
    own = shapes(trained)
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Any] = {}
    for number, shape in enumerate(own.values()):
        for part in ("weight", "scores"):
            state[f"linear.{2 * number}.{part}"] = torch.randn((*shape, 1, 1), generator=generator)
    place = samples.save(tmp_path, "hn.pth", {"state_dict": state})
    with pytest.raises(ArchiveError, match="--by-order matches layers by their position"):
        samples.take(trained, place, density=0.5)
    archive, (member,) = samples.only(trained, place, density=0.5, by_order=True)
    for number, (name, shape) in enumerate(own.items()):
        scores = state[f"linear.{2 * number}.scores"]
        expected = samples.reference_mask(scores, 0.5).numpy().reshape(shape)
        assert np.array_equal(archive.mask(member)[name], expected)
    given = samples.give(trained, member, tmp_path / "m.safetensors")
    back, (again,) = samples.only(trained, given, population="back")
    assert samples.equal(back.mask(again), archive.mask(member))
    place = samples.give(trained, member, tmp_path / "s.pt", format="state-dict")
    loaded = torch.load(place, weights_only=True)
    assert {name: value.shape for name, value in loaded.items()} == {
        name: value.shape for name, value in state.items() if name.endswith("weight")
    }
    short = samples.save(tmp_path, "short.pth", {"a": torch.eye(3)})
    with pytest.raises(ArchiveError, match="has 1 masked layers, the study 3; --by-order needs as many"):
        samples.take(trained, short, by_order=True)
    wrong = samples.save(tmp_path, "wrong.pth", {name: torch.eye(3) for name in "abc"})
    with pytest.raises(ArchiveError, match="lets only trailing axes of length 1 differ"):
        samples.take(trained, wrong, by_order=True)


def test_a_study_chooses_among_weights(trained: Path, tmp_path: Path) -> None:
    """Weights that the study does not mask are left as they are."""
    layers = shapes(trained)
    state = {f"{own}.weight": torch.full(shape, 2.0).tril() for own, shape in layers.items()}
    place = samples.save(tmp_path, "s.pth", {"stem.weight": torch.ones(4, 4), **state})
    archive, (own,) = samples.only(trained, place)
    assert list(archive.mask(own)) == list(layers)
    assert list(archive.member(own).parameters()) == ["stem.weight"]


def test_what_cannot_be_had_is_one_line(trained: Path, tmp_path: Path) -> None:
    population = samples.take(trained, foreign(tmp_path, shapes(trained))).population
    own, archive = f"{population}/0000", masklab.open(trained)
    with pytest.raises(ArchiveError, match=f"{own} was imported: the network that it belongs to"):
        archive.network(own)
    with pytest.raises(ArchiveError, match="the base weights of layer 'fc1' are not known"):
        archive.weights(own)
    with pytest.raises(ConfigError, match=f"{own} was imported: how it was trained is not known"):
        stages.reproduce(trained, own)
    assert archive.network("edge-popup-d0.5/0000") is not None


def test_blocks_are_equal_weights(tmp_path: Path) -> None:
    networks = [samples.pruned(seed, weights) for seed, weights in ((0, 0), (1, 1), (2, 0))]
    places = [samples.save(tmp_path, f"{i}.pth", network.state_dict()) for i, network in enumerate(networks)]
    samples.take(tmp_path / "out", *places, population="whole")
    masks = [
        samples.save(tmp_path, f"m{i}.pth", {f"{n}.weight": torch.from_numpy(m) for n, m in found.items()})
        for i, found in enumerate(map(samples.module_masks, networks))
    ]
    samples.take(tmp_path / "out", *masks, population="masks")
    kept = [
        samples.give(tmp_path / "out", f"whole/{i:04d}", tmp_path / f"k{i}.pt", format="state-dict")
        for i in range(3)
    ]
    samples.take(tmp_path / "out", *kept, population="kept")
    again = samples.save(tmp_path, "again.pth", samples.pruned(7, 1).state_dict())
    samples.take(tmp_path / "out", again, population="again")
    blocks = Archive(tmp_path / "out").blocks
    names = ("whole", "masks", "kept")
    named = {name: [block for own, block in blocks.items() if own.startswith(name)] for name in names}
    assert named["whole"][0] == named["whole"][2] != named["whole"][1] == blocks["again/0000"]
    assert [len(set(found)) for found in named.values()] == [2, 1, 1]
    assert len(set(blocks.values())) == 4


def test_trained_blocks_do_not_change(trained: Path, tmp_path: Path) -> None:
    before = Archive(trained).blocks
    population = samples.take(trained, foreign(tmp_path, shapes(trained))).population
    after = Archive(trained).blocks
    assert {own: after[own] for own in before} == before
    assert after[f"{population}/0000"] not in before.values()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("seeds", {"study": 1}),
        ("training", {"epochs": 3}),
        ("data", {"name": "digits"}),
        ("populations", None),
    ],
)
def test_a_study_without_a_recipe_that_was_edited(tmp_path: Path, place: str, value: Any) -> None:
    samples.take(tmp_path / "out", foreign(tmp_path, {"fc": (3, 3)}))
    path = tmp_path / "out/study.json"
    study = json.loads(path.read_text())
    if value is None:
        del study["populations"][0]["imported"]
    else:
        study[place] = value
    path.write_text(json.dumps(study))
    with pytest.raises(ArchiveError, match=f"was edited: it has no recipe_digest, and its '{place}'"):
        Archive(tmp_path / "out")


def test_a_trained_study_cannot_lose_its_recipe(trained: Path) -> None:
    path = trained / "study.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "recipe_digest": None}))
    with pytest.raises(ArchiveError, match="was edited: it has no recipe_digest"):
        Archive(trained)


def test_a_damaged_description_of_the_source(tmp_path: Path) -> None:
    samples.take(tmp_path / "out", foreign(tmp_path, {"fc": (3, 3)}))
    path = tmp_path / "out/study.json"
    study = json.loads(path.read_text())
    del study["populations"][0]["imported"]["files"]
    path.write_text(json.dumps(study))
    with pytest.raises(ArchiveError, match=r"study\.json: field 'files' is missing"):
        Archive(tmp_path / "out")


def test_one_import_after_the_other_keeps_both(tmp_path: Path) -> None:
    first, second = (foreign(tmp_path, {"fc": (3, 3)}, seed) for seed in range(2))
    for population, place in (("a", first), ("b", second)):
        samples.take(tmp_path / "out", place, population=population)
    study = json.loads((tmp_path / "out/study.json").read_text())
    assert [row["name"] for row in study["populations"]] == ["a", "b"]
    assert study["provenance"]["earlier"]
