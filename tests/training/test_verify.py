"""`masklab verify`: whatever is wrong in a directory is named, in one line each, with exit code 1."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import masklab
from masklab import stages
from masklab.archive import catalogue, container, directory, files
from masklab.training import verify

from ..archive import changed
from ..conftest import Cli, TinyStudy

Damage = Callable[[Path], object]


@pytest.fixture(name="trained", scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """A study of two populations with three members each."""
    from masklab import study

    out = tmp_path_factory.mktemp("verify") / "out"
    population = {"density": 0.5, "members": 3}
    of = study.build(
        {
            "study": {"name": "tiny"},
            "data": {"name": "imagefolder", "path": str(images), "validation_fraction": 0.25},
            "network": {"name": "mlp", "width": 0.05},
            "training": {"epochs": 4, "batch_size": 16},
            "population": [{"pruner": pruner, **population} for pruner in ("biprop", "edge-popup+iterand")],
        }
    )
    stages.train(of, out, jobs=1, device="cpu", engine="vmap")
    return out


@pytest.fixture(name="out")
def _out(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "out"))


def _member(out: Path, population: str = "biprop-d0.5", index: int = 1) -> Path:
    return out / "members" / population / f"{index:04d}.safetensors"


def test_a_sound_directory_has_no_problem(trained: Path, cli: Cli) -> None:
    code, out, err = cli("verify", trained, "--jobs", 1)
    assert (code, out) == (0, "6 member files checked, 6 rebuilt and compared: no problem\n")
    assert "verify 6 members" in err
    code, out, _ = cli("verify", trained, "--jobs", 2, "--sample", 2)
    assert (code, out) == (0, "6 member files checked, 2 rebuilt and compared: no problem\n")
    code, out, _ = cli("verify", trained, "--jobs", 1, "--sample", 0)
    assert (code, out) == (0, "6 member files checked, 0 rebuilt and compared: no problem\n")


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def _predictions(document: dict[str, Any], tensors: dict[str, np.ndarray], number: int) -> None:
    """Other classes for some images, with an accuracy that fits them."""
    predicted = tensors["prediction/class"].copy()
    predicted[:number] = 1 - predicted[:number]
    tensors["prediction/class"] = predicted


def _analysis(out: Path, name: str, content: bytes) -> None:
    (out / "analysis").mkdir()
    (out / "analysis" / name).write_bytes(content)


def _lie(out: Path) -> None:
    """A catalogue with a fitting checksum that gives a member another accuracy."""
    rows = masklab.open(out).rows
    accuracy = json.dumps(rows[1]["accuracy"]).encode()
    path = out / catalogue.NAME
    before, entry, after = path.read_bytes().partition(b"\n")[2].partition(b'"biprop-d0.5/0001"')
    assert b'"accuracy": ' + accuracy in after
    rest = before + entry + after.replace(b'"accuracy": ' + accuracy, b'"accuracy": 0.99999', 1)
    path.write_bytes(container.digest(rest).encode() + b"\n" + rest)


def _say(path: Path, **fields: Any) -> None:
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, **fields}))


DAMAGES: dict[str, tuple[Damage, list[str]]] = {
    "a bit in a header": (lambda out: _flip(_member(out), 100), ["0001.safetensors: damaged header"]),
    "the last bit": (lambda out: _flip(_member(out), -1), ["0001.safetensors: tensor", "is damaged"]),
    "cut short": (
        lambda out: _member(out).write_bytes(_member(out).read_bytes()[:-3]),
        ["0001.safetensors has", "its header promises"],
    ),
    "gone": (
        lambda out: _member(out).unlink(),
        ["biprop-d0.5/0001.safetensors is missing (neither stored nor failed)"],
    ),
    "another member's": (
        lambda out: _member(out).write_bytes(_member(out, index=2).read_bytes()),
        ["0001.safetensors holds member biprop-d0.5/0002, not biprop-d0.5/0001"],
    ),
    "predictions": (
        lambda out: changed.rewrite(_member(out), lambda doc, own: _predictions(doc, own, 9)),
        ["predictions give accuracy", "0001.safetensors: rebuilt, it predicts other classes for "],
    ),
    "fewer predictions": (
        lambda out: changed.rewrite(
            _member(out), lambda _, own: own.update({"prediction/class": own["prediction/class"][:-1]})
        ),
        ["0001.safetensors: 31 predictions for 32 test images"],
    ),
    "a network of the member's own": (
        lambda out: changed.rewrite(_member(out), lambda doc, _: doc["network"].update(name="evil:f")),
        ["0001.safetensors names network 'evil:f', study.json 'mlp'"],
    ),
    "an unknown gate": (
        lambda out: changed.rewrite(_member(out), lambda doc, _: doc.update(gate="nope")),
        ["0001.safetensors: unknown", "'nope'"],
    ),
    "an evaluation that nobody can repeat": (
        lambda out: changed.rewrite(_member(out), lambda doc, _: doc["evaluation"].update(batch_size=0)),
        ["0001.safetensors: evaluation.batch_size is 0; allowed: 1 to"],
    ),
    "another device": (
        lambda out: changed.rewrite(_member(out), lambda doc, _: doc["evaluation"].update(device="tpu")),
        ["0001.safetensors: unknown device 'tpu'"],
    ),
    "no accuracy": (
        lambda out: changed.rewrite(_member(out), lambda doc, _: doc["accuracy"].update(best="x")),
        ["0001.safetensors: incomplete description"],
    ),
    "arrays of the analysis": (
        lambda out: _analysis(out, "overlap.npz", b"PK not really"),
        ["overlap.npz is damaged"],
    ),
    "a table of the analysis": (
        lambda out: _analysis(out, "members.csv", b"a\xff"),
        ["members.csv is not UTF-8"],
    ),
    "the page": (
        lambda out: (out / "report.html").write_text("<html><body>cut"),
        ["report.html is cut short"],
    ),
    "the catalogue": (
        lambda out: _lie(out),  # noqa: PLW0108  defined below
        [".catalogue says other things than", "0001.safetensors; delete it"],
    ),
    "a foreign file": (
        lambda out: (_member(out).parent / "notes.txt").write_text("x"),
        ["notes.txt does not belong in a folder of members"],
    ),
    "a wrong number": (
        lambda out: _member(out).rename(_member(out).with_name("00001.safetensors")),
        ["00001.safetensors does not belong in a folder of members", "0001.safetensors is missing"],
    ),
    "a foreign folder": (
        lambda out: (out / "members" / "other").mkdir(),
        ["members/other is no population of the study"],
    ),
    "a failure's record": (
        lambda out: _member(out).with_name("0001.failed.json").write_text("{"),
        ["0001.failed.json is not JSON"],
    ),
    "an empty record": (
        lambda out: _member(out).with_name("0001.failed.json").write_text("{}"),
        ["0001.failed.json", "'cause'"],
    ),
    "the study": (lambda out: (out / "study.json").write_text("{}"), ["study.json is not a masklab study"]),
    "no study": (lambda out: (out / "study.json").unlink(), ["study.json does not exist"]),
    "an edited study": (
        lambda out: _say(out / "study.json", training={}),
        ["study.json", "training"],
    ),
    "the plan": (lambda out: (out / "plan.json").write_text("nothing"), ["plan.json is not JSON"]),
    "no plan": (lambda out: (out / "plan.json").unlink(), ["plan.json does not exist"]),
    "another plan": (lambda out: (out / "plan.json").write_text("[]"), ["plan.json", "'schema'"]),
    "results": (
        lambda out: _analysis(out, "results.json", b"[1,"),
        ["results.json is not JSON"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_wrong_is_named(out: Path, cli: Cli, damage: str) -> None:
    harm, said = DAMAGES[damage]
    harm(out)
    code, printed, err = cli("verify", out, "--jobs", 1)
    assert code == 1, (printed, err)
    *lines, summary = printed.splitlines()
    for words in said:
        assert any(words in line for line in lines), printed
    assert all(str(out) in line for line in lines)
    assert summary.endswith(f"{len(lines)} problem{'' if len(lines) == 1 else 's'}")
    assert "Traceback" not in err


def test_every_damaged_file_is_named_at_once(out: Path) -> None:
    for index in (0, 2):
        _flip(_member(out, index=index), -1)
    _member(out, "edge-popup+iterand-d0.5", 0).write_bytes(b"")
    found = stages.verify(out, jobs=2)
    assert len(found.problems) == 3
    assert (found.checked, found.compared) == (6, 3)


def test_without_a_study_the_files_are_still_read(out: Path) -> None:
    (out / "study.json").unlink()
    _flip(_member(out), -1)
    found = stages.verify(out, jobs=1)
    assert found.checked == 6
    assert [problem.count("is damaged") for problem in found.problems] == [1, 0]
    assert "no predictions were compared" in found.notes[0]


def test_what_a_killed_process_left_is_no_problem(out: Path) -> None:
    (_member(out).parent / ".masklab-00000000-1-x.tmp").write_bytes(b"half")
    found = stages.verify(out, jobs=1, sample=0)
    assert found.problems == []
    assert "was left by a process that was killed" in found.notes[0]


def test_failures_on_record_are_counted(out: Path) -> None:
    _member(out).unlink()
    record = {"cause": "loss became infinite", "step": 3}
    files.write_json(directory.failure_path(out, "biprop-d0.5", 1), record)
    found = stages.verify(out, jobs=1, sample=0)
    assert (found.problems, found.failed, found.checked) == ([], 1, 5)
    assert "1 failure on record" in found.text()


def test_without_the_data_nothing_is_compared_and_that_is_said(out: Path, images: Path) -> None:
    _say(out / "study.json", data={**files.read_json(out / "study.json")["data"], "path": str(images / "no")})
    found = stages.verify(out, jobs=1)
    assert (found.problems, found.checked, found.compared) == ([], 6, 0)
    assert "no predictions were compared" in found.notes[0]


def test_a_directory_that_is_not_there_is_a_usage_error(tmp_path: Path, cli: Cli) -> None:
    code, out, err = cli("verify", tmp_path / "no")
    assert (code, out) == (2, "")
    assert "no does not exist" in err
    (tmp_path / "empty").mkdir()
    code, out, err = cli("verify", tmp_path / "empty")
    assert code == 1
    assert "study.json does not exist" in out


@pytest.mark.parametrize(("sample", "chosen"), [(0, 0), (1, 1), (2, 2), (5, 5), (9, 9), (10, 10), (-1, 10)])
def test_the_sample_is_spread_over_populations_and_members(sample: int, chosen: int) -> None:
    stored = [("a", index) for index in range(7)] + [("b", index) for index in range(3)]
    found = verify._chosen(stored, sample)
    assert len(found) == len(set(found)) == chosen
    assert set(found) <= set(stored)
    if 2 <= chosen < 10:
        assert {name for name, _ in found} == {"a", "b"}


NETWORK = """
from pathlib import Path
from torch import nn

Path({here!r}).joinpath("ran").touch()


def net(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], classes))
"""


def test_the_code_of_a_network_runs_only_where_it_is_trusted(
    tiny: TinyStudy, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "verified_net.py").write_text(NETWORK.format(here=str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    network = {"name": "verified_net:net", "width": 1.0}
    train(tiny({"pruner": "biprop"}, network=network), tmp_path / "out", engine="loop")
    (tmp_path / "ran").unlink()
    monkeypatch.delitem(sys.modules, "verified_net")
    found = stages.verify(tmp_path / "out", jobs=1)
    assert (found.problems, found.checked, found.compared) == ([], 2, 0)
    assert "network verified_net:net is code of its own, which --trust runs" in found.notes[0]
    assert not (tmp_path / "ran").exists()
    found = stages.verify(tmp_path / "out", jobs=1, trust=True)
    assert (found.problems, found.compared) == ([], 2)
    assert (tmp_path / "ran").exists()
