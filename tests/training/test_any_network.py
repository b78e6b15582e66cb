"""Networks of every kind, trained and rebuilt: norms, unmasked layers, the user's own, dropout."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import masklab
from masklab import data as datasets
from masklab import study, weights
from masklab.errors import ConfigError
from masklab.training import rebuild
from tests.conftest import TinyStudy, member_bytes

Train = Callable[..., Any]


@pytest.mark.parametrize("batchnorm", ["frozen", "learned"])
@pytest.mark.parametrize("engine", ["vmap", "loop"])
def test_batch_norm_is_stored_and_used(
    tiny: TinyStudy, train: Train, tmp_path: Path, batchnorm: str, engine: str
) -> None:
    network = {"name": "resnet18", "batchnorm": batchnorm}
    of = tiny({"pruner": "biprop"}, {"pruner": "random"}, network=network, training={"epochs": 1})
    train(of, tmp_path, engine=engine)
    archive, data = masklab.open(tmp_path), datasets.load("imagefolder", of.data.path)
    norms = {name.rpartition(".")[0] for name in archive.member("biprop-d0.5/0000").buffers()}
    assert len(norms) == 20
    for member_id in archive.ids:
        member, module = archive.member(member_id), archive.network(member_id).eval()
        trained = member_id.startswith("biprop")
        parameters, buffers = member.parameters(), member.buffers()
        assert {name.rpartition(".")[0] for name in parameters} == (
            norms if batchnorm == "learned" else set()
        )
        if batchnorm == "learned":
            moved = [not np.isin(values, (0.0, 1.0)).all() for values in parameters.values()]
            assert all(moved) if trained else not any(moved)
        own = module.state_dict()
        for name, values in {**parameters, **buffers}.items():
            assert np.array_equal(own[f"network.{name}"].numpy(), values)
        assert all(not (b == (1.0 if n.endswith("var") else 0.0)).all() for n, b in buffers.items())
        predicted = rebuild.predictions(rebuild.repeat_predictions(member, data.test_images))[0]
        assert np.array_equal(predicted, member.prediction())
        for part in module.modules():  # other statistics, other outputs: they are really used
            if isinstance(part, torch.nn.BatchNorm2d) and part.running_mean is not None:
                part.running_mean.add_(5.0)
        with torch.no_grad():
            logits = module(torch.from_numpy(data.test_images))
        before = rebuild.repeat_predictions(member, data.test_images)
        assert not torch.allclose(logits, before, atol=1e-3)


@pytest.mark.parametrize("pattern", [{"mask_except": ["fc2"]}, {"mask_only": ["fc1", "fc3"]}])
def test_layers_that_are_not_masked_keep_their_random_weights(
    tiny: TinyStudy, train: Train, tmp_path: Path, pattern: dict[str, list[str]]
) -> None:
    of = tiny({"pruner": "biprop", "density": 0.25}, {"pruner": "dense", "density": 1.0}, network=pattern)
    train(of, tmp_path)
    archive = masklab.open(tmp_path)
    for member_id in archive.ids:
        member = archive.member(member_id)
        assert [layer.name for layer in member.layers] == ["fc1", "fc3"]
        assert set(member.mask()) == set(member.weights()) == {"fc1", "fc3"}
        own = archive.network(member_id).state_dict()
        for name, weight in own.items():
            if name.endswith("fc2.weight"):
                shape = tuple(weight.shape)
                level = member.facts["levels"]["weights"]
                drawn = weights.initial_weights(0, level, "fc2", shape, "kaiming-normal", 1.0)
                assert np.array_equal(weight.numpy().reshape(-1), drawn)
        data = datasets.load("imagefolder", of.data.path)
        predicted = rebuild.predictions(rebuild.repeat_predictions(member, data.test_images))[0]
        assert np.array_equal(predicted, member.prediction())


NETWORKS = """
from torch import nn

def plain(input_shape, classes, width=1.0):
    wide = int(8 * width)
    return nn.Sequential(
        nn.Conv2d(input_shape[0], wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * wide, classes),
    )

