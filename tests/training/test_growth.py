"""What a directory allows: growth, resuming, the plan, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import masklab
from masklab.errors import ArchiveError, ConfigError
from masklab.training import plan
from tests.conftest import TinyStudy, member_bytes

Train = Callable[..., Any]


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


def never(record: dict[str, Any], planned: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError("a plan that exists is not measured again")


def test_the_plan_is_obeyed_and_another_device_refused(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    of = tiny({"pruner": "edge-popup", "members": 8})
    train(of, tmp_path)
    stored = json.loads((tmp_path / "plan.json").read_text())
    assert [cohort["indices"] for cohort in stored["cohorts"]] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    record = json.loads((tmp_path / "study.json").read_text())
    for wishes, message in (
        (plan.Wishes(device="cuda"), "was made for device 'cpu', now 'cuda'"),
        (plan.Wishes(engine="loop"), "was made for engine 'vmap', now 'loop'"),
        (plan.Wishes(precision="bf16"), "was made for precision 'fp32', now 'bf16'"),
    ):
        with pytest.raises(ConfigError, match=message):
            plan.read_or_make(tmp_path, record, wishes, never)
    for damaged, message in (
        ([], "field 'schema' is missing"),
        ({**stored, "device": 3}, "field 'device' is missing or not a str"),
        ({**stored, "engine": "warp"}, "is not a plan of this masklab"),
        ({**stored, "precision": "fp8"}, "is not a plan of this masklab"),
        ({**stored, "schema": 1}, "is of an older masklab"),
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
    for earlier in (1, 2):  # said once, however often it is so
        (tmp_path / "members/edge-popup-d0.5/0001.safetensors").unlink()
        train(of, tmp_path)
        record = json.loads((tmp_path / "study.json").read_text())
        assert [warning["code"] for warning in record["warnings"]] == ["torch-version"]
        assert len(record["provenance"]["earlier"]) == earlier


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
