"""Being asked to stop: SIGTERM and SIGUSR1, which schedulers send before they end a job.

Work that can keep where it stands runs `patiently`: it looks at `asked` now and then, saves, and raises
`Stopped`. Whatever else runs is left at once by the same exception, as by Ctrl-C.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""Signals that ask to stop; the same command goes on later."""


_ECHO_S = 1.0
"""A signal that comes again so soon is the same one, which a system and a script both sent."""


class Stopped(BaseException):
    """Work ended because a signal asked for it.

    Attributes:
        signal: Number of the signal; 0 where another process had it.
    """

    def __init__(self, number: int = 0) -> None:
        super().__init__(number)
        self.signal = number


@dataclass
class _State:
    """What this process has heard.

    Attributes:
        number: Number of the signal that asked to stop.
        since: When it came, by the monotonic clock, in seconds.
        listening: Whether signals are taken.
        patient: How many blocks that stop by themselves are under way.
        tell: Passes on to other processes that somebody asked.
    """

    number: int | None = None
    since: float = 0.0
    listening: bool = False
    patient: int = 0
    tell: Callable[[], None] | None = None


_state = _State()


def asked() -> bool:
    """Whether this process has been asked to stop."""
    return _state.number is not None


def ask(number: int = 0) -> None:
    """Ask this process to stop, as a signal does.

    Args:
        number: Number of the signal.
    """
    if not asked():
        _state.since = time.monotonic()
    _state.number = number
    if _state.tell is not None:
        _state.tell()


def forget() -> None:
    """Forget that anybody asked."""
    _state.number = None


def raise_if_asked() -> None:
    """Leave work that was asked to stop.

    Raises:
        Stopped: It was.
    """
    if _state.number is not None:
        raise Stopped(_state.number)


def listen(*, patient: bool = False) -> None:
    """Take the signals from now on, where this thread may; a second one leaves at once whatever runs.

    Args:
        patient: Whether everything in this process runs `patiently`.
    """
    _state.patient += patient
    if threading.current_thread() is threading.main_thread():
        _state.listening = True
        for own in SIGNALS:
            signal.signal(own, _heard)


def listen_again() -> None:
    """Take the signals back from a library that took them, if this process listened before."""
    if _state.listening:
        listen()


@contextlib.contextmanager
def patiently(tell: Callable[[], None] | None = None) -> Iterator[None]:
    """Let what runs in this block stop by itself.

    Args:
        tell: Called when somebody asks, to pass it on to other processes.
    """
    before = _state.tell
    _state.patient += 1
    _state.tell = tell or before
    try:
        if tell is not None and asked():
            tell()
        yield
    finally:
        _state.patient -= 1
        _state.tell = before


def _heard(number: int, frame: FrameType | None) -> None:
    del frame
    echo = _state.number in (0, number) and time.monotonic() - _state.since < _ECHO_S
    again = asked() and not echo
    ask(number)
    if again or not (echo or _state.patient):
        raise Stopped(number)
