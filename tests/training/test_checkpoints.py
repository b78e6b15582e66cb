"""An interrupted training goes on from its checkpoint and writes the same bytes."""

import logging
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from masklab import pruners, study
from masklab.archive import container, files
from masklab.errors import ArchiveError, MasklabError
from masklab.training import checkpoint, cohort
from tests.conftest import TinyStudy, member_bytes
from tests.training.conftest import Gradients

Train = Callable[..., Any]

EPOCHS, STEPS = 4, 3
"""Of the tiny study: 48 training images in batches of 16."""

TRAINED = [n for n in pruners.names() if "of" not in pruners.options_type(n).model_fields and n != "random"]

KINDS: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
    **{name: ({"pruner": name, "density": 1.0 if name == "dense" else 0.5}, {}) for name in TRAINED},
    "adam": ({"pruner": "biprop+recycle"}, {"training": {"optimizer": "adam"}}),
    "adam-dense": ({"pruner": "dense", "density": 1.0}, {"training": {"optimizer": "adam"}}),
    "global": (
        {"pruner": "edge-popup+iterand", "density": 0.2},
        {"training": {"selection": "global", "augment": "crop-flip"}},
    ),
    "steps": ({"pruner": "biprop+iterand", "period_steps": 2}, {"training": {"schedule": "cosine-step"}}),
    "snapshots": ({"pruner": "biprop"}, {"study": {"snapshots": [0, 1, 3, 4]}}),
    "norm": (
        {"pruner": "biprop+recycle"},
        {"network": {"name": "resnet18", "batchnorm": "learned"}, "training": {"warmup_epochs": 1}},
    ),
    "norm-dense": ({"pruner": "dense", "density": 1.0}, {"network": {"name": "resnet18"}}),
    "dropout": ({"pruner": "edge-popup"}, {"network": {"name": "dropping_net:make", "width": 1.0}}),
}


@pytest.fixture(autouse=True)
def _every_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Checkpoints as often as they are asked for, and a network of the user's own in the current folder."""
    monkeypatch.setattr(checkpoint, "_COST", 0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dropping_net.py").write_text(
        textwrap.dedent("""
            from torch import nn

            def make(input_shape, classes):
                return nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.Dropout(0.5), nn.Linear(9, classes))
        """)
    )


def _of(tiny: TinyStudy, kind: str, **tables: dict[str, Any]) -> study.Study:
    population, changes = KINDS[kind]
    return tiny({**population, "members": 1 if kind.startswith("norm") else 2}, **{**changes, **tables})


def _engine(kind: str) -> dict[str, Any]:
    return {"engine": "loop" if kind.startswith(("norm", "dropout")) else "vmap"}


MORE = ("edge-popup+recycle", "biprop+iterand", "global", "steps", "snapshots", "dropout")


@pytest.mark.parametrize(
    ("kind", "at"), [*((kind, 8) for kind in KINDS), *((kind, at) for kind in MORE for at in (2, 5))]
)
def test_an_interrupted_step_changes_no_byte(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients, kind: str, at: int
) -> None:
    """Interrupted in the first epoch, in the middle of the second, and in the third (after a refresh)."""
    of, how = _of(tiny, kind), _engine(kind)
    train(of, tmp_path / "whole", **how)
    per_step = gradients.calls // (EPOCHS * STEPS)
    assert gradients.calls == EPOCHS * STEPS * per_step
    gradients.calls, gradients.fail_at = 0, at * per_step
    with pytest.raises(MasklabError, match="RuntimeError: interrupted on purpose"):
        train(of, tmp_path / "out", checkpoint_s=0.0, **how)
    (name,) = (path.name for path in (tmp_path / "out/checkpoints").glob("*.checkpoint"))
    assert name == f"{of.population[0].name}-0000.checkpoint"
    gradients.calls = gradients.fail_at = 0
    train(of, tmp_path / "out", checkpoint_s=0.0, **how)
    assert gradients.calls == (EPOCHS * STEPS - (at - 1)) * per_step  # not one step twice
    assert member_bytes(tmp_path / "out") == member_bytes(tmp_path / "whole")
    assert not (tmp_path / "out/checkpoints").exists()


