"""Running statistics of masks that were not trained as such, and the accuracy that is measured with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import swa_utils

import masklab
from masklab import data as datasets
from masklab import study
from masklab.archive import Member
from masklab.training import cohort, engines, evaluation, images, rebuild
from tests.conftest import TinyStudy, member_bytes

Train = Callable[..., Any]
DROPPING = {"name": "tests.training.nets:normed", "width": 1.0}
SOBER = {"name": "tests.training.nets:sober", "width": 1.0}
BRIEF = {"epochs": 2}
SOURCE = {"pruner": "biprop", "name": "b"}
CONTROLS = ({"pruner": "random", "name": "r"}, {"pruner": "shuffled", "of": "b", "name": "s"})


def controls(out: Path) -> dict[str, bytes]:
    """Bytes of the members of the untrained controls."""
    return {path: found for path, found in member_bytes(out).items() if "/b/" not in path}


def statistics(out: Path, member: str) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in masklab.open(out).member(member).buffers().items()}


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_statistics_of_controls_are_their_own(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    """Whatever torch's global seed is, and whoever else is trained."""
    tables = {"network": DROPPING, "training": BRIEF}
    torch.manual_seed(1)
    before = torch.get_rng_state()
    train(tiny(SOURCE, *CONTROLS, **tables), tmp_path / "one")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    train(tiny(SOURCE, *CONTROLS, **tables), tmp_path / "two")
    first = controls(tmp_path / "one")
    assert len(first) == 4
    assert first == controls(tmp_path / "two")
    train(tiny({**CONTROLS[0], "members": 1}, **tables), tmp_path / "alone")
    alone = controls(tmp_path / "alone")
    assert len(alone) == 1
    assert alone.items() <= first.items()


