"""Workers that cannot be, or may not work."""

import subprocess
import sys
from pathlib import Path

import pytest

from masklab.parallel import task
from tests.conftest import Cli

from .conftest import FLAGS

_WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
sys.argv = ["masklab", *sys.argv[2:]]
from masklab_cli import app
app.main()
"""


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--address", "127.0.0.1:9"), "--address is of a cluster; give --backend dask or --backend ray"),
        (("--backend", "slurm"), "unknown backend 'slurm'; known: dask, loky, ray"),
    ],
)
def test_workers_that_do_not_exist(
    quick: Path, tmp_path: Path, cli: Cli, options: tuple[str, ...], text: str
) -> None:
    code, _, err = cli("train", quick, "--out", tmp_path / "out", *options)
    assert code == 2
    assert err.startswith(f"masklab: {text}")
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("module", "backend"), [("distributed", "dask"), ("ray", "ray")])
def test_an_engine_that_is_not_installed(quick: Path, tmp_path: Path, module: str, backend: str) -> None:
    arguments = ("train", quick, "--out", tmp_path / "out", "--backend", backend, *FLAGS)
    command = [sys.executable, "-c", _WITHOUT, module, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    wanted = f"masklab: --backend {backend} needs more: pip install 'masklab[{backend}]' ("
    assert ran.stderr.splitlines()[-1].startswith(wanted)
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("package", ["masklab", "torch", "numpy"])
def test_a_worker_with_other_versions_does_nothing(package: str) -> None:
    here = task.versions()
    called: list[int] = []
    other = task.Origin(versions={**here, package: "0.0.1"})
    outcome = task.attempt(other, 7, called.append, (1,))
    assert (outcome.number, outcome.value, called) == (7, None, [])
    assert f"has {package} {here[package]}, here it is 0.0.1; masks would differ" in str(outcome.error)
    assert task.attempt(task.Origin(), 7, max, (1, 2)).value == 2
