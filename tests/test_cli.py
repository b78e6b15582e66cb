"""The command line: every wrong input is one line and exit code 2; nothing stored is lost."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli, member_bytes


@pytest.fixture
def study(tmp_path: Path, images: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(
        f"""
[study]
name = "tiny"
[data]
name = "imagefolder"
path = "{images}"
[network]
name = "mlp"
width = 0.05
[training]
epochs = 4
batch_size = 16
[[population]]
pruner = "biprop+recycle"
density = 0.5
members = 2
"""
    )
    return path


def train(cli: Cli, study: Path, out: Path, *more: object) -> tuple[int, str, str]:
    return cli("train", study, "--out", out, "--jobs", 1, "--device", "cpu", *more)


def test_train_show_and_train_again(cli: Cli, study: Path, tmp_path: Path) -> None:
    code, out, err = train(cli, study, tmp_path / "out")
    assert (code, out) == (0, f"{tmp_path / 'out'}: 2 members trained, 0 already there\n")
    assert "train 2 members" in err
    assert train(cli, study, tmp_path / "out")[1].endswith("0 members trained, 2 already there\n")
    code, out, _ = cli("show", tmp_path / "out")
    assert code == 0
    assert "biprop+recycle-d0.5/0001" in out
    code, out, _ = cli("show", tmp_path / "out", "--json")
    shown = json.loads(out)
    assert [row["id"] for row in shown["members"]] == ["biprop+recycle-d0.5/0000", "biprop+recycle-d0.5/0001"]
    assert shown["populations"][0]["stored"] == 2
    assert shown["populations"][0]["refresh_events"] == 2


def test_options_multiply(cli: Cli, images: Path, tmp_path: Path) -> None:
    code, out, err = cli(
        *("train", "--data", f"imagefolder:{images}", "--network", "mlp", "--width", 0.05, "--members", 1),
        *("--pruner", "edge-popup", "--pruner", "biprop", "--density", "0.50", "--density", 0.1),
        *("--epochs", 1, "--out", tmp_path / "out", "--jobs", 1, "--set", "training.batch_size=16"),
    )
    assert code == 0, err
    assert "4 members trained" in out
    populations = json.loads((tmp_path / "out/study.json").read_text())["populations"]
    assert [p["name"] for p in populations] == [
        "edge-popup-d0.50",
        "edge-popup-d0.1",
        "biprop-d0.50",
        "biprop-d0.1",
    ]


def test_set_replaces_a_field(cli: Cli, study: Path, tmp_path: Path) -> None:
    assert train(cli, study, tmp_path / "out", "--set", "training.epochs=3")[0] == 0
    assert json.loads((tmp_path / "out/study.json").read_text())["training"]["epochs"] == 3


WRONG: list[tuple[list[str], str]] = [
    (["train", "nowhere.toml"], "study file nowhere.toml does not exist"),
    (["train"], "give a study file, or at least one --pruner and one --density"),
    (["train", "--pruner", "biprob", "--density", "0.5"], "did you mean 'biprop'?"),
    (["train", "--pruner", "biprop", "--density", "half"], "--density"),
    (["train", "--pruner", "biprop", "--density", "1.5"], "density"),
    (["train", "--pruner", "biprop", "--density", "nan"], "finite number, got nan"),
    (["train", "--pruner", "biprop", "--density", "0.5", "--members", "0"], "members"),
    (["train", "--pruner", "biprop", "--density", "0.5", "--network", "conv3"], "unknown network 'conv3'"),
    (["train", "--pruner", "biprop", "--density", "0.5", "--network", "conv8"], "at least 16×16 would do"),
    (["train", "--pruner", "biprop", "--density", "0.5", "--data", "digit"], "did you mean 'digits'?"),
    (
        ["train", "--pruner", "biprop", "--density", "0.5", "--data", "imagefolder:nowhere"],
        "nowhere is not a folder",
    ),
    (["train", "--pruner", "biprop", "--density", "0.5", "--set", "training.epoch=1"], "'training.epochs'"),
    (["train", "--pruner", "biprop", "--density", "0.5", "--set", "epochs"], "expected FIELD=VALUE"),
    (["train", "--pruner", "biprop", "--density", "0.5", "--device", "tpu"], "unknown device 'tpu'"),
    (["train", "--pruner", "biprop+recycle", "--density", "0.9"], "only"),
    (["analyze", "nowhere"], "nowhere is not a directory"),
    (["report", "nowhere"], "nowhere"),
    (["report", "a", "b"], "-o FILE"),
    (["show", "."], "study.json does not exist"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_input_is_one_line_and_code_2(
    cli: Cli, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(*arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["trian"], ["train", "--wdith", "1"], ["show"], ["run"]])
def test_usage_errors_are_code_2(cli: Cli, arguments: list[str]) -> None:
    code, _, err = cli(*arguments)
    assert code == 2
    assert "Traceback" not in err


def test_a_study_file_and_options_do_not_mix(cli: Cli, study: Path) -> None:
    code, _, err = cli("train", study, "--epochs", 3)
    assert code == 2
    assert "give a study file or --epochs, not both" in err


def test_another_study_in_the_directory_is_refused(cli: Cli, study: Path, tmp_path: Path) -> None:
    train(cli, study, tmp_path / "out")
    before = member_bytes(tmp_path / "out")
    code, _, err = train(cli, study, tmp_path / "out", "--set", "training.learning_rate=0.2")
    assert code == 2
    assert "training.learning_rate is 0.1 there, 0.2 here" in err
    assert member_bytes(tmp_path / "out") == before


@pytest.mark.parametrize("verb", ["show", "analyze"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"GIF89a" + b, lambda _: b""])
def test_a_damaged_member_is_one_line(
    cli: Cli, study: Path, tmp_path: Path, verb: str, damage: Callable[[bytes], bytes]
) -> None:
    train(cli, study, tmp_path / "out")
    path = tmp_path / "out/members/biprop+recycle-d0.5/0000.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    code, _, err = cli(verb, tmp_path / "out")
    assert code == 2
    assert str(path) in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_foreign_member_file_is_one_line(cli: Cli, study: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    train(cli, study, tmp_path / "out")
    path = tmp_path / "out/members/biprop+recycle-d0.5/0000.safetensors"
    import numpy as np

    save_file({"weight": np.ones(3, np.float32)}, path)
    code, _, err = cli("show", tmp_path / "out")
    assert code == 2
    assert "not a masklab member file" in err


def test_a_full_disk_is_one_line(
    cli: Cli, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(cli, study, tmp_path / "out")
    before = member_bytes(tmp_path / "out")
    honest = os.fsync

    def full(handle: int) -> None:
        if "members" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        honest(handle)

    monkeypatch.setattr(os, "fsync", full)
    study.write_text(study.read_text().replace("members = 2", "members = 4"))
    code, _, err = train(cli, study, tmp_path / "out")
    assert code == 2
    assert "No space left on device" in err.splitlines()[-1]
    assert member_bytes(tmp_path / "out") == before
    monkeypatch.undo()
    assert list((tmp_path / "out").rglob("*.tmp")) == []


def test_failed_members_give_code_1(cli: Cli, study: Path, tmp_path: Path) -> None:
    code, out, err = train(cli, study, tmp_path / "out", "--set", "training.learning_rate=3e38")
    assert code == 1
    assert "2 failed" in out
    assert "failed: biprop+recycle-d0.5/0001" in err
    code, out, _ = cli("show", tmp_path / "out")
    assert code == 0
    assert "not finite" in out


def test_a_study_whose_training_failed_still_gets_its_page(cli: Cli, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, _ = cli("run", study, "--out", out, "--jobs", 1, "--set", "training.learning_rate=3e38")
    assert code == 1
    assert printed.endswith(f"{out / 'report.html'}\n")
    page = (out / "report.html").read_text()
    assert "the scores are not finite" in page
    assert "biprop+recycle-d0.5/0001" in page


def test_a_grown_study_gets_a_new_page(cli: Cli, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def run() -> str:
        assert cli("run", study, "--out", out, "--jobs", 1, "--set", "analysis.interpolation_pairs=0")[0] == 0
        return (out / "report.html").read_text()

    assert "biprop+recycle-d0.5/0002" not in run()
    study.write_text(study.read_text().replace("members = 2", "members = 3"))
    train(cli, study, out, "--set", "analysis.interpolation_pairs=0")
    _, _, err = cli("report", out)
    assert "the analysis is not that of the present members" in err
    cli("analyze", out, "--jobs", 1)  # results are new, the page is not
    assert "biprop+recycle-d0.5/0002" in run()
    assert "up to date" in cli("run", study, "--out", out, "--set", "analysis.interpolation_pairs=0")[2]


def test_large_seeds_reach_every_stage(cli: Cli, study: Path, tmp_path: Path) -> None:
    study.write_text(study.read_text().replace("members = 2", "members = 5"))
    more = ("--set", f"seeds.study={2**63 - 1}", "--set", "analysis.interpolation_pairs=1")
    code, _, err = cli("run", study, "--out", tmp_path / "out", "--jobs", 1, *more)
    assert code == 0, err


@pytest.mark.parametrize(
    ("name", "folder"), [("...", "study"), ("<a>/b", "-a--b"), ("..\\x", "-x"), ("é", "é")]
)
def test_default_directories_stay_in_runs(name: str, folder: str) -> None:
    from masklab import stages
    from masklab import study as studies

    made = studies.build({"study": {"name": name}, "population": [{"pruner": "biprop", "density": 0.5}]})
    assert stages.default_directory(made) == Path("runs") / folder


def test_an_empty_out_is_refused(cli: Cli, study: Path) -> None:
    code, _, err = cli("train", study, "--out", "")
    assert code == 2
    assert "--out is empty" in err


def test_pruners_lists_every_name_rule_option_and_source(cli: Cli) -> None:
    from masklab import pruners

    _, out, _ = cli("pruners")
    for name in pruners.names():
        assert name in out
        for part in pruners.describe(name):
            assert part.rule in out
            assert part.source in out
            assert all(option in out for option in part.options)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['masklab', '--help']\n"
        "from masklab_cli import app\n"
        "try: app.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pydantic', 'sklearn', 'umap', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "analyze" in result.stdout
