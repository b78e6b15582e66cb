"""What several tests of training need."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from masklab_cli import app

from masklab.training import engines

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `masklab …` in this process: (exit code, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["masklab", *map(str, arguments)])
        code: Any = 0
        try:
            app.main()
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return int(code or 0), out, err

    return run


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
