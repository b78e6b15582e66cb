"""Outcomes that are kept until the analysis is written, so that what is interrupted goes on."""

import contextlib
import io
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from masklab.analysis import tiles
from masklab.archive import files, first, study_file
from masklab.errors import ArchiveError
from masklab.landscape.tasks import Outcome, Task

FOLDER = "landscape"

_BUDGET = ".budget.json"

_EVERY_S = 20.0
"""Seconds of work that may be lost."""


class Journal:
    """Outcomes in a folder, by the key of their task; several to a file.

    Args:
        folder: Where.
        key: Digest of everything that outcomes follow from; files of another one are not read.
        together: Keys of tasks that are kept in one file, and of which nothing else is read; None: all that
            is kept is read, and outcomes are written now and then.
    """

    def __init__(self, folder: files.Location, key: str, together: Iterable[str] | None = None) -> None:
        self._folder, self._key = folder, key
        self._waiting: dict[str, Outcome] = {}
        self._since, self._every_s = time.monotonic(), _EVERY_S
        self._kept: dict[str, dict[str, np.ndarray]] = {}
        if together is not None:
            self._every_s = math.inf
            self._read(self._name(together))
            return
        for name in files.listing(folder) if files.exists(folder) else ():
            if name.startswith(f"{key}-") and name.endswith(".npz"):
                self._read(name)

    def _name(self, keys: Iterable[str]) -> str:
        """Of a file: processes that keep the same outcomes write the same file."""
        return f"{self._key}-{study_file.digest(list(keys))[:16]}.npz"

    def _read(self, name: str) -> None:
        try:
            arrays = files.read_arrays(self._folder / name)
            keys = json.loads(bytes(arrays.pop("keys")))
        except (ArchiveError, KeyError, ValueError):  # evaluated again
            return
        for label, values in arrays.items():
            at, _, kind = label.partition("/")
            self._kept.setdefault(keys[int(at)], {})[kind] = values

    def outcome(self, task: Task, labels: Mapping[str, np.ndarray]) -> Outcome | None:
        """Outcome of a task; None where it is not there."""
        held = self._kept.get(task.key, {})
        found: dict[str, dict[str, np.ndarray]] = {"classes": {}, "losses": {}}
        for split in task.splits:
            for kind, values in found.items():
                array = held.get(f"{kind}/{split}")
                if array is None or array.shape != (task.networks, len(labels[split])):
                    return None
                values[split] = array
        own = {split: labels[split] for split in task.splits}
        return Outcome(found["classes"], found["losses"], own)

    def add(self, outcomes: Mapping[str, Outcome]) -> None:
        """Keep outcomes by the keys of their tasks; they are written when enough work is at stake.

        Raises:
            ArchiveError: The file system refuses.
        """
        self._waiting |= outcomes
        if time.monotonic() - self._since > self._every_s:
            self.flush()

    def flush(self) -> None:
        """Write what waits, into a file of its own.

        Raises:
            ArchiveError: The file system refuses.
        """
        if self._waiting:
            arrays = {"keys": np.frombuffer(json.dumps(list(self._waiting)).encode(), dtype=np.uint8)}
            for at, outcome in enumerate(self._waiting.values()):
                for split in outcome.classes:
                    arrays[f"{at}/classes/{split}"] = outcome.classes[split]
                    arrays[f"{at}/losses/{split}"] = outcome.losses[split]
            buffer = io.BytesIO()
            np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
            files.write_atomic(self._folder / self._name(self._waiting), buffer.getvalue())
        self._waiting, self._since = {}, time.monotonic()


def noted(request: Any) -> str:
    """Name of the file in which the conversion of a budget is kept.

    Args:
        request: What was asked for, and of which members.
    """
    return f"{study_file.digest(request)[:16]}{_BUDGET}"


def count(place: files.Location, made: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """A budget that was converted into evaluations before, or is now: what is interrupted keeps it.

    Parts of an analysis need the same one wherever they run, and the first one's counts for all.

    Args:
        place: File of the conversion (see `noted`), in the folder of the outcomes.
        made: Converts it: evaluations, and where their number comes from.

    Raises:
        ArchiveError: The file system refuses.
    """
    if (known := counted(place)) is not None:
        return known
    evaluations, source = made()
    document = {"evaluations": evaluations, "source": source}
    if not first.write_json(place, document):
        if (known := counted(place)) is not None:  # another process was faster
            return known
        files.write_json(place, document)
    return evaluations, source


def counted(place: files.Location) -> tuple[int, str] | None:
    """A budget that was converted before; None where it was not, or its file is damaged.

    Args:
        place: See `count`.
    """
    if files.exists(place):
        with contextlib.suppress(ArchiveError, KeyError, TypeError, ValueError):
            known = files.read_json(place)
            return int(known["evaluations"]), str(known["source"])
    return None


def clear(folder: files.Location, key: str, note: str = "") -> None:
    """Remove the outcomes of an analysis that is written, and what others left behind.

    Args:
        folder: Where they are.
        key: Of the analysis; outcomes of others stay while they may be at work.
        note: Name of the file of its budget.
    """
    for name in files.listing(folder):
        if name.startswith(f"{key}-") or name == note or tiles.left_behind(folder / name):
            files.remove(folder / name)
    files.remove_empty(folder)
