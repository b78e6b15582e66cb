"""Looking without touching, as a dry run does: caches are not written, and any other writing is a bug."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_only: ContextVar[bool] = ContextVar("only looking", default=False)


@contextmanager
def only() -> Iterator[None]:
    """While the block lasts, nothing is written, removed or locked."""
    token = _only.set(True)
    try:
        yield
    finally:
        _only.reset(token)


def active() -> bool:
    """Whether whatever may be lost anyway should not be written."""
    return _only.get()


def forbid(what: object) -> None:
    """Raise a RuntimeError where something would be changed that must only be looked at."""
    if active():
        raise RuntimeError(f"{what} would be changed, though it is only looked at")