@pytest.mark.parametrize("kind", ["biprop+recycle", "snapshots", "global", "magnitude"])
def test_an_interruption_between_two_epochs_changes_no_byte(
    tiny: TinyStudy,
    train: Train,
    tmp_path: Path,
    gradients: Gradients,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    of = _of(tiny, kind)
    train(of, tmp_path / "whole")
    for done in range(1, EPOCHS + 1):  # four runs, each of which gets one epoch further

        def stop(epoch: int, total: int, at: int = done) -> None:
            if epoch == at:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(cohort, "file_progress", lambda path, stop=stop: stop)
            with pytest.raises(KeyboardInterrupt):
                train(of, tmp_path / "out", checkpoint_s=0.0)
        assert len(list((tmp_path / "out/checkpoints").glob("*.checkpoint"))) == 1
    gradients.calls = 0
    train(of, tmp_path / "out", checkpoint_s=0.0)
    assert gradients.calls == 1  # the checkpoint inside the last epoch is the last one
    assert member_bytes(tmp_path / "out") == member_bytes(tmp_path / "whole")


def test_precision_bf16_resumes_too(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients
) -> None:
    of = _of(tiny, "biprop+iterand")
    train(of, tmp_path / "whole", precision="bf16")
    gradients.calls, gradients.fail_at = 0, 8
    with pytest.raises(MasklabError, match="RuntimeError: interrupted on purpose"):
        train(of, tmp_path / "out", checkpoint_s=0.0, precision="bf16")
    gradients.calls = gradients.fail_at = 0
    train(of, tmp_path / "out")
    assert gradients.calls == EPOCHS * STEPS - 7
    assert member_bytes(tmp_path / "out") == member_bytes(tmp_path / "whole")
    train(of, tmp_path / "other")
    assert member_bytes(tmp_path / "other") != member_bytes(tmp_path / "whole")


def test_a_failed_member_stays_failed(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients
) -> None:
    of, failures = _of(tiny, "biprop"), []
    for out, fail_at in (("whole", 0), ("out", 8)):
        gradients.calls, gradients.fail_at, gradients.spoil = 0, fail_at, 0
        if fail_at:
            with pytest.raises(MasklabError, match="RuntimeError: interrupted on purpose"):
                train(of, tmp_path / out, checkpoint_s=0.0)
            gradients.fail_at, gradients.spoil = 0, None
        outcome = train(of, tmp_path / out, checkpoint_s=0.0)
        assert outcome.failed == ["biprop-d0.5/0000"]
        failures.append((tmp_path / out / "members/biprop-d0.5/0000.failed.json").read_bytes())
    assert failures[0] == failures[1]
    assert member_bytes(tmp_path / "out") == member_bytes(tmp_path / "whole")


def _interrupted(of: study.Study, train: Train, out: Path, gradients: Gradients, at: int = 8) -> Path:
    gradients.calls, gradients.fail_at = 0, at
    with pytest.raises(MasklabError, match="RuntimeError: interrupted on purpose"):
        train(of, out, checkpoint_s=0.0)
    gradients.calls = gradients.fail_at = 0
    (path,) = (out / "checkpoints").glob("*.checkpoint")
    return path


def _flipped(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def _rewritten(data: bytes, path: Path, **changes: Any) -> bytes:
    """A checkpoint with another document, every checksum right."""
    path.write_bytes(data)
    reader = container.Reader(path)
    tensors = {name: reader.tensor(name) for name in reader.names() if name not in changes.get("without", ())}
    document = {**reader.document, **changes, "tensors": container.describe(tensors)}
    return container.encode({key: value for key, value in document.items() if value != "gone"}, tensors)


DAMAGES: dict[str, tuple[Callable[[bytes, Path], bytes], str]] = {
    "flipped": (lambda data, path: _flipped(data), "is damaged"),
    "truncated": (lambda data, path: data[:-10], "its header promises"),
    "short": (lambda data, path: data[:100], "ends inside its header"),
    "empty": (lambda data, path: b"", "is not a member file"),
    "garbage": (lambda data, path: b"\x07" * 500, "header of"),
    "foreign": (lambda data, path: _rewritten(data, path, checkpoint={"engine": "warp"}), "another recipe"),
    "lacking": (lambda data, path: _rewritten(data, path, without=["layer0/scores"]), "layer0/scores"),
    "headless": (lambda data, path: _rewritten(data, path, history="gone"), "incomplete"),
    "odd": (lambda data, path: _rewritten(data, path, history={"loss": 3}), "incomplete"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_that_cannot_be_used_is_put_aside(
    tiny: TinyStudy,
    train: Train,
    tmp_path: Path,
    gradients: Gradients,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    of = _of(tiny, "biprop+recycle")
    train(of, tmp_path / "whole")
    path = _interrupted(of, train, tmp_path / "out", gradients)
    change, message = DAMAGES[damage]
    path.write_bytes(change(path.read_bytes(), tmp_path / "copy"))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        train(of, tmp_path / "out")
    (record,) = caplog.records
    assert message in record.message
    assert record.message.endswith("; the cohort starts again")
    assert gradients.calls == EPOCHS * STEPS
    assert member_bytes(tmp_path / "out") == member_bytes(tmp_path / "whole")
    assert not path.exists()


@pytest.mark.parametrize(
    "other", [{"training": {"learning_rate": 0.2}}, {"study": {"snapshots": [1]}}, {"seeds": {"study": 1}}]
)
def test_the_checkpoint_of_another_study_is_not_used(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients, other: dict[str, Any]
) -> None:
    path = _interrupted(_of(tiny, "biprop"), train, tmp_path / "out", gradients)
    of = _of(tiny, "biprop", **other)
    train(of, tmp_path / "whole")
    (tmp_path / "new/checkpoints").mkdir(parents=True)
    (tmp_path / "new/checkpoints" / path.name).write_bytes(path.read_bytes())
    gradients.calls = 0
    train(of, tmp_path / "new")
    assert gradients.calls == EPOCHS * STEPS
    assert member_bytes(tmp_path / "new") == member_bytes(tmp_path / "whole")


def test_one_file_per_cohort_at_any_time(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = tiny({"pruner": "biprop", "members": 8}, {"pruner": "random"})
    seen, save = [], checkpoint.File.save

    def saved(self: checkpoint.File, trainer: cohort.Trainer) -> None:
        save(self, trainer)
        names = sorted(path.name for path in (tmp_path / "checkpoints").glob("*.checkpoint"))
        seen.append([name for name in names if not name.endswith(".progress")])

    monkeypatch.setattr(checkpoint.File, "save", saved)
    train(of, tmp_path, checkpoint_s=0.0)
    per_cohort = EPOCHS * STEPS - 1  # after every step but the last one
    assert (
        seen
        == [["biprop-d0.5-0000.checkpoint"]] * per_cohort + [["biprop-d0.5-0004.checkpoint"]] * per_cohort
    )
    assert not (tmp_path / "checkpoints").exists()


def test_checkpoints_are_as_rare_as_they_are_asked_to_be(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: checkpoint.File, trainer: cohort.Trainer) -> None:
        raise AssertionError("too early")

    monkeypatch.setattr(checkpoint.File, "save", never)
    assert len(train(_of(tiny, "biprop"), tmp_path, checkpoint_s=3600.0).written) == 2


def test_a_full_disk_does_not_stop_the_training(
    tiny: TinyStudy,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    of, honest = _of(tiny, "biprop"), files.write_atomic

    def full(path: Path, data: bytes) -> None:
        if path.suffix == ".checkpoint":
            raise ArchiveError(f"cannot write {path}: No space left on device")
        honest(path, data)

    train(of, tmp_path / "whole")
    monkeypatch.setattr(files, "write_atomic", full)
    train(of, tmp_path / "out", checkpoint_s=0.0)
    assert member_bytes(tmp_path / "out") == member_bytes(tmp_path / "whole")
    assert len(caplog.records) == EPOCHS * STEPS - 1
    assert all(record.message.startswith("no checkpoint: cannot write ") for record in caplog.records)


def test_what_a_kill_after_the_last_member_left_is_removed(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients
) -> None:
    """The members are written before their checkpoint goes; a kill in between must not leave it for ever."""
    of = _of(tiny, "biprop")
    path = _interrupted(of, train, tmp_path / "out", gradients)
    left = path.read_bytes()
    train(of, tmp_path / "out")
    path.parent.mkdir()
    path.write_bytes(left)
    assert train(of, tmp_path / "out").written == []
    assert not path.parent.exists()
