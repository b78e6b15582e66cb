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


class Steps:
    """A stage in steps, told to a listener; work that comes first and is long is a stage of its own.

    Args:
        listener: Who is told.
        stage: What the stage is called.
    """

    _LONG = 8

    def __init__(self, listener: Listener, stage: str) -> None:
        self._listener, self._stage, self._done, self._open = listener, stage, 0, False

    def first(self, done: int, of: int) -> None:
        """So many pieces of the work that comes first are done; a few of them are not worth a word."""
        if of <= self._LONG:
            return
        if not self._open:
            self._begin(f"{self._stage}: compare all pairs", of)
        self._listener.advance(done)
        if done == of:
            self.end()

    def begin(self, steps: int) -> None:
        """The stage begins."""
        self._begin(self._stage, steps)

    def step(self) -> None:
        """One step more is done."""
        self._done += 1
        self._listener.advance(self._done)

    def end(self) -> None:
        """Whatever has begun is over."""
        if self._open:
            self._listener.end()
        self._open = False

    def _begin(self, stage: str, steps: int) -> None:
        self._listener.begin(stage, steps)
        self._open = True


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
