"""What happened to the members of a cohort, and which of them are sound."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

LOSS, SCORES, EMPTY = 1, 2, 3
"""What went wrong: the loss, or the trained values, stopped being finite; a layer was left empty."""


@dataclass
class History:
    """What happened to each member of a cohort; lists are [members][epochs].

    Attributes:
        loss: Mean training loss of each epoch, in nats.
        validation: Validation accuracy after each epoch.
        best: Epochs done, validation and test accuracy at the first best validation epoch, or None.
        failures: Position of a failed member → cause and step.
        events: Epochs (or steps) done whenever a refresh fired.
    """

    loss: list[list[float]]
    validation: list[list[float]]
    best: list[dict[str, Any] | None]
    failures: dict[int, dict[str, Any]] = field(default_factory=dict)
    events: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, members: int) -> "History":
        """Nothing has happened yet."""
        return cls([[] for _ in range(members)], [[] for _ in range(members)], [None] * members)

    def document(self) -> dict[str, Any]:
        """JSON-able form."""
        found = asdict(self)
        return {**found, "failures": [[member, record] for member, record in self.failures.items()]}

    @classmethod
    def restored(cls, document: dict[str, Any]) -> "History":
        """From its JSON-able form."""
        return cls(**{**document, "failures": dict(document["failures"])})


class Health:
    """Which members of a cohort are sound; kept on the device, so that no step waits for a look at it."""

    def __init__(self, members: int, device: torch.device) -> None:
        self.step = 0
        self.alive = torch.ones(members, dtype=torch.bool, device=device)
        self.failed_at = torch.full((members,), -1, device=device)
        self.cause = torch.zeros(members, dtype=torch.int64, device=device)

    def look(self, sound: Tensor, cause: int) -> None:
        """Note who failed in this step, and why."""
        failing = self.alive & ~sound
        self.failed_at = torch.where(failing, self.step, self.failed_at)
        self.cause = torch.where(failing, cause, self.cause)
        self.alive = self.alive & sound

    def live(self) -> dict[str, Tensor]:
        """Its tensors, by name."""
        return {"alive": self.alive, "failed_at": self.failed_at, "cause": self.cause}

    def failures(self, layers: Sequence[str], emptied: Tensor) -> dict[int, dict[str, Any]]:
        """Position of each failed member → cause and step."""
        causes = {LOSS: "the loss is not finite", SCORES: "the scores are not finite"}
        found = {}
        for member, (step, cause) in enumerate(
            zip(self.failed_at.tolist(), self.cause.tolist(), strict=True)
        ):
            if step >= 0:
                empty = int(emptied[member])
                text = causes.get(cause) or f"global selection left layer {layers[empty]!r} without weights"
                found[member] = {"cause": text, "step": step}
        return found
