"""Processes that train into one directory at once: nothing is trained twice, nothing is lost."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from masklab import stages
from masklab.archive import directory, files

from ..conftest import TinyStudy, member_bytes


def _start(images: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "masklab_cli.app", "train", "--data", f"imagefolder:{images}"]
    for pruner in ("biprop", "edge-popup", "biprop+recycle"):
        command += ["--pruner", pruner]
    command += ["--density", "0.5", "--network", "mlp", "--width", "0.05"]
    command += ["--members", "3", "--epochs", "150"]
    command += ["--set", "training.batch_size=16", "--device", "cpu", "--engine", "vmap", "--jobs", "1"]
    return subprocess.Popen(
        [*command, "--out", str(out), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_started_together_train_every_member_once(images: Path, tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    both = [_start(images, together) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    counts = [re.search(r"(\d+) members trained, (\d+) already there", out) for out, _ in said]
    trained = [int(found[1]) for found in counts if found]
    assert sum(trained) == 9, said
    assert [int(found[1]) + int(found[2]) for found in counts if found] == [9, 9]
    assert all(trained), said  # they worked side by side
    assert all(name in err for (_, err), name in zip(said, ("train 9", "train 9"), strict=True)), said
    _start(images, alone).communicate(timeout=120)
    assert member_bytes(together) == member_bytes(alone)
    assert not (together / directory.CHECKPOINTS).exists()


def test_failures_are_forgotten_once_before_they_are_tried_again(
    tiny: TinyStudy, train: Any, tmp_path: Path
) -> None:
    of, out = tiny({"pruner": "biprop", "members": 2}), tmp_path / "out"
    train(of, out)
    lost = directory.member_path(out, "biprop-d0.5", 1)
    whole = files.read(lost)
    files.remove(lost)
    files.write_json(directory.failure_path(out, "biprop-d0.5", 1), {"cause": "planted", "step": 3})
    outcome = train(of, out)
    assert (outcome.written, outcome.present, outcome.failed) == ([], 1, ["biprop-d0.5/0001"])
    outcome = train(of, out, retry_failed=True)
    assert (outcome.written, outcome.present, outcome.failed) == (["biprop-d0.5/0001"], 1, [])
    assert files.read(lost) == whole
    assert not files.exists(directory.failure_path(out, "biprop-d0.5", 1))


def test_what_is_written_twice_has_equal_bytes(tiny: TinyStudy, train: Any, tmp_path: Path) -> None:
    of, out = tiny({"pruner": "biprop+iterand", "members": 2}), tmp_path / "out"
    train(of, out)
    before = member_bytes(out)
    for path in list(Path(out).rglob("*.safetensors")):
        path.unlink()
    stages.train(of, out, jobs=1, device="cpu", engine="vmap")
    assert member_bytes(out) == before
    np.testing.assert_equal(len(before), 2)
