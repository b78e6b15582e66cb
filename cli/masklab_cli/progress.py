"""Progress for people: a bar with the time left on a terminal, plain lines in a file."""

import sys
import time

from masklab import progress
from masklab.progress import Listener

_EVERY_S = 10.0


def listener() -> Listener:
    """A bar when standard error is a terminal, lines otherwise."""
    return Bar() if sys.stderr.isatty() else Lines()


class Lines:
    """One line at most every ten seconds, and at the beginning and end of a stage."""

    def __init__(self) -> None:
        self._stage, self._total, self._started, self._said = "", 1, 0.0, 0.0

    def note(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def begin(self, stage: str, total: int) -> None:
        """Announce a stage."""
        self._stage, self._total = stage, max(1, total)
        self._started = self._said = time.monotonic()
        self.note(f"{stage} …")

    def advance(self, done: int) -> None:
        """Say how far it is, now and then."""
        now = time.monotonic()
        if now - self._said < _EVERY_S or not self._total // 50 < done < self._total:
            return
        self._said = now
        left = (now - self._started) * (self._total - done) / done
        self.note(f"{self._stage}: {100 * done // self._total} %, about {progress.duration(left)} left")

    def end(self) -> None:
        """Say how long the stage took."""
        self.note(f"{self._stage}: {progress.duration(time.monotonic() - self._started)}")


class Bar:
    """A Rich progress bar."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = None

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False)

    def begin(self, stage: str, total: int) -> None:
        """Show a bar."""
        self._progress.start()
        self._task = self._progress.add_task(stage, total=max(1, total))

    def advance(self, done: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done)

    def end(self) -> None:
        """Leave the bar as it is and give the cursor back."""
        self._progress.stop()
        self._task = None
