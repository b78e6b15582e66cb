"""The loop: a cohort of members, from initial scores to final masks."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from masklab import bits, networks
from masklab.archive import Member, files
from masklab.training import checkpoint, choice, counts, engines, evaluation, randomness, state
from masklab.training import history as histories
from masklab.training import images as imaging

_LOOK_EVERY = 32
"""Steps between two looks at whether the trained values are finite (the loss is looked at in every step)."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

Progress = Callable[[int, int], None]
"""Called with (epochs done, epochs in all)."""


@dataclass
class Trainer:
    """A cohort, its images, and the engine that computes.

    Attributes:
        cohort: The members' tensors.
        images: The data set on its device.
        network: The plain network.
        engine: Which engine computes.
        precision: `"fp32"` or `"bf16"`, of the forward and backward pass; scores stay float32.
        snapshots: Epochs done at which masks are kept.
        taken: Epochs done → packed masks [members, bytes] of every layer.
        checkpoint: Where to save and find an interrupted training, or None.
        sources: The members that a control is made from, one per member; else none.
    """

    cohort: state.State
    images: imaging.Images
    network: nn.Module
    engine: choice.Engine
    precision: choice.Precision = "fp32"
    snapshots: tuple[int, ...] = ()
    taken: dict[int, list[np.ndarray]] = field(default_factory=dict)
    checkpoint: "checkpoint.File | None" = None
    sources: Sequence[Member] = ()
    position: "checkpoint.Position" = field(init=False)
    health: histories.Health = field(init=False)

    def __post_init__(self) -> None:
        self.position = checkpoint.Position(histories.History.of(len(self.cohort.levels)))
        self.health = histories.Health(len(self.cohort.levels), self.images.mean.device)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the forward and backward pass."""
        return DTYPES[self.precision]

    def train(self, progress: Progress) -> histories.History:
        """Train to the end; controls without training return at once.

        A member whose loss or scores stop being finite is frozen and recorded; the others go on.
        """
        members = len(self.cohort.levels)
        if not self.cohort.pruner.trained:
            if self.cohort.surroundings.buffers:
                evaluation.estimate_statistics(self)
            return self.position.history
        self.position.total = torch.zeros(members, device=self.images.mean.device)
        if self.checkpoint is not None:
            self.checkpoint.load(self)
        few = imaging.normalise(self.images.train[0][:2], self.images.mean, self.images.deviation)
        first = self.cohort.training_tensors(self.dtype, slice(0, 1))
        random = randomness.draws(self.network, first, few.to(self.dtype))
        with torch.random.fork_rng(enabled=random):
            self._run(progress, random)
        return self.position.history

    def _run(self, progress: Progress, random: bool) -> None:
        at, epochs = self.position, self.cohort.training.epochs
        due = set(self.cohort.pruner.event_epochs(epochs))
        if at.epoch == 0 and at.step == 0:
            self.cohort.begin_epoch(0)
            self._snapshot(0)
        while at.epoch < epochs and len(at.history.failures) < len(self.cohort.levels):
            self.cohort.begin_epoch(at.epoch)
            self._epoch(random)
            self._record(at.total / len(self.images.train[1]))
            if self.images.validation[1].numel():
                self._validate(at.epoch)
            self._snapshot(at.epoch + 1)
            if at.epoch in due:
                at.history.events.append(at.epoch + 1)
                self.cohort.refresh(event=len(at.history.events))
            at.epoch, at.step, at.total = at.epoch + 1, 0, torch.zeros_like(at.total)
            progress(at.epoch, epochs)
            if self.checkpoint is not None and at.epoch < epochs:
                self.checkpoint.save_when_due(self)
        if self.cohort.pruner.trains_scores:  # the last step may have emptied a layer
            self.cohort.masks()
            self.health.look(self.cohort.emptied == state.NOT_EMPTY, histories.EMPTY)
            self._note_failures()
        elif self.cohort.surroundings.buffers and self.cohort.density < 1:
            evaluation.estimate_statistics(self)

    def _epoch(self, random: bool) -> None:
        """What is left of one pass over the training images."""
        recipe, cohort, at, health = self.cohort.training, self.cohort, self.position, self.health
        steps = counts.steps_per_epoch(len(self.images.train[1]), recipe.batch_size)
        batches = imaging.epoch_batches(
            self.images,
            cohort.seed,
            cohort.levels,
            at.epoch,
            recipe.batch_size,
            recipe.augment,
            dtype=self.dtype,
            start=at.step,
        )
        draws = (
            [randomness.start(cohort.seed, level, at.epoch) for level in cohort.levels] if random else None
        )
        for images, labels in batches:
            if cohort.pruner.fires_before(health.step):
                at.history.events.append(health.step)
                cohort.refresh(event=len(at.history.events))
            rate = self._rate(at.epoch, at.step, steps)
            losses = self.step(images, labels, rate, draws)
            health.look(cohort.emptied == state.NOT_EMPTY, histories.EMPTY)
            health.look(torch.isfinite(losses), histories.LOSS)
            at.step += 1
            if health.step % _LOOK_EVERY == 0 or at.step == steps:
                health.look(cohort.finite(), histories.SCORES)
            health.step += 1
            at.total += losses * labels.shape[1]
            if self.checkpoint is not None and at.step < steps:
                self.checkpoint.save_when_due(self)

    def step(self, images: Tensor, labels: Tensor, rate: float, draws: list[int] | None = None) -> Tensor:
        """One step of every member on its batch: losses, in nats."""
        together = self.engine == "vmap" and draws is None
        return torch.cat([self._step(r, images[r], labels[r], rate, draws) for r in self.groups(together)])

    def groups(self, together: bool) -> list[slice]:
        """Members that compute together: all, or one after the other, with one member's tensors at a time.

        Members that draw random numbers are alone, so that each draws its own, whoever shares the cohort.
        """
        members = len(self.cohort.levels)
        return [slice(0, members)] if together else [slice(m, m + 1) for m in range(members)]

    def _step(
        self, rows: slice, images: Tensor, labels: Tensor, rate: float, draws: list[int] | None
    ) -> Tensor:
        """One step of some members: losses, in nats."""
        cohort, health = self.cohort, self.health
        if draws is not None:
            randomness.seed(draws[rows.start] + self.position.step, images.device)
        tensors = cohort.training_tensors(self.dtype, rows)
        smoothing = cohort.training.label_smoothing
        losses, gradients = engines.gradients(self.engine, self.network, tensors, images, labels, smoothing)
        sound = torch.isfinite(losses) & (cohort.emptied[rows] == state.NOT_EMPTY)
        cohort.step(gradients, health.alive[rows] & sound, rate, health.step, rows)
        return losses

    def _rate(self, epoch: int, step: int, steps: int) -> float:
        recipe = self.cohort.training
        top = getattr(self.cohort.pruner.options, "learning_rate", recipe.learning_rate)
        done, unit = (epoch + step / steps, 1 / steps) if recipe.schedule == "cosine-step" else (epoch, 1)
        return counts.learning_rate(top, recipe.schedule, done, recipe.epochs, recipe.warmup_epochs, unit)

    def _record(self, losses: Tensor) -> None:
        """Take one epoch's losses down, and failures with them."""
        self._note_failures()
        history = self.position.history
        for member, loss in enumerate(losses.tolist()):
            if member not in history.failures:
                history.loss[member].append(loss)

    def _note_failures(self) -> None:
        names = [layer.layer.name for layer in self.cohort.layers]
        for member, failure in self.health.failures(names, self.cohort.emptied).items():
            self.position.history.failures.setdefault(member, failure)
            self.cohort.silence(member)

    def _validate(self, epoch: int) -> None:
        """Validation accuracy of each member; test accuracy too where it is the best so far."""
        with evaluation.statistics_of_final_masks(self):
            self._compare(epoch)

    def _compare(self, epoch: int) -> None:
        history, improved = self.position.history, []
        for member, accuracy in enumerate(evaluation.accuracy(self, *self.images.validation)):
            best = history.best[member]
            history.validation[member].append(accuracy)
            if best is None or accuracy > best["validation"]:
                history.best[member] = {"epoch": epoch + 1, "validation": accuracy}
                improved.append(member)
        if improved:
            tested = evaluation.accuracy(self, *self.images.test)
            for member in improved:
                history.best[member] = {**(history.best[member] or {}), "test": tested[member]}

    def _snapshot(self, epoch: int) -> None:
        if epoch in self.snapshots:
            self.taken[epoch] = [bits.pack(mask.cpu().numpy()) for mask in self.cohort.masks()]


def build_network(record: Mapping[str, Any], device: str = "cpu") -> nn.Module:
    """The study's network; its parameters are given to it from outside."""
    shape, classes = tuple(record["data"]["input_shape"]), len(record["data"]["classes"])
    module = networks.skeleton(networks.Settings.of(record["network"]), shape, classes)
    if device != "cpu" and not any(values.is_meta for values in module.parameters()):
        module = module.to(device)
    return module


_PROGRESS_S, _REMOTE_PROGRESS_S = 0.1, 5.0


def file_progress(path: files.Location) -> Progress:
    """Progress that writes `done/all` into a small file, where whoever waits can read it.

    It is for show only: when the file cannot be written (another process tidied up, the disk is full),
    training goes on, and what must be stored reports its own failure. A remote file costs a request, so it
    is written more rarely.
    """
    every = _REMOTE_PROGRESS_S if files.is_remote(path) else _PROGRESS_S
    last = time.monotonic() if files.is_remote(path) else 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < every and (done < total or files.is_remote(path)):
            return
        last = now
        files.write_hint(path, f"{done}/{total}".encode())

    return report
