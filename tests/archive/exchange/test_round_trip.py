"""What is exported can be imported again, and other tools can use it as it is."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import torch as safetensors
from torch import nn
from torch.nn.utils import prune

from masklab import data, networks, stages, study
from masklab.archive import Archive, directory, member
from masklab.archive.exchange import exports
from masklab.errors import ArchiveError, ConfigError
from masklab.training import rebuild
from tests.archive import samples as members

from . import samples

WITHOUT_WEIGHTS = {"mask": "x.safetensors", "npz": "x.npz", "prune": "x.pt"}

_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="/\\"), min_size=1)
_SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@st.composite
def _masks(draw: st.DrawFn) -> dict[str, np.ndarray]:
    named = st.dictionaries(_NAMES.filter(lambda name: len(name) < 200), _SHAPES, min_size=1, max_size=4)
    shapes = draw(named)
    random = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.floats(0, 1))
    found = {name: np.asarray(random.random_sample(shape) < density) for name, shape in shapes.items()}
    next(iter(found.values())).reshape(-1)[0] = True
    return found


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_masks())
def test_any_mask(tmp_path_factory: pytest.TempPathFactory, name: str, masks: dict[str, np.ndarray]) -> None:
    _comes_back(tmp_path_factory.mktemp("any"), name, masks)


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
@pytest.mark.parametrize(
    "layers", [("fc", "fc.weight"), ("fc.weight", "fc"), ("fc.weight",), ("weight", "weight.weight.weight")]
)
def test_modules_that_are_called_weight(tmp_path: Path, name: str, layers: tuple[str, ...]) -> None:
    _comes_back(tmp_path, name, {own: np.eye(place + 2) > 0 for place, own in enumerate(layers)})


def _comes_back(folder: Path, name: str, masks: dict[str, np.ndarray]) -> None:
    """Masks of a member, exported and imported, under the same names in the same order."""
    record = members.study({"p": 1})
    layers = [{"name": own, "shape": list(mask.shape), "size": mask.size} for own, mask in masks.items()]
    record["network"]["layers"] = layers
    record["recipe_digest"] = members.study_file.recipe_digest(record)
    members.files.write_json(folder / directory.STUDY, record)
    member.write(directory.member_path(folder, "p", 0), members.content("p", 0, masks))
    place = samples.give(folder, "p/0000", folder / WITHOUT_WEIGHTS[name], format=name)
    archive, (own,) = samples.only(folder / "out", place)
    assert samples.equal(archive.mask(own), masks)
    assert list(archive.mask(own)) == list(masks)
    again = samples.give(folder / "out", own, folder / f"again-{place.name}", format=name)
    assert name == "prune" or again.read_bytes() == place.read_bytes()


@pytest.fixture(scope="module", params=["mlp", "conv2", "resnet18"])
def trained(request: pytest.FixtureRequest, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a member of each of three pruners on a network."""
    out = tmp_path_factory.mktemp("trained")
    small = {"name": request.param, "width": 0.1}
    more = {"batchnorm": "learned"} if request.param == "resnet18" else {"mask_except": ["*2"]}
    raw = {
        "study": {"name": "tiny"},
        "data": {"name": "imagefolder", "path": str(images), "validation_fraction": 0.25},
        "network": {**small, **more},
        "training": {"epochs": 3, "batch_size": 16},
        "population": [
            {"pruner": pruner, "density": 0.5, "members": 1}
            for pruner in ("biprop+recycle", "edge-popup+iterand", "magnitude")
        ],
    }
    stages.train(study.build(raw), out, jobs=1, device="cpu", engine="loop")
    return out


def _loaded(found: member.Member, state: dict[str, torch.Tensor]) -> rebuild.Rebuilt:
    """The network built anew, with a state dict loaded as torch does."""
    described = found.facts["network"]
    settings = networks.Settings.of(described)
    plain = networks.skeleton(settings, tuple(described["input_shape"]), described["classes"])
    for part in plain.modules():
        if isinstance(part, nn.BatchNorm2d):  # what its constructor makes, and masklab leaves out
            part.num_batches_tracked = torch.tensor(0)
    plain.load_state_dict(state, assign=True)
    facts = found.facts["data"]
    return rebuild.Rebuilt(plain, facts["mean"], facts["deviation"]).eval()


