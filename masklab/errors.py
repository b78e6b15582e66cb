"""Errors that a user can cause; the command line prints them as one line and exits with code 2."""

import difflib
from collections.abc import Iterable


class MasklabError(Exception):
    """Base of every error that is about the input, not about masklab."""


class ConfigError(MasklabError):
    """A study, an option or a command line that cannot be carried out."""


class DataError(MasklabError):
    """A data set that is missing, empty or not what it says it is."""


class ArchiveError(MasklabError):
    """A stored file that is missing, damaged, foreign or of another version."""


def unknown(kind: str, got: str, known: Iterable[str]) -> str:
    """Message for a name that is not in a closed list, with the nearest known one.

    Args:
        kind: What was being named, for instance `"pruner"`.
        got: The name that was given.
        known: Every allowed name.

    Examples:
        >>> unknown("pruner", "biprob", ["edge-popup", "biprop"])
        "unknown pruner 'biprob' (did you mean 'biprop'?); known: biprop, edge-popup"
    """
    names = sorted(known)
    near = difflib.get_close_matches(got, names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown {kind} {got!r}{hint}; known: {', '.join(names)}"
