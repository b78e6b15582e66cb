"""How long work tells whoever waits how far it is."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Listener(Protocol):
    """What the command line offers to the stages."""

    def note(self, text: str) -> None:
        """One line worth knowing."""
        ...

    def begin(self, stage: str, total: int) -> None:
        """A stage of `total` units begins."""
        ...

    def advance(self, done: int) -> None:
        """So many units of the stage are done."""
        ...

    def end(self) -> None:
        """The stage is over."""
        ...


class Silent:
    """A listener that hears nothing."""

    def note(self, text: str) -> None:
        """Ignored."""

    def begin(self, stage: str, total: int) -> None:
        """Ignored."""

    def advance(self, done: int) -> None:
        """Ignored."""

    def end(self) -> None:
        """Ignored."""
