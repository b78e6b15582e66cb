"""Every format that is read, from files as the tools themselves write them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import torch as safetensors
from torch import nn
from torch.nn.utils import prune

from masklab.archive import Archive
from masklab.archive.exchange import imports
from masklab.errors import ArchiveError, ConfigError

from . import samples


@pytest.mark.parametrize("name", imports.formats())
def test_every_format_says_what_it_reads(name: str) -> None:
    found = imports.formats()[name]
    assert isinstance(found, imports.Format)
    assert len((found.__doc__ or "").partition("\n")[0]) > 20


@pytest.mark.parametrize("container", ["torch", "safetensors"])
def test_prune(tmp_path: Path, container: str) -> None:
    networks = [samples.pruned(seed) for seed in range(2)]
    places = []
    for number, network in enumerate(networks):
        place = tmp_path / f"{number}.pth"
        if container == "torch":
            torch.save(network.state_dict(), place)
        else:
            safetensors.save_file(network.state_dict(), place)
        places.append(place)
    archive, ids = samples.only(tmp_path / "out", *places)
    for own, network in zip(ids, networks, strict=True):
        state = dict(network.state_dict())
        assert samples.equal(archive.mask(own), samples.module_masks(network))
        whole = {name: state[f"{name}.weight_orig"].numpy() for name in ("0", "4")}
        assert samples.equal(archive.weights(own), whole)
        member = archive.member(own)
        others = {name: state[name].numpy() for name in ("0.bias", "1.weight", "1.bias", "4.bias")}
        assert samples.equal(member.parameters(), others)
        running = {name: state[name].numpy() for name in ("1.running_mean", "1.running_var")}
        assert samples.equal(member.buffers(), running)
        assert member.facts["imported"]["left_out"] == ["1.num_batches_tracked"]
    assert archive.study["populations"][0]["imported"]["format"] == "prune"


def test_prune_of_other_parameters(tmp_path: Path) -> None:
    """Weights that are not called so keep their names; a pruned bias is no layer, and stays as it acts."""
    attention = nn.MultiheadAttention(4, 2)
    prune.random_unstructured(attention, "in_proj_weight", amount=0.5)
    prune.random_unstructured(attention.out_proj, "bias", amount=2)
    place = samples.save(tmp_path, "a.pt", attention.state_dict())
    archive, (own,) = samples.only(tmp_path / "out", place)
    mask = attention.get_buffer("in_proj_weight_mask").numpy() > 0
    assert samples.equal(archive.mask(own), {"in_proj_weight": mask})
    parameters = archive.member(own).parameters()
    assert set(parameters) == {"in_proj_bias", "out_proj.weight", "out_proj.bias"}
    bias = attention.out_proj.bias.detach().numpy()
    assert np.array_equal(parameters["out_proj.bias"], bias)


@pytest.mark.parametrize("option", ["density", "prune_rate"])
@pytest.mark.parametrize("fraction", [0.5, 0.25, 0.3, 0.1, 0.07])
def test_hidden_networks_by_either_name_of_the_fraction_kept(
    tmp_path: Path, option: str, fraction: float
) -> None:
    document = samples.checkpoint(1)
    place = samples.save(tmp_path, "model_best.pth", document)
    archive, (own,) = samples.only(tmp_path / "out", place, **{option: fraction})
    state, mask = document["state_dict"], archive.mask(own)
    assert list(mask) == list(samples.SHAPES)
    for name in samples.SHAPES:
        scores = state[f"module.{name}.scores"]
        assert np.array_equal(mask[name], samples.reference_mask(scores, fraction).numpy())
        assert mask[name].sum() == scores.numel() - int((1 - fraction) * scores.numel())
    weights = {name: state[f"module.{name}.weight"].numpy() for name in samples.SHAPES}
    scores = {name: state[f"module.{name}.scores"].numpy() for name in samples.SHAPES}
    assert samples.equal(archive.weights(own), weights)
    assert samples.equal(archive.member(own).scores(), scores)
    facts = archive.member(own).facts
    assert (facts["gate"], facts["pruner"], facts["density"]) == ("edge-popup", "imported", fraction)
    assert facts["imported"]["reported"] == {
        "epoch": 100,
        "arch": "Conv4",
        "best_acc1": 86.5,
        "best_acc5": 99.5,
        "curr_acc1": 86.25,
    }
    assert facts["accuracy"]["test"] is None


def test_equal_scores_keep_the_lower_index(tmp_path: Path) -> None:
    state = {"fc.weight": torch.ones(2, 4), "fc.scores": torch.tensor([[1.0, -2, 2, 1], [-1, 1, 3, 0]])}
    place = samples.save(tmp_path, "a.pt", {"state_dict": state})
    archive, (own,) = samples.only(tmp_path / "out", place, density=0.5)
    assert archive.mask(own)["fc"].tolist() == [[True, True, True, False], [False, False, True, False]]


@pytest.mark.parametrize("asked", [None, 0.25])
def test_biprop_knows_its_own_fraction(tmp_path: Path, asked: float | None) -> None:
    document = samples.checkpoint(2, conv_type="SubnetConv", prune_rate=0.5)
    place = samples.save(tmp_path, "b.pth", document)
    archive, (own,) = samples.only(tmp_path / "out", place, density=asked)
    member = archive.member(own)
    assert (member.facts["gate"], member.facts["density"]) == ("biprop", asked or 0.5)
    for layer in member.layers:
        scores = document["state_dict"][f"module.{layer.name}.scores"]
        mask = samples.reference_mask(scores, asked or 0.5)
        kept = document["state_dict"][f"module.{layer.name}.weight"][mask]
        assert layer.gain == pytest.approx(float(kept.abs().mean()), rel=1e-6)


def test_an_older_biprop_checkpoint_is_named(tmp_path: Path) -> None:
    place = samples.save(tmp_path, "b.pth", samples.checkpoint(2))
    archive, (own,) = samples.only(tmp_path / "out", place, density=0.5, format="biprop")
    assert archive.member(own).facts["gate"] == "biprop"
    assert all(layer.gain for layer in archive.member(own).layers)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", [torch.int32, torch.float32, torch.bool])
def test_openlth(tmp_path: Path, kind: torch.dtype, legacy: bool) -> None:
    masks = {f"{name}.weight": torch.from_numpy(mask) for name, mask in _masks().items()}
    document = {name: mask.to(kind) for name, mask in masks.items()}
    torch.save(document, tmp_path / "mask.pth", _use_new_zipfile_serialization=not legacy)
    archive, (own,) = samples.only(tmp_path / "out", tmp_path / "mask.pth")
    assert samples.equal(archive.mask(own), _masks())
    assert list(archive.mask(own)) == list(_masks())
    assert archive.member(own).facts["imported"]["format"] == "openlth"
    with pytest.raises(ArchiveError, match="the base weights of layer 'b' are not known"):
        archive.weights(own)


def _masks() -> dict[str, np.ndarray]:
    random = np.random.RandomState(0)
    return {"b": random.random_sample((4, 3)) < 0.5, "a.fc": random.random_sample((2, 2, 2)) < 0.5}


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "pt"])
@pytest.mark.parametrize("kind", ["?", "u1", "i8", "f4", "f2"])
def test_arrays_of_zero_and_one(tmp_path: Path, suffix: str, kind: str) -> None:
    arrays = {name: mask.astype(kind) for name, mask in _masks().items()}
    place = tmp_path / f"a.{suffix}"
    if suffix == "npz":
        samples.savez(place, arrays)
    elif suffix == "pt":
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, place)
    else:
        safetensors.save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, place)
    archive, (own,) = samples.only(tmp_path / "out", place)
    assert samples.equal(archive.mask(own), _masks())
    assert not archive.member(own).has_weights


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_in_which_zero_means_pruned(tmp_path: Path, kind: torch.dtype) -> None:
    network = samples.pruned(3)
    for module in (network[0], network[4]):
        prune.remove(module, "weight")
    state = {
        name: value.to(kind) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    safetensors.save_file(state, tmp_path / "a.safetensors")
    archive, (own,) = samples.only(tmp_path / "out", tmp_path / "a.safetensors")
    assert samples.equal(archive.mask(own), samples.module_masks(samples.pruned(3)))
    expected = {name: state[f"{name}.weight"].float().numpy() for name in ("0", "4")}
    assert samples.equal(archive.weights(own), expected)
    assert archive.study["populations"][0]["imported"]["weights"] == "kept"
    assert np.array_equal(archive.member(own).parameters()["0.bias"], state["0.bias"].float().numpy())


def test_masks_beside_weights(tmp_path: Path) -> None:
    weights = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    arrays = {"b": _masks()["b"], "b.weight": weights, "b.bias": weights[:, 0].copy()}
    samples.savez(tmp_path / "a.npz", arrays)
    archive, (own,) = samples.only(tmp_path / "out", tmp_path / "a.npz")
    assert samples.equal(archive.mask(own), {"b": _masks()["b"]})
    assert samples.equal(archive.weights(own), {"b": weights})
    assert list(archive.member(own).parameters()) == ["b.bias"]


def test_weights_without_a_zero_are_masks_only_where_the_format_is_named(tmp_path: Path) -> None:
    place = samples.save(tmp_path, "a.pt", samples.network().state_dict())
    with pytest.raises(ArchiveError, match="no masks in it: no weight is zero"):
        samples.take(tmp_path / "out", place)
    archive, (own,) = samples.only(tmp_path / "out", place, format="arrays")
    assert all(mask.all() for mask in archive.mask(own).values())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrappers_go(tmp_path: Path, prefix: str) -> None:
    state = samples.pruned(0).state_dict()
    document = {"model": {prefix + name: value for name, value in state.items()}, "epoch": 3}
    archive, (own,) = samples.only(tmp_path / "out", samples.save(tmp_path, "a.pt", document))
    assert samples.equal(archive.mask(own), samples.module_masks(samples.pruned(0)))
    assert archive.member(own).facts["imported"]["reported"] == {"epoch": 3}


def test_an_empty_layer_is_a_mask_as_any_other(tmp_path: Path) -> None:
    masks = {"a": np.zeros((3, 3), dtype=bool), "b": np.eye(3, dtype=bool)}
    samples.savez(tmp_path / "a.npz", masks)
    archive, (own,) = samples.only(tmp_path / "out", tmp_path / "a.npz")
    assert samples.equal(archive.mask(own), masks)
    archive.member(own).verify()


WRONG: list[tuple[dict[str, Any], dict[str, Any], type[Exception], str]] = [
    ({}, {}, ConfigError, "does not hold the fraction of weights kept: give --density"),
    ({}, {"density": 0.5, "prune_rate": 0.5}, ConfigError, "give one of them"),
    ({}, {"density": 0.0}, ConfigError, "--density 0; allowed: a fraction above 0"),
    ({}, {"prune_rate": 1.5}, ConfigError, "--prune-rate 1.5; allowed"),
    ({}, {"density": float("nan")}, ConfigError, "--density nan; allowed"),
    ({"conv_type": "GlobalSubnetConv"}, {}, ArchiveError, "'GlobalSubnetConv' does not rank layer by layer"),
    ({"conv_type": "SubnetConv"}, {}, ConfigError, r"\('prune_rate' is None\): give --density"),
    ({"conv_type": "SubnetConv", "prune_rate": 2.0}, {}, ConfigError, r"'prune_rate' is 2.0"),
    ({}, {"format": "prune"}, ArchiveError, "no masks"),
]


@pytest.mark.parametrize(("more", "options", "error", "message"), WRONG)
def test_what_a_checkpoint_cannot_say(
    tmp_path: Path, more: dict[str, Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    place = samples.save(tmp_path, "a.pth", samples.checkpoint(**more))
    with pytest.raises(error, match=message):
        samples.take(tmp_path / "out", place, **options)
    assert not (tmp_path / "out").exists()


def test_a_fraction_for_masks_has_no_effect(tmp_path: Path) -> None:
    place = samples.save(tmp_path, "a.pth", samples.pruned().state_dict())
    with pytest.raises(ConfigError, match=r"--density has no effect: .*a.pth \(prune\) holds masks"):
        samples.take(tmp_path / "out", place, density=0.5)


def test_the_order_of_layers_is_the_files(tmp_path: Path) -> None:
    masks = {f"conv{number}": np.eye(3, dtype=bool) for number in (10, 2, 1)}
    samples.savez(tmp_path / "a.npz", masks)
    _, (own,) = samples.only(tmp_path / "out", tmp_path / "a.npz")
    assert list(Archive(tmp_path / "out").mask(own)) == ["conv10", "conv2", "conv1"]
