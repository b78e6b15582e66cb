"""One task where it runs: its outcome instead of exceptions, and how it hears that it should stop."""

import os
import pickle
import platform
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from masklab import stopping
from masklab.errors import MasklabError

_LOOK_S = 0.5

_ALONE_S = 1.0
"""How long the process that hands tasks out has to say that it was asked to stop, too."""


@cache
def versions() -> dict[str, str]:
    """Versions of the packages on which stored bytes depend."""
    return {name: metadata.version(name) for name in ("masklab", "torch", "numpy")}


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        number: Its place among the calls.
        value: What the function gave.
        error: Why it gave nothing.
        stopped: Whether it was left because somebody asked to stop.
        trace: Where an error arose that nobody expected, as Python prints it.
    """

    number: int
    value: Any = None
    error: MasklabError | None = None
    stopped: bool = False
    trace: str = ""


@dataclass(frozen=True)
class Origin:
    """The process that hands tasks out.

    Attributes:
        stop: File that appears when tasks should stop; None: workers are elsewhere and never hear of it.
        parent: Its number, where workers should end with it.
        versions: Versions of what results depend on, bit for bit.
    """

    stop: Path | None = None
    parent: int | None = None
    versions: dict[str, str] = field(default_factory=versions, hash=False)


_ALONE = threading.Lock()
"""A worker with several threads runs one task at a time: torch's threads and generator are the process's."""


def attempt(
    origin: Origin, number: int, function: Callable[..., Any], call: Sequence[Any], *common: Any
) -> Outcome:
    """Run one task.

    Args:
        origin: Who asks.
        number: Its place among the calls.
        function: What runs.
        call: Its last arguments.
        common: Its first ones, the same for all tasks.
    """
    listen(origin.stop, origin.parent)
    foreign = _foreign(origin.versions)
    if foreign:
        return Outcome(number, error=MasklabError(foreign))
    with _ALONE:
        outcome = guarded(number, function, (*common, *call))
    if outcome.stopped and origin.parent is not None:
        _leave_if_alone(origin)
    return outcome


def _leave_if_alone(origin: Origin) -> None:
    """End a worker that got a signal by itself: the others go on, and what it had goes to another one."""
    time.sleep(_ALONE_S)
    if origin.stop is not None and not origin.stop.exists() and os.getppid() == origin.parent:
        os._exit(1)


def _foreign(wanted: dict[str, str]) -> str:
    """What tells this worker from the process that asks it; empty where nothing does."""
    here = versions()
    for name, version in wanted.items():
        if here[name] != version:
            return (
                f"the worker on {platform.node()} has {name} {here[name]}, here it is {version}; masks would "
                "differ, so install the same versions everywhere"
            )
    return ""


def guarded(number: int, function: Callable[..., Any], arguments: Sequence[Any]) -> Outcome:
    """The outcome of a function, whatever it does."""
    if stopping.asked():
        return Outcome(number, stopped=True)
    try:
        return Outcome(number, function(*arguments))
    except stopping.Stopped:
        return Outcome(number, stopped=True)
    except Exception as error:  # one task's failure is not that of the others
        trace = "" if isinstance(error, MasklabError) else traceback.format_exc()
        return Outcome(number, error=portable(error), trace=trace)


def portable(error: BaseException) -> MasklabError:
    """An error that travels, in one line; of one that nobody expected, with the place where it arose."""
    if isinstance(error, MasklabError):
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  what was dumped in the same line
        except Exception:
            return MasklabError(str(error))
        return error
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}masklab{os.sep}" in frame.filename] or frames
    place = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    text = " ".join(str(error).split())
    return MasklabError(f"{type(error).__name__}{': ' if text else ''}{text}{place}")


@cache
def listen(stop: Path | None, parent: int | None) -> None:
    """Stop when a file appears or a signal comes; end when the parent has."""
    if parent is not None:
        stopping.listen(patient=True)
    if stop is None and parent is None:
        return

    def watch() -> None:
        while parent is None or os.getppid() == parent:
            if stop is not None and stop.exists():
                stopping.ask()
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
