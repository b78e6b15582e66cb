"""The commands: one line for what is wrong, and what they say when all is well."""

import json
from pathlib import Path

import pytest
import torch

from masklab.archive import Archive
from tests.conftest import Cli

from . import samples


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return samples.save(tmp_path, "model_best.pth", samples.checkpoint(1))


def test_import_show_export(cli: Cli, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, err = cli("import", checkpoint, "--out", out, "--prune-rate", 0.25, "--population", "hn")
    assert (code, err) == (0, "")
    done = "hn: 1 mask imported (hidden-networks), 0 already there; not known: seeds, accuracy"
    assert text.startswith(f"{out}: {done}")
    assert Archive(out).rows[0]["kept_density"] == pytest.approx(0.25, abs=0.01)
    again = cli("import", checkpoint, "--out", out, "--prune-rate", 0.25, "--population", "hn")[1]
    assert "0 masks imported (hidden-networks), 1 already there" in again
    code, text, _ = cli("show", out)
    assert code == 0
    assert "imported: hn: hidden-networks, model_best.pth; not known: seeds, accuracy" in text
    assert "network and data unknown" in text
    shown = json.loads(cli("show", out, "--json")[1])
    assert (shown["network"], shown["data"], shown["members"][0]["accuracy"]) == (None, None, None)
    assert shown["populations"][0]["imported"]["files"][0]["name"] == "model_best.pth"
    code, text, _ = cli("export", out, "hn/0000", "-o", tmp_path / "m.safetensors")
    assert (code, text) == (0, f"{tmp_path / 'm.safetensors'}\n")
    code, _, err = cli("export", out, "hn/0000", "-o", tmp_path / "m.safetensors")
    assert (code, err.count("\n")) == (2, 1)
    assert cli("export", out, "hn/0000", "-o", tmp_path / "m.safetensors", "--force")[0] == 0
    assert cli("export", out, "hn/0000", "-o", tmp_path / "s.pt", "--format", "state-dict")[0] == 0
    assert set(torch.load(tmp_path / "s.pt", weights_only=True)) == {f"{n}.weight" for n in samples.SHAPES}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "nowhere.pth", "--out", "out"], "nowhere.pth does not exist"),
        (["import", ".", "--out", "out"], "Is a directory"),
        (["import", "model_best.pth", "--out", "out"], "give --density, or --prune-rate"),
        (["import", "model_best.pth", "--out", ""], "the name of a place is empty"),
        (["import", "model_best.pth", "--out", "out", "--format", "keras"], "unknown format 'keras'"),
        (["export", "nowhere", "p/0000", "-o", "x.npz"], "nowhere is not a directory"),
        (["export", "nowhere", "p/0000", "-o", "x.txt"], "the suffix names no format"),
        (["reproduce", "nowhere", "p/0000"], "nowhere is not a directory"),
    ],
)
def test_wrong_use_is_one_line(
    cli: Cli,
    checkpoint: Path,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [checkpoint]
