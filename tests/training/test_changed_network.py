"""The file of a user's network has changed since: growth, reproduction, rebuilding and checkpoints."""

import json
import logging
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import masklab
from masklab import stages
from masklab.errors import ConfigError, MasklabError
from masklab.training import checkpoint
from tests.conftest import Cli, TinyStudy, member_bytes
from tests.training.conftest import Gradients

Train = Callable[..., Any]

SOURCE = """
from torch import nn

def make(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.ReLU(), nn.Linear(9, classes))
"""
CHANGED = SOURCE + "\n# another file, though the same network\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a network of the user's own, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / f"own_{uuid.uuid4().hex}.py"
    path.write_text(SOURCE)
    yield path
    sys.modules.pop(path.stem, None)


def named(module: Path) -> dict[str, Any]:
    return {"name": f"{module.stem}:make", "width": 1.0}


def test_growth_is_refused_until_the_file_is_back(
    tiny: TinyStudy, train: Train, tmp_path: Path, module: Path
) -> None:
    out, network = tmp_path / "out", named(module)
    train(tiny({"pruner": "biprop"}, network=network), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    grown = tiny({"pruner": "biprop", "members": 3}, network=network)
    module.write_text(CHANGED)
    with pytest.raises(ConfigError, match=rf"the file of network '{module.stem}:make' is not the one"):
        train(grown, out)
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    train(grown, tmp_path / "another")
    module.write_text(SOURCE)
    assert train(grown, out).written == ["biprop-d0.5/0002"]


def test_a_refused_growth_is_one_line(
    tiny: TinyStudy, train: Train, tmp_path: Path, module: Path, images: Path, cli: Cli
) -> None:
    path = tmp_path / "s.toml"
    text = (
        f"data = {{name = 'imagefolder:{images}', validation_fraction = 0.25}}\n"
        f"network = {{name = '{module.stem}:make'}}\ntraining = {{epochs = 1, batch_size = 16}}\n"
        "[[population]]\npruner = 'biprop'\ndensity = 0.5\nmembers = "
    )
    path.write_text(f"{text}1\n")
    command = ("train", path, "--out", tmp_path / "out", "--jobs", 1, "--device", "cpu", "--engine", "vmap")
    assert cli(*command)[0] == 0
    path.write_text(f"{text}2\n")
    module.write_text(CHANGED)
    code, _, err = cli(*command)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "put it back, or give another --out" in err


def test_reproduction_says_so(tiny: TinyStudy, train: Train, tmp_path: Path, module: Path, cli: Cli) -> None:
    train(tiny({"pruner": "biprop", "name": "b"}, network=named(module)), tmp_path / "out")
    assert stages.reproduce(tmp_path / "out", "b/0000").circumstances == []
    module.write_text(CHANGED)
    said = f"the file of {module.stem}:make is not the one that it was trained with"
    verdict = stages.reproduce(tmp_path / "out", "b/0000")
    assert verdict.identical
    assert verdict.circumstances == [said]
    code, text, _ = cli("reproduce", tmp_path / "out", "b/0001")
    assert code == 0
    assert f"bit-identical, 594 mask bits in 2 layers ({said})" in text


def test_a_rebuilt_network_warns(tiny: TinyStudy, train: Train, tmp_path: Path, module: Path) -> None:
    train(tiny({"pruner": "biprop", "name": "b"}, network=named(module)), tmp_path / "out")
    archive = masklab.open(tmp_path / "out")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        archive.network("b/0000")
    module.write_text(CHANGED)
    with pytest.warns(
        UserWarning, match=rf"0000\.safetensors: the file of network {module.stem}:make"
    ) as said:
        archive.network("b/0000")
    assert len(said) == 1


def test_a_builtin_network_has_no_file(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    train(tiny({"pruner": "biprop", "name": "b"}), tmp_path)
    assert json.loads((tmp_path / "study.json").read_text())["network_source"] is None
    assert masklab.open(tmp_path).member("b/0000").facts["network_source"] is None


def test_the_checkpoint_of_another_file_is_not_used(
    tiny: TinyStudy,
    train: Train,
    tmp_path: Path,
    module: Path,
    gradients: Gradients,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(checkpoint, "_COST", 0)
    of = tiny({"pruner": "biprop", "name": "b"}, network=named(module))
    gradients.fail_at = 8  # the first call is that of the measurement
    with pytest.raises(MasklabError, match="RuntimeError: interrupted on purpose"):
        train(of, tmp_path / "out", checkpoint_s=0.0)
    (left,) = (tmp_path / "out/checkpoints").glob("*.checkpoint")
    for text, calls in ((CHANGED, 1 + 12), (SOURCE, 1 + 12 - 6)):
        module.write_text(text)
        folder = tmp_path / str(calls) / "checkpoints"
        folder.mkdir(parents=True)
        (folder / left.name).write_bytes(left.read_bytes())
        gradients.calls = gradients.fail_at = 0
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            train(of, folder.parent)
        assert gradients.calls == calls
        assert [record.message.rpartition(";")[2] for record in caplog.records] == (
            [" the cohort starts again"] if text == CHANGED else []
        )
    same, changed = (masklab.open(tmp_path / str(calls)) for calls in (7, 13))
    for name in same.ids:  # the network is the same, so the masks are; the file that made it is on record
        assert same.member(name).facts["digest"] == changed.member(name).facts["digest"]
    assert member_bytes(tmp_path / "7") != member_bytes(tmp_path / "13")
