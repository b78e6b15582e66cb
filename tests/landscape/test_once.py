"""What is found once for a context."""

import dataclasses
import gc
import weakref
from pathlib import Path

from masklab.landscape import once
from masklab.landscape.context import Context
from tests.landscape import contexts


def test_each_context_is_asked_once_and_forgotten(images: Path, tmp_path: Path) -> None:
    out = contexts.trained(images, tmp_path / "study", [{"pruner": "random", "members": 1}])
    context, _ = contexts.of(out)
    asked: list[str] = []

    @once.per_context
    def number(context: Context, name: str) -> int:
        """Its number."""
        asked.append(name)
        return len(asked)

    assert [number(context, name) for name in "abab"] == [1, 2, 1, 2]
    other = dataclasses.replace(context)
    assert number(other, "a") == 3
    seen = weakref.ref(other)
    del other
    gc.collect()
    assert seen() is None
    assert number(context, "a") == 1 and asked == ["a", "b", "a"]
    assert number.__doc__ == "Its number."
