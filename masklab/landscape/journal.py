"""Outcomes that are kept until the analysis is written, so that what is interrupted goes on."""

import io
import time
from collections.abc import Sequence

import numpy as np

from masklab.archive import files
from masklab.errors import ArchiveError
from masklab.landscape.tasks import Outcome, Task

FOLDER = "landscape"

_EVERY_S = 20.0
"""Seconds of work that may be lost."""


class Journal:
    """Outcomes of pieces in a folder, several pieces to a file.

    Args:
        folder: Where.
        key: Digest of everything that outcomes follow from; files of another one are not read.
    """

    def __init__(self, folder: files.Location, key: str) -> None:
        self._folder, self._key = folder, key
        self._waiting: dict[str, np.ndarray] = {}
        self._since = time.monotonic()
        self._kept: dict[int, dict[str, np.ndarray]] = {}
        names = files.listing(folder) if files.exists(folder) else {}
        for name in names:
            if name.startswith(f"{key}-") and name.endswith(".npz"):
                self._read(name)

    def _read(self, name: str) -> None:
        try:
            arrays = files.read_arrays(self._folder / name)
        except ArchiveError:  # evaluated again
            return
        for label, values in arrays.items():
            piece, _, rest = label.partition("/")
            if piece.isdecimal():
                self._kept.setdefault(int(piece), {})[rest] = values

    def outcomes(
        self, piece: int, tasks: Sequence[Task], labels: dict[str, np.ndarray]
    ) -> list[Outcome] | None:
        """Outcomes of a piece; None where they are not there, or not those of these tasks."""
        held, found = self._kept.get(piece, {}), []
        for at, task in enumerate(tasks):
            own: dict[str, dict[str, np.ndarray]] = {"classes": {}, "losses": {}}
            for split in task.splits:
                for kind, values in own.items():
                    array = held.get(f"{at}/{kind}/{split}")
                    if array is None or array.shape != (task.networks, len(labels[split])):
                        return None
                    values[split] = array
            found.append(Outcome(own["classes"], own["losses"], {s: labels[s] for s in task.splits}))
        return found

    def add(self, piece: int, outcomes: Sequence[Outcome]) -> None:
        """Keep the outcomes of a piece; they are written when enough work is at stake.

        Raises:
            ArchiveError: The file system refuses.
        """
        for at, outcome in enumerate(outcomes):
            for split in outcome.classes:
                self._waiting[f"{piece}/{at}/classes/{split}"] = outcome.classes[split]
                self._waiting[f"{piece}/{at}/losses/{split}"] = outcome.losses[split]
        if time.monotonic() - self._since > _EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write what waits.

        Raises:
            ArchiveError: The file system refuses.
        """
        if self._waiting:
            buffer = io.BytesIO()
            np.savez(buffer, **self._waiting)  # pyright: ignore[reportArgumentType]
            first = next(iter(self._waiting)).partition("/")[0]
            files.write_atomic(self._folder / f"{self._key}-{first}.npz", buffer.getvalue())
        self._waiting, self._since = {}, time.monotonic()


def clear(folder: files.Location) -> None:
    """Remove the outcomes of an analysis that is written."""
    for name in files.listing(folder):
        if name.endswith(".npz"):
            files.remove(folder / name)
    files.remove_empty(folder)