def test_a_state_dict_predicts_as_the_member(trained: Path, images: Path, tmp_path: Path) -> None:
    archive = Archive(trained)
    test_images = data.load("imagefolder", str(images)).test_images
    for own in archive.ids:
        place = samples.give(trained, own, tmp_path / "s.pt", format="state-dict", force=True)
        state = torch.load(place, weights_only=True)
        logits = rebuild.evaluate(_loaded(archive.member(own), state), test_images, 512)
        predicted, probability = rebuild.predictions(logits)
        assert np.array_equal(predicted, archive.member(own).prediction())
        assert np.array_equal(probability, archive.member(own).probability())


def test_a_state_dict_comes_back(trained: Path, tmp_path: Path) -> None:
    """The mask, and as weights what the network used: the gain is applied, pruned weights are gone."""
    for place, own in enumerate(Archive(trained).ids):
        found = Archive(trained).member(own)
        file = samples.give(trained, own, tmp_path / f"{place}.pth", format="state-dict")
        out = tmp_path / f"out{place}"
        (out / "study.json").parent.mkdir()
        (out / "study.json").write_bytes((trained / "study.json").read_bytes())
        archive, (again,) = samples.only(out, file, population="again")
        assert samples.equal(archive.mask(again), found.mask())
        effective = {name: weight.numpy() for name, weight in rebuild.member_weights(found).items()}
        assert samples.equal(archive.weights(again), effective)
        second = samples.give(out, again, tmp_path / f"{place}-again.pth", format="state-dict")
        states = [torch.load(one, weights_only=True) for one in (file, second)]
        assert set(states[0]) == set(states[1])
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_torch_prunes_with_exported_masks(trained: Path, tmp_path: Path) -> None:
    archive = Archive(trained)
    own = archive.ids[1]
    masks = torch.load(samples.give(trained, own, tmp_path / "m.pt", format="prune"), weights_only=True)
    state = _exported(trained, own, tmp_path)
    weights = archive.weights(own)
    whole = {f"{name}.weight": torch.from_numpy(weights[name]) for name in weights}
    network = _loaded(archive.member(own), {**state, **whole}).network
    for name, mask in masks.items():
        prune.custom_from_mask(network.get_submodule(name), "weight", mask)
    for name, mask in archive.mask(own).items():
        expected = torch.from_numpy(np.where(mask, weights[name], np.float32(0)))
        assert torch.equal(torch.as_tensor(network.get_submodule(name).weight), expected)
    again = samples.save(tmp_path, "pruned.pth", network.state_dict())
    read, (other,) = samples.only(tmp_path / "out", again)
    assert samples.equal(read.mask(other), archive.mask(own))
    assert samples.equal(read.weights(other), weights)


def _exported(out: Path, own: str, folder: Path) -> dict[str, torch.Tensor]:
    place = samples.give(out, own, folder / "state.pt", format="state-dict")
    return torch.load(place, weights_only=True)


def test_a_boolean_mask_multiplies_a_state_dict(trained: Path, tmp_path: Path) -> None:
    own = Archive(trained).ids[2]
    mask = safetensors.load_file(samples.give(trained, own, tmp_path / "m.safetensors"))
    state = _exported(trained, own, tmp_path)
    assert set(mask) <= set(state)
    assert all(value.dtype == torch.bool for value in mask.values())
    assert all(torch.equal(state[name] * value, state[name]) for name, value in mask.items())
    with np.load(samples.give(trained, own, tmp_path / "m.npz"), allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype.kind for name in arrays} == dict.fromkeys(mask, "b")


def test_what_torch_removed_comes_back_as_torch_wrote_it(tmp_path: Path) -> None:
    network = samples.pruned(5)
    archive, (own,) = samples.only(tmp_path / "out", samples.save(tmp_path, "a.pth", network.state_dict()))
    for module in (network[0], network[4]):
        prune.remove(module, "weight")
    state = _exported(tmp_path / "out", own, tmp_path)
    fresh = samples.network(7)
    fresh.load_state_dict(state)
    expected = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert set(state) == set(expected)
    assert archive.ids == [own]