def dropping(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, classes))
"""

ELSEWHERE = """
import sys
import numpy as np, masklab, torch
from masklab import data
archive = masklab.open(sys.argv[1])
images = torch.from_numpy(data.load(sys.argv[2], sys.argv[3]).test_images)
torch.set_num_threads(1)
for member in archive.ids:
    with torch.no_grad():
        classes = archive.network(member)(images).argmax(1).numpy()
    assert np.array_equal(classes, archive.member(member).prediction())
    print(member)
"""


@pytest.fixture
def own_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "recipe_nets.py").write_text(NETWORKS)


@pytest.mark.usefixtures("own_networks")
@pytest.mark.parametrize("name", ["recipe_nets:plain", "torchvision:squeezenet1_1"])
def test_networks_from_elsewhere_are_rebuilt_in_another_process(
    tiny: TinyStudy, train: Train, tmp_path: Path, images: Path, name: str
) -> None:
    small = name.startswith("recipe")
    network = {"name": name, "width": 1.0, "mask_except": [] if small else ["features.3.*"]}
    recipe = {"epochs": 1, "batch_size": 16}
    source = images if small else _colour(tmp_path)
    data = {"name": "imagefolder" if small else "arrays", "path": str(source)}
    of = tiny({"pruner": "biprop", "members": 2 if small else 1}, network=network, training=recipe, data=data)
    assert train(of, tmp_path / "out", engine="loop").failed == []
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "out"), of.data.name, str(source)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == masklab.open(tmp_path / "out").ids


def _colour(folder: Path) -> Path:
    """Colour images of a size that torchvision's networks survive."""
    random, path = np.random.RandomState(0), folder / "colour.npz"
    pixels = random.randint(0, 256, (40, 3, 32, 32)).astype(np.uint8)
    labels = np.arange(40) % 2
    np.savez(
        path,
        train_images=pixels[:32],
        train_labels=labels[:32],
        test_images=pixels[32:],
        test_labels=labels[32:],
    )
    return path


@pytest.mark.usefixtures("own_networks")
@pytest.mark.parametrize("engine", ["vmap", "loop"])
def test_dropout_follows_the_augment_seed(tiny: TinyStudy, train: Train, tmp_path: Path, engine: str) -> None:
    """The same bytes twice; equal members with a shared seed; different ones where only that seed differs."""
    network = {"name": "recipe_nets:dropping", "width": 1.0}
    masks: dict[Any, list[np.ndarray]] = {}
    for level in (1, "member"):
        drawn = {**dict.fromkeys(study.SEED_SOURCES, 1), "augment": level}
        of = tiny({"pruner": "biprop", "name": "b"}, network=network, seeds=drawn)
        torch.manual_seed(len(masks))
        before = torch.get_rng_state()
        train(of, tmp_path / f"{level}-one", engine=engine)
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(77)
        train(of, tmp_path / f"{level}-two", engine=engine)
        assert member_bytes(tmp_path / f"{level}-one") == member_bytes(tmp_path / f"{level}-two")
        archive = masklab.open(tmp_path / f"{level}-one")
        masks[level] = [np.concatenate([m.ravel() for m in archive.mask(i).values()]) for i in archive.ids]
    assert np.array_equal(masks[1][0], masks[1][1])
    assert not np.array_equal(masks["member"][0], masks["member"][1])
    assert np.array_equal(masks[1][0], masks["member"][0])  # a member's draw does not depend on the others


def test_binary_activations_train(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "biprop"}, network={"activation": "binary", "width": 0.2}, training={"epochs": 12})
    train(of, tmp_path)
    for row in masklab.open(tmp_path).rows:
        assert row["accuracy"] > 0.7  # of two classes
    losses = masklab.open(tmp_path).member("biprop-d0.5/0000").facts["history"]["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("batch_size", [1, 47])
def test_a_batch_of_one_image_has_no_statistics(
    tiny: TinyStudy, train: Train, tmp_path: Path, batch_size: int
) -> None:
    of = tiny({"pruner": "biprop"}, network={"name": "resnet18"}, training={"batch_size": batch_size})
    with pytest.raises(ConfigError, match=rf"training.batch_size {batch_size} .* batch normalisation"):
        train(of, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    plain = tiny({"pruner": "biprop"}, training={"batch_size": batch_size, "epochs": 1})
    assert len(train(plain, tmp_path / "plain").written) == 2
