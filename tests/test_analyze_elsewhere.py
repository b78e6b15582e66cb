"""An analysis in shards, on workers of a cluster, or stopped by a signal has the results of one in one go."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from masklab import parallel, stages
from masklab.archive import Archive
from masklab.landscape import budget
from masklab.progress import Silent
from masklab.stages import sharing
from tests.conftest import Cli
from tests.landscape import contexts

_MASKLAB = (sys.executable, "-m", "masklab_cli.app")
_OPTIONS = ("--budget", "60000", "--device", "cpu")


def _results(out: Path) -> Any:
    found = json.loads((out / "analysis/results.json").read_text())
    del found["created"], found["study"]["provenance"]
    return found


def _tree(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three members: too few to embed, which takes longest."""
    populations = [{"pruner": "edge-popup", "members": 2}, {"pruner": "biprop", "members": 1}]
    settings = {"interpolation_points": 101, "path_orders": 40}
    out = tmp_path_factory.mktemp("elsewhere") / "study"
    return contexts.trained(images, out, populations, seeds={"weights": 1}, analysis=settings)


@pytest.fixture
def out(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "study")


@pytest.fixture(scope="module")
def plain(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What an analysis in one go finds."""
    copy = shutil.copytree(trained, tmp_path_factory.mktemp("plain") / "study")
    stages.analyze(copy, jobs=1, budget=budget.Budget(evaluations=60_000), device="cpu")
    return _results(copy)


def test_shards_in_any_order_are_put_together(cli: Cli, out: Path, plain: Any) -> None:
    def shard(number: int) -> tuple[int, str, str]:
        return cli("analyze", out, "--shard", f"{number}/3", "--jobs", number, *_OPTIONS)

    code, said, _ = shard(2)
    assert code == 0 and said.startswith(f"{out}: shard 2/3 computed 1 tile and ")
    assert shard(2)[1] == f"{out}: shard 2/3 computed 0 tiles (1 there already) and " + (
        f"0 pieces ({said.split()[-5]} there already) of the landscape\n"
    )
    assert shard(3)[0] == 0
    before = _tree(out)
    code, said, err = cli("analyze", out, "--merge", *_OPTIONS)
    assert (code, said) == (1, "")
    tiles, pieces = err.splitlines()[-2:]
    assert tiles.startswith("tiles: 1 of 3 missing (number 1); run the shards that are missing")
    assert pieces.startswith("pieces of the landscape: ") and "missing (number 1, 4, " in pieces
    assert _tree(out) == before and "analysis/results.json" not in before
    assert shard(1)[0] == 0
    damaged = max((out / "analysis/tiles").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-30])
    code, _, err = cli("analyze", out, "--merge", *_OPTIONS)
    assert code == 1 and err.splitlines()[-1].startswith("tiles: 1 of 3 missing (number 3); ")
    assert "1 tile (" not in shard(3)[1]
    assert cli("analyze", out, "--merge", *_OPTIONS)[0] == 0
    assert _results(out) == plain
    assert not {"tiles", "landscape"} & {path.name for path in (out / "analysis").iterdir()}


def test_what_makes_no_sense_is_one_line(cli: Cli, out: Path) -> None:
    before = _tree(out)
    for wrong, text in (
        (("--shard", "1/2", "--merge"), "give --shard for each part, or --merge once all are there"),
        (("--shard", "3/2"), "--shard 3/2: expected i/n"),
        (("--backend", "slurm"), "unknown backend 'slurm'"),
    ):
        code, _, err = cli("analyze", out, *wrong)
        assert code == 2 and text in err and len(err.splitlines()) == 1
    assert _tree(out) == before


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_workers_of_a_cluster_give_the_same_results(out: Path, plain: Any, backend: str) -> None:
    command = [*_MASKLAB, "analyze", str(out), "--backend", backend, "--jobs", "2", *_OPTIONS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0 and "a worker failed" not in done.stderr, done.stderr
    assert done.stderr.count("landscape …") == 2  # on the workers, and here with nothing left to do
    assert _results(out) == plain


def test_what_workers_cannot_do_is_told_once_and_stays_missing(out: Path) -> None:
    heard: list[str] = []

    class Told(Silent):
        def note(self, text: str) -> None:
            heard.append(text)

    plan = stages.plan_landscape(out, budget=budget.Budget(evaluations=60_000), device="cpu")
    parts = sharing.Parts(Archive(out), 2**26, plan)
    everything = parts.missing()
    assert everything == parts.number and len(everything.tiles) == 3 and len(everything.pieces) > 8
    next(out.glob("members/biprop*/*.safetensors")).unlink()
    sharing.on_workers(parts, parallel.Workers(jobs=1), Told())
    assert len(heard) == 2
    assert heard[0].startswith("analyze: compare all pairs: a worker failed") and "other members" in heard[0]
    assert heard[1].startswith("landscape: a worker failed") and "another landscape" in heard[1]
    assert parts.missing().pieces == everything.pieces


def test_a_signal_keeps_what_was_evaluated(out: Path) -> None:
    says_often = "from masklab_cli import app, progress; progress._EVERY_S = 0.0; app.main()"
    command = [sys.executable, "-c", says_often, "analyze", str(out), "--device", "cpu", "--jobs", "1"]
    command += ["--budget", "100_000_000"]

    def begun(least: int) -> tuple["subprocess.Popen[str]", int]:
        """A process, and how many percent of the landscape there are when it first tells of so many."""
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stderr is not None
        told = (re.match(r"landscape: (\d+) %", line) for line in process.stderr)
        return process, next(int(own[1]) for own in told if own and int(own[1]) >= least)

    first, before = begun(20)
    with first:
        first.terminate()
        _, err = first.communicate(timeout=120)
    assert first.returncode == 128 + signal.SIGTERM and before < 80
    assert err.splitlines()[-1].startswith("masklab: stopped by SIGTERM; the same command goes on")
    kept = list((out / "analysis/landscape").glob("*.npz"))
    assert kept and not (out / "analysis/results.json").exists()
    second, after = begun(0)
    with second:
        second.communicate(timeout=120)
    assert second.returncode == 0 and after >= before
    assert (out / "analysis/results.json").exists() and not (out / "analysis/landscape").exists()
