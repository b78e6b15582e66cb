"""Processes that the tests start, wait for and end: masklab, and the engines it trains on."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LIMIT_S = 120.0


class Program:
    """A program with all the processes that it starts; what it says goes into a file.

    Args:
        command: Its command line.
        log: The file.
        environment: Its environment; default that of this process.
    """

    def __init__(
        self, command: Sequence[object], log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.mark = f"MASKLAB_TEST_PROGRAM={os.getpid()}-{log}"
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**(environment or os.environ), **dict([self.mark.split("=", 1)])},
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in [self.process.pid, *self.numbers()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.process.wait(30)

    @property
    def said(self) -> str:
        """What it has said."""
        return self.log.read_text(errors="replace")

    def numbers(self, title: str = "") -> list[int]:
        """Its processes, those of its workers included, whose command line begins like this."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                marked = self.mark.encode() in (entry / "environ").read_bytes().split(b"\0")
                if marked and (entry / "cmdline").read_bytes().startswith(title.encode()):
                    found.append(int(entry.name))
        return sorted(found)

    def wait_for(self, condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        """Wait until a condition holds, while the program runs."""
        end = time.monotonic() + limit_s
        while not condition():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said}"
            assert time.monotonic() < end, f"the condition never held: {self.said}"
            time.sleep(0.02)

    def end(self, limit_s: float = LIMIT_S) -> int:
        """Its exit code, when it has ended."""
        return self.process.wait(limit_s)

    def leaves_nothing(self, limit_s: float = 15.0) -> bool:
        """Whether all its processes are gone soon after it ended."""
        end = time.monotonic() + limit_s
        while self.numbers() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.numbers()


def masklab(*arguments: object) -> list[object]:
    """Command line of masklab."""
    return [sys.executable, "-m", "masklab_cli.app", *arguments]


def dask(*arguments: object) -> list[object]:
    """Command line of Dask."""
    return [sys.executable, "-m", "dask", *arguments]


def dask_worker(folder: Path, *scheduler: object) -> list[object]:
    """Command line of a worker of Dask in one process, which nobody starts again."""
    settings = ["--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory", folder]
    settings += ["--preload", "masklab.training.task"]  # so that all begin at once
    return dask("worker", *scheduler, *settings)


def ray_node(*arguments: object, cores: int = 1) -> list[object]:
    """Command line of a node of Ray."""
    program = Path(sys.executable).with_name("ray")
    settings = ["--num-cpus", cores, "--object-store-memory", 100_000_000, "--disable-usage-stats", "--block"]
    return [program, "start", *arguments, *settings]


@contextlib.contextmanager
def together(*programs: Program) -> Iterator[None]:
    """End programs when a block is left."""
    with contextlib.ExitStack() as stack:
        for program in programs:
            stack.enter_context(program)
        yield
