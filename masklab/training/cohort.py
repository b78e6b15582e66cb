"""The loop: a cohort of members, from initial scores to member files."""

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from masklab import networks
from masklab.training import choice, counts, engines, state
from masklab.training import images as imaging

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
        device = self.images.mean.device
        alive = torch.ones(members, 1, dtype=torch.bool, device=device)
        steps_done = 0
        for epoch in range(epochs):
            losses, alive, failed_at, steps = self._epoch(epoch, alive, steps_done)
            steps_done += steps
            self._record(history, losses, alive, failed_at, steps_done)
            if self.images.validation[1].numel():
                self._validate(history, epoch)
            if epoch in due:
                history.events.append(epoch + 1)
                self.cohort.refresh(event=len(history.events))
            progress(epoch + 1, epochs)
            if len(history.failures) == members:
                break
        return history

    def _epoch(self, epoch: int, alive: Tensor, first_step: int) -> tuple[Tensor, Tensor, Tensor, int]:
        """One pass: summed losses [members], who is alive, step of failure [members] (−1 = none), steps."""
        recipe, cohort = self.cohort.training, self.cohort
        rate = counts.learning_rate(recipe.learning_rate, recipe.schedule, epoch, recipe.epochs)
        total = torch.zeros(len(alive), device=alive.device)
        failed_at = torch.full((len(alive),), -1, device=alive.device)
        batches = imaging.epoch_batches(
            self.images, cohort.seed, cohort.levels, epoch, recipe.batch_size, recipe.augment
        )
        steps = 0
        for images, labels in batches:
            effective = {layer.layer.name: weight for layer, weight in cohort.effective()}
            losses, gradients = engines.gradients(self.engine, self.network, effective, images, labels)
            finite = torch.isfinite(losses)
            failed_at = torch.where(alive[:, 0] & ~finite, first_step + steps, failed_at)
            alive = alive & finite[:, None]
            total += losses
            cohort.step(gradients, alive, rate)
            steps += 1
        return total / steps, alive, failed_at, steps

    def _record(
        self, history: History, losses: Tensor, alive: Tensor, failed_at: Tensor, steps_done: int
    ) -> None:
        """Take one epoch's losses down, and failures with them."""
        sound = torch.stack([torch.isfinite(layer.scores).all(1) for layer in self.cohort.layers]).all(0)
        stopped = [step >= 0 for step in failed_at.tolist()]
        for member, (loss, fine) in enumerate(zip(losses.tolist(), sound.tolist(), strict=True)):
            if member in history.failures:
                continue
            if stopped[member]:
                step = int(failed_at[member])
                history.failures[member] = {"cause": "the loss is not finite", "step": step}
            elif not fine or not math.isfinite(loss):
                history.failures[member] = {"cause": "the scores are not finite", "step": steps_done - 1}
                alive[member] = False
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

    def accuracy(self, images: Tensor, labels: Tensor, batch: int = 512) -> list[float]:
        """Accuracy of each member on images (uint8)."""
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
    with torch.device("meta"):
        return networks.build(
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