def test_statistics_of_controls_do_not_depend_on_workers(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    of = tiny(SOURCE, *CONTROLS, network=DROPPING, training=BRIEF)
    for jobs in (1, 2):
        train(of, tmp_path / str(jobs), jobs=jobs)
    assert member_bytes(tmp_path / "1") == member_bytes(tmp_path / "2")


def test_statistics_of_controls_do_not_depend_on_the_engine(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    for engine in ("vmap", "loop"):
        train(tiny(CONTROLS[0], network=DROPPING), tmp_path / engine, engine=engine)
    for member in ("r/0000", "r/0001"):
        found = statistics(tmp_path / "vmap", member)
        assert len(found) == 4
        assert equal(found, statistics(tmp_path / "loop", member))


def test_statistics_of_controls_follow_the_augment_seed(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    for level in (1, "member"):
        drawn = {**dict.fromkeys(study.SEED_SOURCES, 1), "augment": level}
        of = tiny(SOURCE, *CONTROLS, network=DROPPING, training=BRIEF, seeds=drawn)
        train(of, tmp_path / str(level))
    shared, own = tmp_path / "1", tmp_path / "member"
    for name in ("r", "s"):
        assert equal(statistics(shared, f"{name}/0000"), statistics(shared, f"{name}/0001"))
        assert equal(statistics(shared, f"{name}/0000"), statistics(own, f"{name}/0000"))
    assert not equal(statistics(shared, "r/0001"), statistics(own, "r/0001"))
    assert not equal(statistics(own, "r/0000"), statistics(own, "r/0001"))


def measured(member: Member, path: str | None) -> dict[str, np.ndarray]:
    """Torch's own statistics of a stored network over the member's first epoch of training images."""
    of = datasets.load("imagefolder", path)
    pixels, facts = images.on_device(of, 0.25, 0, "cpu"), member.facts
    size, augment = facts["training"]["batch_size"], facts["training"]["augment"]
    batches = images.epoch_batches(pixels, facts["seeds"]["study"], [facts["levels"]], 0, size, augment)
    network = rebuild.network(member).network
    for part in network.modules():
        if isinstance(part, torch.nn.modules.batchnorm._NormBase):
            part.num_batches_tracked = torch.tensor(0)
    swa_utils.update_bn([batch[0] for batch, _ in batches], network)
    return {
        name: values.numpy() for name, values in network.named_buffers() if name.endswith(("mean", "var"))
    }


@pytest.mark.parametrize("batch_size", [48, 16])
def test_stored_statistics_are_those_of_the_stored_network(
    tiny: TinyStudy, train: Train, tmp_path: Path, batch_size: int
) -> None:
    magnitude = {"pruner": "magnitude", "density": 0.2, "name": "m", "learning_rate": 0.05}
    of = tiny(
        magnitude,
        CONTROLS[0],
        {"pruner": "shuffled", "of": "m", "name": "s", "density": 0.2},
        network=SOBER,
        training={"batch_size": batch_size},
    )
    train(of, tmp_path)
    archive = masklab.open(tmp_path)
    for name in archive.ids:
        member = archive.member(name)
        expected, found = measured(member, of.data.path), member.buffers()
        assert expected.keys() == found.keys()
        for buffer, values in expected.items():
            np.testing.assert_allclose(found[buffer], values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("engine", ["vmap", "loop"])
def test_magnitude_is_validated_as_it_will_be_stored(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """With the statistics of the pruned network; the dense ones are back before the next step."""
    seen: list[bool] = []
    validate, compare = cohort.Trainer._validate, cohort.Trainer._compare
    dense: dict[str, torch.Tensor] = {}

    def validated(self: cohort.Trainer, epoch: int) -> None:
        buffers = self.cohort.surroundings.buffers
        dense.update({name: values.clone() for name, values in buffers.items()})
        validate(self, epoch)
        assert all(torch.equal(values, dense[name]) for name, values in buffers.items())

    def compared(self: cohort.Trainer, epoch: int) -> None:
        buffers = self.cohort.surroundings.buffers
        seen.append(not any(torch.equal(values, dense[name]) for name, values in buffers.items()))
        compare(self, epoch)

    of = tiny({"pruner": "magnitude", "density": 0.2, "name": "m"}, network=SOBER)
    with monkeypatch.context() as patch:
        patch.setattr(cohort.Trainer, "_validate", validated)
        patch.setattr(cohort.Trainer, "_compare", compared)
        train(of, tmp_path / "with", engine=engine)
    assert seen == [True] * 4
    monkeypatch.setattr(cohort.Trainer, "_validate", lambda self, epoch: None)
    train(of, tmp_path / "without", engine=engine)
    data = datasets.load("imagefolder", of.data.path)
    held_out = images.validation_split(data, 0.25, 0)
    for index in (0, 1):
        one, other = (masklab.open(tmp_path / out).member(f"m/000{index}") for out in ("with", "without"))
        assert one.facts["digest"] == other.facts["digest"]
        assert equal(one.buffers(), other.buffers())
        logits = rebuild.evaluate(rebuild.network(one), data.train_images[held_out], 512)
        right = (logits.argmax(1).numpy() == data.train_labels[held_out]).mean()
        assert one.facts["accuracy"]["validation"] == right == one.facts["history"]["validation"][-1]


def test_magnitude_that_keeps_everything_has_the_statistics_of_dense(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    of = tiny(*({"pruner": name, "density": 1.0, "name": name} for name in ("magnitude", "dense")))
    of = of.model_copy(update={"network": of.network.model_copy(update=SOBER)})
    train(of, tmp_path)
    for index in (0, 1):
        one, other = (masklab.open(tmp_path).member(f"{name}/000{index}") for name in ("magnitude", "dense"))
        assert equal(one.buffers(), other.buffers())
        assert one.facts["history"] == other.facts["history"]
        assert one.facts["accuracy"] == other.facts["accuracy"]


@pytest.mark.parametrize("engine", ["vmap", "loop"])
@pytest.mark.parametrize(("size", "most"), [(4, 4096), (10, 4096), (48, 4096), (48, 20)])
def test_an_evaluation_takes_no_more_at_once_than_a_step(
    tiny: TinyStudy,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    size: int,
    most: int,
) -> None:
    """And its accuracies are those of the rebuilt networks."""
    honest, seen = engines.logits, []

    def logits(*arguments: Any, **more: Any) -> torch.Tensor:
        if not more.get("training"):
            seen.append((len(arguments[3]), arguments[2].members))
        return honest(*arguments, **more)

    monkeypatch.setattr(evaluation, "_FORWARD_AT_ONCE", most)
    monkeypatch.setattr(engines, "logits", logits)
    of = tiny({"pruner": "biprop", "name": "b"}, training={"batch_size": size, "epochs": 2})
    train(of, tmp_path, engine=engine)
    assert {members for _, members in seen} == {2 if engine == "vmap" else 1}
    assert all(batch <= 2 * size and batch * members <= most for batch, members in seen)
    data = datasets.load("imagefolder", of.data.path)
    held_out = images.validation_split(data, 0.25, 0)
    for index in (0, 1):
        member = masklab.open(tmp_path).member(f"b/000{index}")
        predicted = rebuild.evaluate(rebuild.network(member), data.train_images[held_out], 512).argmax(1)
        right = (predicted.numpy() == data.train_labels[held_out]).mean()
        assert member.facts["accuracy"]["validation"] == right
