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


def plural(number: int, what: str) -> str:
    """So many of something.

    Examples:
        >>> plural(1, "problem"), plural(12, "problem")
        ('1 problem', '12 problems')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def members(verb: str, number: int) -> str:
    """What is done with so many members.

    Examples:
        >>> members("train", 1), members("train", 12)
        ('train 1 member', 'train 12 members')
    """
    return f"{verb} {plural(number, 'member')}"


def duration(seconds: float) -> str:
    """A duration as people say it.

    Examples:
        >>> duration(9.2), duration(150.0), duration(7300.0)
        ('9.2 s', '2 min 30 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"