def test_a_kept_weight_of_zero_would_be_lost(tmp_path: Path) -> None:
    state = {"a.weight_orig": torch.tensor([[0.0, 1.0]]), "a.weight_mask": torch.ones(1, 2)}
    _, (own,) = samples.only(tmp_path / "out", samples.save(tmp_path, "a.pth", state))
    with pytest.raises(ArchiveError, match=r"1 kept weights of layer 'a' are 0, .*formats mask, npz and"):
        samples.give(tmp_path / "out", own, tmp_path / "s.pt", format="state-dict")
    assert not (tmp_path / "s.pt").exists()
    for name, file in WITHOUT_WEIGHTS.items():
        archive, (again,) = samples.only(
            tmp_path / name, samples.give(tmp_path / "out", own, tmp_path / file, format=name)
        )
        assert archive.mask(again)["a"].all()


def test_a_mask_alone_has_no_state(tmp_path: Path) -> None:
    _, (own,) = samples.only(tmp_path / "out", samples.save(tmp_path, "a.pth", {"a": torch.eye(2)}))
    with pytest.raises(ArchiveError, match="only its mask was imported, so its weights are not known"):
        samples.give(tmp_path / "out", own, tmp_path / "s.pt", format="state-dict")


def test_a_biprop_state_has_its_gain(tmp_path: Path) -> None:
    document = samples.checkpoint(2, conv_type="SubnetConv", prune_rate=0.5)
    _, (own,) = samples.only(tmp_path / "out", samples.save(tmp_path, "b.pth", document))
    state = _exported(tmp_path / "out", own, tmp_path)
    for name, shape in samples.SHAPES.items():
        weight, scores = (document["state_dict"][f"module.{name}.{part}"] for part in ("weight", "scores"))
        mask = samples.reference_mask(scores, 0.5)
        alpha = (weight.abs() * mask).sum() / int(0.5 * math.prod(shape))  # as the reference code has it
        assert torch.allclose(state[f"{name}.weight"], weight.sign() * alpha * mask, rtol=1e-6)


@pytest.mark.parametrize(
    ("file", "name", "message"),
    [
        ("x.pt", None, "may be of several formats; give --format prune or state-dict"),
        ("x.txt", None, "the suffix names no format; allowed: .npz, .pt, .pth, .safetensors"),
        ("x", None, "the suffix names no format"),
        ("x.npz", "mask", "a file of format mask ends in .safetensors"),
        ("x.npz", "numpy", "--format: unknown format 'numpy'"),
        ("there.npz", None, "is there already; --force replaces it"),
    ],
)
def test_wrong_exports(tmp_path: Path, file: str, name: str | None, message: str) -> None:
    _, (own,) = samples.only(tmp_path / "out", samples.save(tmp_path, "a.pth", {"a": torch.eye(2)}))
    (tmp_path / "there.npz").write_bytes(b"precious")
    with pytest.raises(ConfigError, match=message):
        samples.give(tmp_path / "out", own, tmp_path / file, format=name)
    assert (tmp_path / "there.npz").read_bytes() == b"precious"
    assert samples.give(tmp_path / "out", own, tmp_path / "there.npz", force=True).stat().st_size > 8
    with pytest.raises(ArchiveError, match="nobody"):
        samples.give(tmp_path / "out", "nobody/0000", tmp_path / "y.npz")


@pytest.mark.parametrize("name", exports.formats())
def test_equal_members_give_equal_bytes(tmp_path: Path, name: str) -> None:
    network = samples.pruned(6)
    _, (own,) = samples.only(tmp_path / "out", samples.save(tmp_path, "a.pth", network.state_dict()))
    suffix = exports.formats()[name].SUFFIXES[0]
    first, second = (
        samples.give(tmp_path / "out", own, tmp_path / f"{number}{suffix}", format=name).read_bytes()
        for number in range(2)
    )
    assert first == second
