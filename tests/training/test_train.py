"""From a study to member files and back, on 64 images."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import masklab
from masklab import data as datasets
from masklab import pruners, study
from masklab.training import engines, rebuild
from tests.conftest import TinyStudy, member_bytes

Train = Callable[..., Any]


def test_every_pruner_stores_members_that_rebuild_to_their_predictions(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    sourced = [name for name in pruners.names() if "of" in pruners.options_type(name).model_fields]
    plain = [name for name in pruners.names() if name not in sourced]
    of = tiny(
        *({"pruner": name, "density": 1.0 if name == "dense" else 0.5} for name in plain),
        *({"pruner": name, "of": "biprop+recycle-d0.5"} for name in sourced),
    )
    outcome = train(of, tmp_path)
    archive = masklab.open(tmp_path)
    assert len(outcome.written) == len(archive.ids) == 2 * len(pruners.names())
    data = datasets.load("imagefolder", of.data.path)
    for member_id in archive.ids:
        member = archive.member(member_id)
        logits = rebuild.repeat_predictions(member, data.test_images)
        predicted, probability = rebuild.predictions(logits)
        assert np.array_equal(predicted, member.prediction())
        assert np.array_equal(probability, member.probability())
        assert member.facts["accuracy"]["test"] == (predicted == data.test_labels).mean()
        with torch.no_grad():  # the network as users call it, on raw images
            direct = archive.network(member_id)(torch.from_numpy(data.test_images)).argmax(1).numpy()
        assert np.array_equal(direct, predicted)
        member.verify()
    assert not (tmp_path / "checkpoints").exists()


def test_facts_say_what_happened(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    train(tiny({"pruner": "biprop+recycle"}, {"pruner": "random"}), tmp_path)
    archive = masklab.open(tmp_path)
    member = archive.member("biprop+recycle-d0.5/0001")
    facts = member.facts
    assert facts["events"] == [2, 3]
    assert facts["options"] == {"period": 1, "period_steps": None, "rate": 0.2, "source": "highest"}
    assert facts["event_unit"] == "epoch"
    assert facts["levels"] == {"weights": 1, "scores": 1, "batches": 1, "augment": 1, "refresh": 1, "mask": 1}
    assert len(facts["history"]["loss"]) == len(facts["history"]["validation"]) == 4
    best = facts["accuracy"]["best"]
    assert best["validation"] == max(facts["history"]["validation"])
    assert best["epoch"] == 1 + facts["history"]["validation"].index(best["validation"])
    assert facts["accuracy"]["n_validation"] == 16
    assert list(member.scores()) == [layer.name for layer in member.layers]
    control = archive.member("random-d0.5/0000")
    assert control.facts["history"] == {"loss": [], "validation": []}
    assert control.scores() == {}
    frame = archive.members
    assert frame.loc["random-d0.5/0000", "train_loss"] is None or np.isnan(
        frame.loc["random-d0.5/0000", "train_loss"]
    )
    assert frame["block"].tolist() == [0, 1, 0, 1]


def test_worker_processes_write_the_same_bytes(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "edge-popup+recycle"}, {"pruner": "biprop", "members": 3})
    train(of, tmp_path / "one", jobs=1)
    train(of, tmp_path / "two", jobs=2)
    assert member_bytes(tmp_path / "one") == member_bytes(tmp_path / "two")


def test_only_the_member_with_a_bad_loss_fails(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = tiny({"pruner": "biprop+recycle", "members": 3})
    train(of, tmp_path / "sound")
    calls, honest = [0], engines.gradients

    def broken(*arguments: Any) -> Any:
        losses: torch.Tensor
        gradients: dict[str, Any]
        losses, gradients = honest(*arguments)
        calls[0] += 1
        if calls[0] == 5:
            losses[1] = float("nan")
            for gradient in gradients.values():
                gradient[1] = float("nan")
        return losses, gradients

    with monkeypatch.context() as patch:
        patch.setattr(engines, "gradients", broken)
        outcome = train(of, tmp_path / "out")
    failed = "biprop+recycle-d0.5/0001"
    assert outcome.failed == [failed]
    record = json.loads((tmp_path / f"out/members/{failed}.failed.json").read_text())
    assert record["cause"] == "the loss is not finite"
    assert (record["step"], record["pruner"], record["index"]) == (4, "biprop+recycle", 1)
    sound, others = member_bytes(tmp_path / "sound"), member_bytes(tmp_path / "out")
    assert len(others) == 2
    assert others.items() <= sound.items()
    assert masklab.open(tmp_path / "out").failures[failed]["step"] == 4
    again = train(of, tmp_path / "out")
    assert (again.failed, again.written) == ([failed], [])  # known failures wait until they are asked for
    assert train(of, tmp_path / "out", retry_failed=True).written == [failed]
    assert member_bytes(tmp_path / "out") == sound
    assert not (tmp_path / f"out/members/{failed}.failed.json").exists()


def test_an_overflowing_learning_rate_fails_members_and_says_so(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    of = tiny({"pruner": "edge-popup"}, training={"learning_rate": 3e38, "epochs": 4})
    outcome = train(of, tmp_path)
    assert len(outcome.failed) == 2
    record = json.loads(next(tmp_path.rglob("0000.failed.json")).read_text())
    assert record["cause"] == "the scores are not finite"
    assert record["step"] < 3  # the step at which it happened, not the end of the epoch


SOURCES = {"weights": "biprop", "scores": "biprop", "batches": "biprop", "augment": "biprop"}


def masks_of(directory: Path) -> list[bytes]:
    archive = masklab.open(directory)
    return [b"".join(m.tobytes() for m in archive.mask(member).values()) for member in archive.ids]


def test_members_are_identical_when_every_source_is_shared(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    shared = dict.fromkeys(study.SEED_SOURCES, 1)
    populations = ({"pruner": name} for name in ("edge-popup+iterand", "biprop+recycle", "random"))
    train(tiny(*populations, seeds=shared, training={"augment": "crop-flip"}), tmp_path)
    masks = masks_of(tmp_path)
    assert masks[0] == masks[1]
    assert masks[2] == masks[3]
    assert masks[4] == masks[5]


@pytest.mark.parametrize(
    ("source", "pruner"),
    [
        ("weights", "biprop"),
        ("scores", "biprop"),
        ("batches", "edge-popup"),
        ("augment", "edge-popup"),
        ("refresh", "edge-popup+iterand"),
        ("mask", "random"),
    ],
)
def test_each_source_alone_changes_the_masks(
    tiny: TinyStudy, train: Train, tmp_path: Path, source: str, pruner: str
) -> None:
    seeds = {**dict.fromkeys(study.SEED_SOURCES, 1), source: "member"}
    # a constant rate keeps masks moving until the end, so that a late refresh still shows
    recipe = {"augment": "crop-flip", "schedule": "constant", "epochs": 6}
    train(tiny({"pruner": pruner}, seeds=seeds, training=recipe), tmp_path)
    one, other = masks_of(tmp_path)
    assert one != other


def test_recycled_members_do_not_share_base_weights_with_their_base(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    train(tiny({"pruner": "edge-popup"}, {"pruner": "edge-popup+recycle"}), tmp_path)
    archive = masklab.open(tmp_path)
    plain, recycled = archive.weights("edge-popup-d0.5/0000"), archive.weights("edge-popup+recycle-d0.5/0000")
    for name, weight in recycled.items():
        assert weight.dtype == np.float32
        assert not np.array_equal(weight, plain[name])
        assert np.isin(weight, plain[name]).all()  # copies of initial values, nothing else


def test_scores_may_be_left_out_without_changing_the_masks(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    train(tiny({"pruner": "biprop"}), tmp_path / "with")
    train(tiny({"pruner": "biprop"}, study={"keep_scores": "none"}), tmp_path / "without")
    assert masks_of(tmp_path / "with") == masks_of(tmp_path / "without")
    lean = masklab.open(tmp_path / "without").member("biprop-d0.5/0000")
    assert lean.scores() == {}
    assert (
        lean.facts["population_digest"] == masklab.open(tmp_path / "with").study["populations"][0]["digest"]
    )


def test_without_validation_there_is_no_best_epoch(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    train(tiny({"pruner": "biprop"}, data={"validation_fraction": 0.0}), tmp_path)
    accuracy = masklab.open(tmp_path).member("biprop-d0.5/0000").facts["accuracy"]
    assert accuracy["best"] is None
    assert accuracy["validation"] is None


def test_populations_of_other_distributions_share_no_base_weights(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    other = {"pruner": "edge-popup", "name": "uniform", "weight_init": "kaiming-uniform"}
    train(tiny({"pruner": "edge-popup"}, {"pruner": "biprop", "density": 0.1}, other), tmp_path)
    archive = masklab.open(tmp_path)
    assert list(archive.blocks.values()) == [0, 1, 0, 1, 2, 3]
    first, scaled, foreign = (
        archive.weights(f"{name}/0000")["fc1"] for name in ("edge-popup-d0.5", "biprop-d0.1", "uniform")
    )
    assert np.allclose(scaled / first, np.sqrt(5), rtol=1e-5)  # one draw, scaled with the kept fan
    assert abs(np.corrcoef(first.ravel(), foreign.ravel())[0, 1]) < 0.2


def test_known_failures_are_counted_once(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "edge-popup", "members": 4}, training={"learning_rate": 3e38})
    assert len(train(of, tmp_path).failed) == 4
    (tmp_path / "members/edge-popup-d0.5/0002.failed.json").unlink()
    again = train(of, tmp_path)
    assert sorted(again.failed) == [f"edge-popup-d0.5/{index:04d}" for index in range(4)]
