"""Dask: a scheduler and workers as separate processes, with the study on an S3 server."""

import operator
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from masklab import parallel, stages, study
from masklab.archive import files
from masklab.parallel import on_dask
from tests.conftest import Cli
from tests.remote.conftest import Server

from . import processes
from .conftest import FLAGS, MEMBERS, TRAINED, Checkpoints, Example, left_checkpoints
from .processes import Program


class Cluster:
    """A scheduler and its workers.

    Args:
        folder: For what they write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "scheduler.json"
        command = processes.dask(
            "scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", self.file
        )
        self.scheduler = Program(command, folder / "scheduler.log")
        self.workers: list[Program] = []

    def add(self) -> Program:
        """One worker more."""
        folder = self._folder / f"worker{len(self.workers)}"
        command = processes.dask_worker(folder, "--scheduler-file", self.file)
        self.workers.append(Program(command, folder.with_suffix(".log")))
        return self.workers[-1]

    def end(self) -> None:
        """End all of them."""
        with processes.together(self.scheduler, *self.workers):
            pass


@pytest.fixture(scope="module")
def cluster(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that knows where the server is."""
    made = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        made.scheduler.wait_for(made.file.exists)
        made.add()
        made.add()
        yield made
    finally:
        made.end()


def test_workers_are_killed_in_the_middle_of_a_cohort_till_none_is_left_and_one_comes(
    cluster: Cluster, server: Server, example: Example, tmp_path: Path
) -> None:
    url, seen = server.bucket("dask") + "/study", Checkpoints(server)
    for worker in cluster.workers:
        worker.wait_for(lambda worker=worker: "Registered to" in worker.said)
    where = ("--backend", "dask", "--address", cluster.file, "--out", url)
    with Program(processes.masklab("train", example.file, *where, *FLAGS), tmp_path / "log") as run:
        run.wait_for(lambda: seen.half_way(2))
        cluster.workers[0].process.send_signal(signal.SIGKILL)
        run.wait_for(lambda: seen.half_way(1) and seen.read)  # the other one went on with what was lost
        cluster.workers[1].process.send_signal(signal.SIGKILL)
        cluster.add()
        assert run.end() == 0, run.said
    seen.look()
    assert f"{MEMBERS} members trained, 0 already there" in run.said
    assert "Traceback" not in run.said
    assert example.stored(files.location(url)) == example.members
    assert left_checkpoints(files.location(url)) == {}


def test_a_cohort_that_fails_is_told_once_and_the_others_are_trained(
    cluster: Cluster, server: Server, quick: Path, cli: Cli
) -> None:
    url, (lost, *_) = server.bucket("refused") + "/study", TRAINED
    command = ("train", quick, "--out", url, "--backend", "dask", "--address", cluster.file, *FLAGS)
    with server.failing(refused=f"members/{lost}"):
        code, out, err = cli(*command)
    assert code == 1
    assert f"{url}: 6 members trained, 0 already there, 2 not trained" in out
    (told,) = [line for line in err.splitlines() if lost in line]
    assert told.startswith(f"not trained: {lost}/0000 and 1 more: ")
    assert "Forbidden" in told or "denied" in told
    code, out, err = cli(*command)
    assert (code, f"{url}: 2 members trained, 6 already there" in out) == (0, True), err


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.total = 0

    def note(self, text: str) -> None:
        pass

    def begin(self, stage: str, total: int) -> None:
        self.total += total

    def advance(self, done: int) -> None:
        self.done.append(done)

    def end(self) -> None:
        pass


def test_progress_of_workers_is_heard_while_they_train(
    cluster: Cluster, example: Example, tmp_path: Path
) -> None:
    heard, only = Heard(), study.read(example.file, {"training.epochs": "60"})
    one = only.model_copy(update={"population": only.population[:1]})
    stages.train(
        one,
        tmp_path,
        listener=heard,
        backend="dask",
        address=str(cluster.file),
        device="cpu",
        engine="vmap",
    )
    assert heard.total == 2 * 60
    assert heard.done == sorted(heard.done)
    assert len({done for done in heard.done if 0 < done < heard.total}) >= 2
    assert heard.done[-1] == heard.total


def test_an_error_of_a_task_is_its_own(cluster: Cluster) -> None:
    with parallel.opened(parallel.Workers("dask", str(cluster.file))) as pool:
        assert pool.slots == sum(worker.process.poll() is None for worker in cluster.workers)
        found = {o.number: o for o in pool.outcomes(operator.truediv, [(1,), (0,), (2,)], (4,))}
    assert {number: outcome.value for number, outcome in found.items()} == {0: 4.0, 1: None, 2: 2.0}
    assert str(found[1].error).startswith("ZeroDivisionError: division by zero (")


def test_nobody_listens(quick: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_dask, "_CONNECT_S", 1)
    command = ("train", quick, "--out", tmp_path / "out", "--backend", "dask", *FLAGS, "--address")
    code, _, err = cli(*command, "127.0.0.1:9")
    assert code == 2
    assert err.splitlines()[-1].startswith("masklab: no Dask scheduler answers at 127.0.0.1:9 (")
    code, _, err = cli(*command, tmp_path / "none.json")
    assert code == 2
    assert "none.json (no such file)" in err.splitlines()[-1]
