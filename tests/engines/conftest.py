"""A study of some seconds, its members as one process trains them, and a server to train on."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from masklab.archive import directory, files
from tests.conftest import member_bytes
from tests.remote.conftest import Server, environment, running_server, server

from . import processes

__all__ = ["environment", "running_server", "server"]

_STUDY = """
[data]
name = "digits"
[network]
name = "mlp"
width = 0.1
[training]
epochs = {epochs}
batch_size = 32
"""
_POPULATION = '[[population]]\npruner = "{}"\ndensity = {}\nmembers = 2\n'
TRAINED = ("biprop+recycle-d0.5", "edge-popup+iterand-d0.3", "edge-popup-d0.5")
MEMBERS = 8

FLAGS = ("--device", "cpu", "--engine", "vmap", "--checkpoint", "0.3")


@dataclass
class Example:
    """A study, and its members as one process trains them.

    Attributes:
        file: The study.
        members: Path inside a directory → content of a member's file.
    """

    file: Path
    members: dict[str, bytes]

    def stored(self, out: files.Location) -> dict[str, bytes]:
        """The same members as a directory has them."""
        if isinstance(out, Path):
            return member_bytes(out)
        folders = {str(Path(path).parent) for path in self.members}
        return {
            f"{folder}/{name}": files.read(out / folder / name)
            for folder in folders
            for name in files.listing(out / folder)
        }


def write(folder: Path, epochs: int) -> Path:
    """A study of four populations, of which one is made from another's members."""
    text = _STUDY.format(epochs=epochs)
    text += "".join(_POPULATION.format(*name.rsplit("-d", 1)) for name in TRAINED)
    text += '[[population]]\npruner = "shuffled"\nof = "edge-popup-d0.5"\nmembers = 2\n'
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A study whose cohorts last some seconds."""
    folder = tmp_path_factory.mktemp("example")
    file = write(folder, epochs=24)
    command = processes.masklab("train", file, "--out", folder / "out", "--jobs", 1, *FLAGS)
    with processes.Program(command, folder / "log") as serial:
        assert serial.end() == 0, serial.said
    members = member_bytes(folder / "out")
    assert len(members) == MEMBERS
    return Example(file, members)


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same study with four epochs."""
    return write(tmp_path_factory.mktemp("quick"), epochs=4)


@dataclass
class Checkpoints:
    """Checkpoints that a server is given from now on, by cohort.

    Attributes:
        server: The server.
        written: Cohort → how many.
        read: Cohorts that went on from theirs.
        stored: Folders of members that were written.
    """

    server: Server
    written: Counter[str] = field(default_factory=Counter)
    read: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.server.requests()  # those of others

    def look(self) -> None:
        """See what came since the last look."""
        for request in self.server.requests():
            method, where, *failed = request.split()
            path = Path(where.partition("?")[0])
            if failed:
                continue
            if method == "PUT" and path.suffix == ".safetensors":
                self.stored.add(f"{path.parent.name}-0000")
            elif method == "PUT" and path.suffix == ".checkpoint":
                self.written[path.stem] += 1
            elif method == "GET" and path.suffix == ".checkpoint" and self.written[path.stem]:
                self.read.add(path.stem)

    def half_way(self, cohorts: int) -> bool:
        """Whether so many cohorts are in the middle at once; none has a checkpoint when it begins."""
        self.look()
        return sum(number > 0 for name, number in self.written.items() if name not in self.stored) >= cohorts


def left_checkpoints(out: files.Location) -> dict[str, str]:
    """What a directory has in its folder of checkpoints."""
    return files.listing(out / directory.CHECKPOINTS)
