"""What is found once for a study and asked for again, by its plans and by its rows."""

import functools
import weakref
from collections.abc import Callable
from typing import TypeVar

from masklab.landscape.context import Context

Value = TypeVar("Value")


def per_context(function: Callable[..., Value]) -> Callable[..., Value]:
    """The function, evaluated once for each context and further arguments, which are hashable.

    Values are forgotten with their context, and must not refer to it.

    Args:
        function: Takes a context first.
    """
    known: weakref.WeakKeyDictionary[Context, dict[object, Value]] = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def found(context: Context, *rest: object) -> Value:
        own = known.setdefault(context, {})
        if rest not in own:
            own[rest] = function(context, *rest)
        return own[rest]

    return found
