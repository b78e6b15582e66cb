"""Ray: a cluster of two nodes, with the study on an S3 server."""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from masklab.archive import files
from tests.remote.conftest import Server

from . import processes
from .conftest import FLAGS, MEMBERS, Checkpoints, Example, left_checkpoints
from .processes import Program

_POOL = """
import operator, sys
from masklab import parallel
with parallel.opened(parallel.Workers("ray", sys.argv[1])) as pool:
    for found in pool.outcomes(operator.truediv, [(1,), (0,), (2,)], (4,)):
        print(found.number, found.value, found.error, flush=True)
    print("slots", pool.slots)
"""


class Cluster:
    """Two nodes of one core each, as separate programs.

    Args:
        folder: For what they say.
        environment: With which all of its programs run.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.environment = environment
        head = processes.ray_node("--head", "--port", 0, "--include-dashboard", "false")
        self.nodes = [Program(head, folder / "head.log", environment)]
        self._file = Path(environment["RAY_TMPDIR"]) / "ray" / "ray_current_cluster"
        self._folder = folder

    def add(self) -> None:
        """Wait for the head and add the other node."""
        self.nodes[0].wait_for(lambda: "Ray runtime started" in self.nodes[0].said)
        node = processes.ray_node("--address", self.address)
        self.nodes.append(Program(node, self._folder / "node.log", self.environment))
        self.nodes[1].wait_for(lambda: "Ray runtime started" in self.nodes[1].said)

    @property
    def address(self) -> str:
        """Host and port of the head."""
        return self._file.read_text().strip()

    def workers(self) -> list[int]:
        """Processes that run a task."""
        return [number for node in self.nodes for number in node.numbers("ray::attempt")]


@pytest.fixture(scope="module")
def cluster(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that knows where the server is, and lets nobody in who has not its token."""
    short = tempfile.mkdtemp(prefix="mlr", dir="/tmp")  # paths of sockets are at most 107 long
    settings = {
        "RAY_TMPDIR": short,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(16),
    }
    made = Cluster(tmp_path_factory.mktemp("ray"), {**os.environ, **settings})
    try:
        made.add()
        yield made
    finally:
        with ExitStack() as stack:
            for node in made.nodes:
                stack.enter_context(node)
        shutil.rmtree(short, ignore_errors=True)


def test_a_worker_is_killed_in_the_middle_of_a_cohort(
    cluster: Cluster, server: Server, example: Example, tmp_path: Path
) -> None:
    url, seen = server.bucket("ray") + "/study", Checkpoints(server)
    where = ("--backend", "ray", "--address", cluster.address, "--out", url)
    command = processes.masklab("train", example.file, *where, *FLAGS)
    with Program(command, tmp_path / "log", cluster.environment) as run:
        run.wait_for(lambda: seen.half_way(1))
        killed = cluster.workers()
        for worker in killed:  # nobody knows which of them trains what
            os.kill(worker, signal.SIGKILL)
        assert run.end() == 0, run.said
    seen.look()
    assert f"{MEMBERS} members trained, 0 already there" in run.said
    assert "Traceback" not in run.said
    assert killed
    assert seen.read  # the lost cohort went on from its checkpoint
    assert example.stored(files.location(url)) == example.members
    assert left_checkpoints(files.location(url)) == {}


def test_an_error_of_a_task_is_its_own(cluster: Cluster, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _POOL, cluster.address]
    with Program(command, tmp_path / "log", cluster.environment) as pool:
        assert pool.end() == 0, pool.said
    lines = sorted(line for line in pool.said.splitlines() if line[:1] in "012s")
    assert lines[0] == "0 4.0 None"
    assert lines[1].startswith("1 None ZeroDivisionError: division by zero")
    assert lines[2:] == ["2 2.0 None", "slots 2"]


def test_nobody_listens_or_lets_us_in(cluster: Cluster, quick: Path, tmp_path: Path) -> None:
    command = processes.masklab("train", quick, "--out", tmp_path / "out", "--backend", "ray", *FLAGS)
    with Program([*command, "--address", "127.0.0.1:9"], tmp_path / "nobody") as run:
        assert run.end() == 2
    assert run.said.splitlines()[-1].startswith("masklab: no Ray cluster answers at 127.0.0.1:9 (")
    stranger = {**cluster.environment, "RAY_AUTH_MODE": "disabled", "RAY_NUM_REDIS_GET_RETRIES": "2"}
    with Program([*command, "--address", cluster.address], tmp_path / "stranger", stranger) as run:
        assert run.end() == 2
    assert "(it wants another token; set RAY_AUTH_MODE=token" in run.said.splitlines()[-1]
