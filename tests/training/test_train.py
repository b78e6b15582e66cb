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
from masklab.errors import ArchiveError, ConfigError
from masklab.training import engines, plan, rebuild
from tests.conftest import TinyStudy, member_bytes

Train = Callable[..., Any]


def test_every_pruner_stores_members_that_rebuild_to_their_predictions(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    of = tiny(*({"pruner": name} for name in pruners.names()))
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
    assert facts["options"] == {"period": 1, "rate": 0.2}
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


def test_a_finished_study_is_left_alone(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "edge-popup"})
    train(of, tmp_path)
    before = {
        file: (file.stat().st_mtime_ns, file.read_bytes()) for file in tmp_path.rglob("*") if file.is_file()
    }
    outcome = train(of, tmp_path)
    assert (outcome.written, outcome.present) == ([], 2)
    assert before == {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in tmp_path.rglob("*") if f.is_file()}


def test_a_study_grows_and_keeps_every_old_file(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    train(tiny({"pruner": "edge-popup"}), tmp_path)
    before = member_bytes(tmp_path)
    grown = tiny({"pruner": "edge-popup", "members": 5}, {"pruner": "biprop", "density": 0.25})
    assert len(train(grown, tmp_path).written) == 5
    after = member_bytes(tmp_path)
    assert before.items() <= after.items()
    assert len(after) == 7
    train(tiny({"pruner": "biprop+iterand"}), tmp_path)  # a study that names only what is new
    record = json.loads((tmp_path / "study.json").read_text())
    names = {population["name"]: population["members"] for population in record["populations"]}
    assert names == {"edge-popup-d0.5": 5, "biprop-d0.25": 2, "biprop+iterand-d0.5": 2}
    assert masklab.open(tmp_path).members.shape[0] == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": {"epochs": 5}}, r"training\.epochs is 4 there, 5 here"),
        ({"network": {"width": 0.1}}, r"network\.width is 0\.05 there, 0\.1 here"),
        ({"seeds": {"study": 9}}, r"seeds\.study is 0 there, 9 here"),
        ({"data": {"validation_fraction": 0.5}}, r"data\.validation_fraction"),
    ],
)
def test_another_recipe_is_refused_and_nothing_is_changed(
    tiny: TinyStudy, train: Train, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    train(tiny({"pruner": "edge-popup"}), tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ConfigError, match=message):
        train(tiny({"pruner": "edge-popup"}, **change), tmp_path)
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


def test_another_population_under_the_same_name_is_refused(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    train(tiny({"pruner": "edge-popup+recycle", "name": "p"}), tmp_path)
    with pytest.raises(ConfigError, match=r"population 'p' .* options\.rate is 0\.2 there, 0\.1 here"):
        train(tiny({"pruner": "edge-popup+recycle", "name": "p", "rate": 0.1}), tmp_path)


def test_a_damaged_member_is_named_and_kept(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "edge-popup"})
    train(of, tmp_path)
    path = tmp_path / "members/edge-popup-d0.5/0001.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ArchiveError, match=r"0001\.safetensors has \d+ bytes; its header promises \d+"):
        train(of, tmp_path)
    assert path.exists()


def test_missing_members_come_back_with_the_same_bytes(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "biprop+iterand", "members": 5})
    train(of, tmp_path)
    before = member_bytes(tmp_path)
    for index in (0, 3):
        (tmp_path / f"members/biprop+iterand-d0.5/{index:04d}.safetensors").unlink()
    assert len(train(of, tmp_path).written) == 2
    assert member_bytes(tmp_path) == before


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


def test_the_plan_is_obeyed_and_another_device_refused(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "edge-popup", "members": 8})
    train(of, tmp_path)
    stored = json.loads((tmp_path / "plan.json").read_text())
    assert [cohort["indices"] for cohort in stored["cohorts"]] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    record = json.loads((tmp_path / "study.json").read_text())
    with pytest.raises(ConfigError, match="was made for device 'cpu', now 'cuda'"):
        plan.read_or_make(tmp_path, record, "cuda")
    for damaged, message in (
        ([], "field 'schema' is missing"),
        ({**stored, "device": 3}, "field 'device' is missing or not a str"),
        ({**stored, "engine": "warp"}, "is not a plan of this masklab"),
        ({**stored, "cohorts": [{**stored["cohorts"][0], "indices": [0, 0, 999]}]}, "names members that"),
        ({**stored, "cohorts": [{"id": "x"}]}, "field 'population' is missing"),
    ):
        (tmp_path / "plan.json").write_text(json.dumps(damaged))
        with pytest.raises(ArchiveError, match=message):
            train(of, tmp_path)
    (tmp_path / "plan.json").unlink()
    with pytest.raises(ArchiveError, match=r"holds members but no plan\.json"):
        train(of, tmp_path)


def test_a_plan_for_a_gpu_needs_one(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    of = tiny({"pruner": "edge-popup"})
    train(of, tmp_path)
    stored = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**stored, "device": "cuda"}))
    (tmp_path / "members/edge-popup-d0.5/0000.safetensors").unlink()
    with pytest.raises(ConfigError, match="torch sees no usable GPU"):
        train(of, tmp_path, device="auto")


def test_another_torch_version_is_noted(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "edge-popup"})
    train(of, tmp_path)
    stored = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**stored, "torch": "1.0"}))
    (tmp_path / "members/edge-popup-d0.5/0000.safetensors").unlink()
    assert len(train(of, tmp_path).written) == 1
    record = json.loads((tmp_path / "study.json").read_text())
    assert [warning["code"] for warning in record["warnings"]] == ["torch-version"]
    assert len(record["provenance"]["earlier"]) == 1


def test_an_edited_recipe_is_noticed(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "edge-popup"})
    train(of, tmp_path)
    text = (tmp_path / "study.json").read_text()
    (tmp_path / "study.json").write_text(text.replace('"learning_rate": 0.1', '"learning_rate": 0.2'))
    for read in (lambda: train(of, tmp_path), lambda: masklab.open(tmp_path)):
        with pytest.raises(ArchiveError, match="was edited"):
            read()


def test_an_override_that_repeats_the_recipe_is_none(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    train(tiny({"pruner": "edge-popup"}), tmp_path)
    again = train(tiny({"pruner": "edge-popup", "weight_init": "kaiming-normal"}), tmp_path)
    assert again.present == 2


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


def test_cohorts_shrink_where_their_state_is_large() -> None:
    def members(device: str, *shapes: list[int]) -> int:
        layers = [{"size": int(np.prod(shape)), "shape": shape} for shape in shapes]
        data, training = {"input_shape": [3, 32, 32]}, {"batch_size": 128}
        return plan.cohort_members(
            {"network": {"layers": layers}, "data": data, "training": training}, device
        )

    assert members("cpu", [4000, 10_000]) == 1
    assert members("cpu", [10, 100]) == 6
    assert members("cuda", [16, 3, 3, 3], [16, 16, 3, 3]) == 64
    assert 1 < members("cuda", [64, 3, 3, 3], [64, 64, 3, 3], [256, 4096]) < 64
