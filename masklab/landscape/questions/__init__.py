"""Questions about the landscape; one file per question, the folder is the registry.

A file offers what `Question` lists; its docstring says what is asked.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Protocol, cast, runtime_checkable

from masklab.landscape.context import Context, Found
from masklab.landscape.tasks import Outcome, Task


@runtime_checkable
class Question(Protocol):
    """What a file in this folder offers."""

    SHARE: float
    """Its part of the budget, relative to the others'."""

    KEYS: tuple[str, ...]
    """Keys of `results.json` that it fills."""

    def plan(self, context: Context, evaluations: int | None) -> list[Task]:
        """Tasks that cost at most so many evaluations, or the least that gives an answer; None: all.

        More evaluations give the same tasks and further ones, and tasks that answer nothing are left out.
        """
        ...

    def found(self, context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
        """Rows from the outcomes, by key, of these tasks and of the members that they name."""
        ...


@cache
def all_questions() -> Mapping[str, Question]:
    """Name → question, for every file in this folder."""
    return {
        entry.name: cast(Question, importlib.import_module(f"{__name__}.{entry.name}"))
        for entry in pkgutil.iter_modules(__path__)
    }


def keys() -> list[str]:
    """Keys of `results.json` that the landscape fills."""
    return [key for question in all_questions().values() for key in question.KEYS]
