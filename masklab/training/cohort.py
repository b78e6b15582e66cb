"""The loop: a cohort of members, from initial scores to member files."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from masklab import networks
from masklab.training import choice, counts, engines, state
from masklab.training import images as imaging

_FORWARD_AT_ONCE = 4096
"""Members × images in one evaluation."""

Progress = Callable[[int, int], None]
"""Called with (epochs done, epochs in all)."""


@dataclass
class History:
    """What happened to each member of a cohort; lists are [members][epochs].

    Attributes:
        loss: Mean training loss of each epoch, in nats.
        validation: Validation accuracy after each epoch.
        best: Epochs done, validation and test accuracy at the first best validation epoch, or None.
        failures: Position of a failed member → cause and step.
        events: Epochs done whenever a refresh fired.
    """

    loss: list[list[float]]
    validation: list[list[float]]
    best: list[dict[str, Any] | None]
    failures: dict[int, dict[str, Any]] = field(default_factory=dict)
    events: list[int] = field(default_factory=list)


_LOSS, _SCORES = 1, 2  # what stopped being finite


class _Health:
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


@dataclass
class Trainer:
    """A cohort, its images, and the engine that computes."""

    cohort: state.State
    images: imaging.Images
    network: nn.Module
    engine: choice.Engine

    def train(self, progress: Progress) -> History:
        """Train to the end; controls without training return at once.

        A member whose loss or scores stop being finite is frozen and recorded; the others go on.
        """
        members = len(self.cohort.levels)
        history = History([[] for _ in range(members)], [[] for _ in range(members)], [None] * members)
        if self.cohort.pruner.control:
            return history
        epochs = self.cohort.training.epochs
        due = set(self.cohort.pruner.events(epochs))
        health = _Health(members, self.images.mean.device)
        for epoch in range(epochs):
            self._record(history, self._epoch(epoch, health), health)
            if self.images.validation[1].numel():
                self._validate(history, epoch)
            if epoch in due:
                history.events.append(epoch + 1)
                self.cohort.refresh(event=len(history.events))
            progress(epoch + 1, epochs)
            if len(history.failures) == members:
                break
        return history

    def _epoch(self, epoch: int, health: "_Health") -> Tensor:
        """One pass over the training images: mean loss of each member, in nats."""
        recipe, cohort = self.cohort.training, self.cohort
        rate = counts.learning_rate(recipe.learning_rate, recipe.schedule, epoch, recipe.epochs)
        total = torch.zeros(len(cohort.levels), device=health.alive.device)
        batches = imaging.epoch_batches(
            self.images, cohort.seed, cohort.levels, epoch, recipe.batch_size, recipe.augment
        )
        for images, labels in batches:
            effective = {layer.layer.name: weight for layer, weight in cohort.effective()}
            losses, gradients = engines.gradients(self.engine, self.network, effective, images, labels)
            health.look(torch.isfinite(losses), _LOSS)
            sound = cohort.step(gradients, health.alive[:, None], rate)
            health.look(sound, _SCORES)
            health.step += 1
            total += losses * labels.shape[1]
        return total / len(self.images.train[1])

    def _record(self, history: History, losses: Tensor, health: "_Health") -> None:
        """Take one epoch's losses down, and failures with them."""
        steps, causes = health.failed_at.tolist(), health.cause.tolist()
        for member, loss in enumerate(losses.tolist()):
            if member in history.failures:
                continue
            if steps[member] >= 0:
                cause = "the loss is not finite" if causes[member] == _LOSS else "the scores are not finite"
                history.failures[member] = {"cause": cause, "step": steps[member]}
            else:
                history.loss[member].append(loss)
        for member in history.failures:  # frozen: finite again, so that selection stays defined
            for layer in self.cohort.layers:
                layer.scores[member] = layer.scores[member].nan_to_num(0.0, 0.0, 0.0)
                layer.velocity[member] = 0.0

    def _validate(self, history: History, epoch: int) -> None:
        """Validation accuracy of each member; test accuracy too where it is the best so far."""
        accuracies = self.accuracy(*self.images.validation)
        improved = []
        for member, accuracy in enumerate(accuracies):
            best = history.best[member]
            history.validation[member].append(accuracy)
            if best is None or accuracy > best["validation"]:
                history.best[member] = {"epoch": epoch + 1, "validation": accuracy}
                improved.append(member)
        if improved:
            tested = self.accuracy(*self.images.test)
            for member in improved:
                history.best[member] = {**(history.best[member] or {}), "test": tested[member]}

    def accuracy(self, images: Tensor, labels: Tensor) -> list[float]:
        """Accuracy of each member on images (uint8)."""
        batch = max(32, _FORWARD_AT_ONCE // len(self.cohort.levels))
        effective = {layer.layer.name: weight for layer, weight in self.cohort.effective()}
        correct = torch.zeros(len(self.cohort.levels), dtype=torch.int64, device=labels.device)
        with torch.inference_mode():
            for pixels, truth in zip(images.split(batch), labels.split(batch), strict=True):
                normal = imaging.normalise(pixels, self.images.mean, self.images.deviation)
                outputs = engines.logits(self.engine, self.network, effective, normal)
                correct += (outputs.argmax(2) == truth).sum(1)
        return [right / len(labels) for right in correct.tolist()]


def build_network(record: Mapping[str, Any]) -> nn.Module:
    """The study's network without memory for weights of its own."""
    return networks.skeleton(
        record["network"]["name"],
        tuple(record["data"]["input_shape"]),
        len(record["data"]["classes"]),
        record["network"]["width"],
        record["network"]["activation"],
    )


def file_progress(path: Path) -> Progress:
    """Progress that writes `done/all` into a small file, where whoever waits can read it.

    It is for show only: when the file cannot be written (another process tidied up, the disk is full),
    training goes on, and what must be stored reports its own failure.
    """

    def report(done: int, total: int) -> None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{done}/{total}")

    return report
