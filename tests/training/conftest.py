"""What several tests of training need."""

from collections.abc import Callable
from typing import Any

import pytest

from masklab.training import engines


class Gradients:
    """`engines.gradients`, counted, and disturbed at one call.

    Attributes:
        calls: How often it was called.
        fail_at: Call (from 1) at which `error` is raised; 0 = never.
        honest: What computes.
        spoil: Position of the member whose loss is not a number in every call, or None.
    """

    def __init__(self) -> None:
        self.calls, self.fail_at, self.error = 0, 0, RuntimeError("interrupted on purpose")
        self.spoil: int | None = None
        self.honest: Callable[..., Any] = engines.gradients

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.calls == self.fail_at:
            raise self.error
        losses, found = self.honest(*arguments)
        if self.spoil is not None:
            losses[self.spoil] = float("nan")
        return losses, found


@pytest.fixture
def gradients(monkeypatch: pytest.MonkeyPatch) -> Gradients:
    """Stands in for `engines.gradients`."""
    found = Gradients()
    monkeypatch.setattr(engines, "gradients", found)
    return found
