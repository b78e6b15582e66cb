"""Two hosts, of which one is cut off in the middle of its work: network namespaces, joined by a cable."""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.remote.conftest import SERVER

from . import onlooker, processes
from .conftest import FLAGS, MEMBERS, Example
from .processes import Program

ADDRESSES = ("10.77.0.1", "10.77.0.2")


class Hosts:
    """Two hosts.

    Attributes:
        names: Their namespaces.
        environment: What programs on both are given.
    """

    def __init__(self) -> None:
        self.names = [f"masklab-{os.getpid()}-{place}" for place in "ab"]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "something",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def make(self) -> None:
        """Make both and the cable."""
        first, second = self.names
        for name in self.names:
            _ip("netns", "add", name)
        _ip("link", "add", "cable", "netns", first, "type", "veth", "peer", "name", "cable", "netns", second)
        for name, address in zip(self.names, ADDRESSES, strict=True):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")
            _ip("-n", name, "link", "set", "lo", "up")

    def cut(self) -> None:
        """Cut the second host off."""
        _ip("-n", self.names[1], "link", "set", "cable", "down")

    def remove(self) -> None:
        """Remove both, as far as they are there."""
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    def command(self, host: int, command: list[Any]) -> list[Any]:
        """A command line that runs on a host."""
        return ["ip", "netns", "exec", self.names[host], *command]

    def start(self, host: int, command: list[Any], log: Path, **settings: str) -> Program:
        """Start a program on a host."""
        return Program(self.command(host, command), log, {**self.environment, **settings})

    def serve(self) -> "subprocess.Popen[str]":
        """Start an S3 server on the first host, which programs on both are told."""
        process = subprocess.Popen(
            self.command(0, [sys.executable, SERVER, ADDRESSES[0]]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        self.environment["AWS_ENDPOINT_URL"] = f"http://{ADDRESSES[0]}:{process.stdout.readline().strip()}"
        return process


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Two hosts and an S3 server on the first one."""
    if not sys.platform.startswith("linux") or shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need Linux, the command ip and root")
    made = Hosts()
    try:
        try:
            made.make()
        except OSError as error:
            pytest.skip(f"no network namespaces here: {error}")
        with made.serve() as server:
            yield made
            server.kill()
    finally:
        made.remove()


@dataclass(frozen=True)
class Engine:
    """An engine that runs on two hosts.

    Attributes:
        address: Of its cluster.
        settings: Environment of whoever uses it.
        workers: How many it has.
        help: Adds a worker on the first host, if it has none.
    """

    address: str
    settings: dict[str, str]
    workers: int
    help: Callable[[], None]


def dask(hosts: Hosts, folder: Path, stack: ExitStack) -> Engine:
    """A scheduler that misses a worker after some seconds, and a worker on each host."""
    file = folder / "scheduler.json"
    where = ("--port", 0, "--no-dashboard", "--scheduler-file", file)
    command = processes.dask("scheduler", "--host", ADDRESSES[0], *where)
    patience = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "3s"}
    scheduler = stack.enter_context(hosts.start(0, command, folder / "scheduler.log", **patience))
    scheduler.wait_for(file.exists)
    for host, address in enumerate(ADDRESSES):
        command = processes.dask_worker(folder / f"worker{host}", "--scheduler-file", file, "--host", address)
        worker = stack.enter_context(hosts.start(host, command, folder / f"worker{host}.log"))
        worker.wait_for(lambda worker=worker: "Registered to" in worker.said)
    return Engine(str(file), {}, len(ADDRESSES), lambda: None)


def ray(hosts: Hosts, folder: Path, stack: ExitStack) -> Engine:
    """A head that misses a node after some seconds and runs no task, and a node on the other host."""
    short = tempfile.mkdtemp(prefix="mlr", dir="/tmp")  # paths of sockets are at most 107 long
    stack.callback(shutil.rmtree, short, ignore_errors=True)
    settings = {"RAY_TMPDIR": short, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    settings |= {f"RAY_grpc_client_keepalive_{name}_ms": "2000" for name in ("time", "timeout")}
    patience = {f"RAY_health_check_{name}_ms": "1000" for name in ("initial_delay", "period", "timeout")}
    patience["RAY_health_check_failure_threshold"] = "3"
    address = f"{ADDRESSES[0]}:6379"

    def node(host: int, log: str, *arguments: object, cores: int = 1) -> None:
        where = (*arguments, "--node-ip-address", ADDRESSES[host])
        command = processes.ray_node(*where, cores=cores)
        started = stack.enter_context(hosts.start(host, command, folder / log, **settings, **patience))
        started.wait_for(lambda: "Ray runtime started" in started.said)

    node(0, "head.log", "--head", "--port", 6379, "--include-dashboard", "false", cores=0)
    node(1, "lost.log", "--address", address)
    return Engine(address, settings, 1, lambda: node(0, "late.log", "--address", address))


@pytest.mark.parametrize("engine", [dask, ray], ids=["dask", "ray"])
def test_a_host_is_cut_off_in_the_middle_of_a_cohort(
    hosts: Hosts,
    example: Example,
    tmp_path: Path,
    engine: Callable[[Hosts, Path, ExitStack], Engine],
) -> None:
    name = engine.__name__
    with ExitStack() as stack:
        made = engine(hosts, tmp_path, stack)
        endpoint, over = hosts.environment["AWS_ENDPOINT_URL"], tmp_path / "over"
        command = [sys.executable, onlooker.__file__, endpoint, "hosts", made.workers, over]
        looks = stack.enter_context(hosts.start(0, command, tmp_path / "onlooker.log"))
        looks.wait_for(lambda: "ready" in looks.said)
        where = ("--backend", name, "--address", made.address, "--out", "s3://hosts/study")
        command = processes.masklab("train", example.file, *where, *FLAGS)
        run = stack.enter_context(hosts.start(0, command, tmp_path / "log", **made.settings))
        run.wait_for(lambda: "half way" in looks.said)
        hosts.cut()
        made.help()
        assert run.end() == 0, run.said
        over.touch()
        assert looks.end() == 0, looks.said
    found = json.loads(looks.said.splitlines()[-1])
    assert f"{MEMBERS} members trained, 0 already there" in run.said
    assert "Traceback" not in run.said
    assert found["members"] == {
        path: hashlib.sha256(content).hexdigest() for path, content in example.members.items()
    }
    assert len(found["resumed"]) == 1  # what the lost host had begun went on elsewhere
