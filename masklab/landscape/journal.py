"""Outcomes that are kept until the analysis is written, so that what is interrupted goes on."""

import contextlib
import io
import json
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from masklab.archive import files, study_file
from masklab.errors import ArchiveError
from masklab.landscape.tasks import Outcome, Task

FOLDER = "landscape"

_BUDGET = ".budget.json"

_EVERY_S = 20.0
"""Seconds of work that may be lost."""

_LEFT_BEHIND_S = 86_400.0
"""Age from which outcomes of another analysis are nobody's."""


class Journal:
    """Outcomes in a folder, by the key of their task; several to a file.

    Args:
        folder: Where.
        key: Digest of everything that outcomes follow from; files of another one are not read.
    """

    def __init__(self, folder: files.Location, key: str) -> None:
        self._folder, self._key = folder, key
        self._waiting: dict[str, Outcome] = {}
        self._since = time.monotonic()
        self._kept: dict[str, dict[str, np.ndarray]] = {}
        for name in files.listing(folder) if files.exists(folder) else ():
            if name.startswith(f"{key}-") and name.endswith(".npz"):
                self._read(name)

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
        if time.monotonic() - self._since > _EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write what waits, into a file of its own: another process may write here as well.

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
            name = f"{self._key}-{secrets.token_hex(6)}.npz"
            files.write_atomic(self._folder / name, buffer.getvalue())
        self._waiting, self._since = {}, time.monotonic()


def count(folder: files.Location, request: Any, made: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """A budget that was converted into evaluations before, or is now: what is interrupted keeps it.

    Args:
        folder: Where outcomes are kept.
        request: What was asked for, of which members and with how many threads.
        made: Converts it: evaluations, and where their number comes from.

    Raises:
        ArchiveError: The file system refuses.
    """
    place = folder / f"{study_file.digest(request)[:16]}{_BUDGET}"
    if files.exists(place):
        with contextlib.suppress(ArchiveError, KeyError, TypeError, ValueError):  # else it is counted anew
            known = files.read_json(place)
            return int(known["evaluations"]), str(known["source"])
    evaluations, source = made()
    files.write_json(place, {"evaluations": evaluations, "source": source})
    return evaluations, source


def clear(folder: files.Location, key: str) -> None:
    """Remove the outcomes of an analysis that is written, and what others left behind.

    Args:
        folder: Where they are.
        key: Of the analysis; outcomes of others stay while they may be at work.
    """
    for name in files.listing(folder):
        if name.startswith(f"{key}-") or name.endswith(_BUDGET) or _is_old(folder / name):
            files.remove(folder / name)
    files.remove_empty(folder)


def _is_old(place: files.Location) -> bool:
    """Whether a file was left behind; of remote ones nobody knows."""
    return isinstance(place, Path) and time.time() - place.stat().st_mtime > _LEFT_BEHIND_S
