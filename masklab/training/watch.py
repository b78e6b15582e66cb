"""How far cohorts are, for whoever waits: read from the small files that their workers write."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from masklab.archive import directory, files
from masklab.errors import ArchiveError
from masklab.progress import Listener

LOCAL_S, REMOTE_S = 0.5, 5.0
"""Seconds between two looks; a look at a remote place is a request for a listing, and one per news."""

_PATIENCE_S = 2.0
"""How long the end of a training waits for a look that is under way: a request may hang."""


class Watch:
    """What the files say of cohorts.

    Args:
        out: The study's directory.
        units: Cohort id → units of progress that it is worth.
    """

    def __init__(self, out: files.Location, units: dict[str, int]) -> None:
        self._folder = out / directory.CHECKPOINTS
        self._units = units
        self._seen: dict[str, str] = {}
        self._shares = dict.fromkeys(units, 0.0)
        self._finished: set[str] = set()

    def finish(self, cohort: str) -> None:
        """Count a cohort as done, whatever its file says."""
        self._finished.add(cohort)

    def done(self) -> int:
        """Units done; a file that cannot be listed or read, or is half written, is no news."""
        with contextlib.suppress(ArchiveError):
            self._look(files.listing(self._folder))
        shares = {**self._shares, **dict.fromkeys(self._finished.copy(), 1.0)}
        return int(sum(share * self._units[cohort] for cohort, share in shares.items()))

    def _look(self, listed: dict[str, str]) -> None:
        for cohort in self._units:
            name = f"{cohort}.progress"
            if name in listed and listed[name] != self._seen.get(name):
                with contextlib.suppress(ArchiveError, ValueError, ZeroDivisionError):
                    done, _, total = files.read(self._folder / name).decode().partition("/")
                    self._shares[cohort] = int(done) / int(total)
                    self._seen[name] = listed[name]


@contextlib.contextmanager
def watching(
    out: files.Location, units: dict[str, int], listener: Listener
) -> Iterator[Callable[[str], None]]:
    """Tell a listener how far cohorts are until they are all done, or one failed; its stage ends then.

    Args:
        out: The study's directory.
        units: Cohort id → units of progress that it is worth.
        listener: Its stage has begun.

    Yields:
        Function to call with the id of each cohort that is done.
    """
    watch, over = Watch(out, units), threading.Event()

    def look_now_and_then() -> None:
        while not over.wait(REMOTE_S if files.is_remote(out) else LOCAL_S):
            done = watch.done()
            if not over.is_set():
                listener.advance(done)

    watcher = threading.Thread(target=look_now_and_then, daemon=True)
    watcher.start()
    try:
        yield watch.finish
        over.set()
        watcher.join(_PATIENCE_S)
        listener.advance(sum(units.values()))
    finally:
        over.set()
        listener.end()
