"""What is known of a training before it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from masklab.archive import files


@dataclass(frozen=True)
class Population:
    """What would be trained of a population.

    Attributes:
        name: Its name.
        asked: Members that the study asks for.
        present: Those that are stored.
        failed: Those whose failure is on record, and would not be tried again.
        missing: Those that would be trained and written.
        cohorts: Cohorts in which that happens, each as a whole.
        steps: Steps of one member.
        all_steps: Steps of all members of these cohorts.
    """

    name: str
    asked: int
    present: int
    failed: int
    missing: int
    cohorts: int
    steps: int
    all_steps: int


@dataclass(frozen=True)
class Backend:
    """How long all cohorts would take on a backend.

    Attributes:
        name: A name in `masklab.parallel.BACKENDS`.
        chosen: Whether it is the one that was asked for.
        workers: How many workers there would be; None: not known.
        seconds: Time of the steps alone; None where the workers are not known.
    """

    name: str
    chosen: bool
    workers: int | None
    seconds: float | None


@dataclass(frozen=True)
class Memory:
    """What cohorts take, in bytes.

    Attributes:
        worker: Tensors of the largest cohort.
        workers: Cohorts side by side on this machine; None on a cluster.
        free: What masklab plans with.
    """

    worker: int
    workers: int | None
    free: int


@dataclass(frozen=True)
class Disk:
    """What would be written, in bytes.

    Attributes:
        members: Files of all members that would be trained.
        checkpoints: The largest checkpoints, as many as there are workers, while they train.
        free: What is free there; None where nobody says.
        writable: Whether this process may write there, as far as the system tells.
    """

    members: int
    checkpoints: int
    free: int | None
    writable: bool


@dataclass(frozen=True)
class Training:
    """What a training would do.

    Attributes:
        out: The study's directory.
        new: Whether it would be made.
        shard: Which part was asked for, as `i/n`.
        populations: Those of the study.
        settled: Engine, precision, device … as the plan fixes them.
        step_seconds: Time of a step of one member; None where nothing is trained.
        measured_now: Whether that was measured now; else the plan says it.
        backends: Those that are installed.
        memory: What it takes; None where nothing would be done.
        disk: What it takes.
    """

    out: files.Location
    new: bool
    shard: str
    populations: Sequence[Population]
    settled: Mapping[str, Any]
    step_seconds: float | None
    measured_now: bool
    backends: Sequence[Backend]
    memory: Memory | None
    disk: Disk

    @property
    def missing(self) -> int:
        """Members that would be trained and written."""
        return sum(own.missing for own in self.populations)
