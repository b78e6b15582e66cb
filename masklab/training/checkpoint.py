"""Checkpoints of a cohort in training: one file that is overwritten, so that disk space stays bounded."""

import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from masklab import stopping
from masklab.archive import container, files
from masklab.errors import ArchiveError
from masklab.training.history import History

if TYPE_CHECKING:
    from masklab.training.cohort import Trainer

log = logging.getLogger(__name__)

_COST = 20
"""A checkpoint is taken at most once in this many times what the last one took to write."""


@dataclass
class Position:
    """Where a training stands.

    Attributes:
        history: What happened to each member.
        epoch: Epochs done.
        step: Steps done in the present epoch.
        total: Sum of the losses over the present epoch's images, per member.
    """

    history: History
    epoch: int = 0
    step: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(0))


@dataclass
class File:
    """The checkpoint of one cohort.

    Attributes:
        path: The file.
        key: What the cohort's bits depend on; a checkpoint of another key is not used.
        every_s: Least time between two checkpoints, in seconds.
    """

    path: files.Location
    key: dict[str, Any]
    every_s: float
    _last: float = field(default_factory=time.monotonic)
    _took: float = 0.0

    def save_when_due(self, trainer: "Trainer") -> None:
        """Save, if the last time is long enough ago, or if this process was asked to stop.

        Raises:
            Stopped: It was; the checkpoint is written.
        """
        if stopping.asked():
            self.save(trainer)
            stopping.raise_if_asked()
        if time.monotonic() - self._last >= max(self.every_s, _COST * self._took):
            self.save(trainer)

    def save(self, trainer: "Trainer") -> None:
        """Save everything that the next step depends on, atomically.

        A checkpoint that cannot be written (a full disk) is a warning: the training goes on without it.
        """
        started = time.monotonic()
        at, tensors = trainer.position, {name: _bytes(t) for name, t in _live(trainer).items()}
        for epoch, masks in trainer.taken.items():
            tensors |= {f"snapshot{epoch}/{layer}": mask.reshape(-1) for layer, mask in enumerate(masks)}
        document = {
            "format": 1,
            "checkpoint": self.key,
            "epoch": at.epoch,
            "step": at.step,
            "steps": trainer.health.step,
            "history": at.history.document(),
            "snapshots": list(trainer.taken),
            "tensors": container.describe(tensors),
        }
        try:
            files.write_atomic(self.path, container.encode(document, tensors))
        except ArchiveError as error:
            log.warning("no checkpoint: %s", error)
        self._last = time.monotonic()
        self._took = self._last - started

    def load(self, trainer: "Trainer") -> None:
        """Go on from the checkpoint, if this cohort has one; a damaged or foreign one is not used."""
        if not files.exists(self.path):
            return
        try:
            reader = container.Reader(self.path)
            if reader.document.get("checkpoint") != self.key:
                raise ArchiveError(f"{self.path} is the checkpoint of another recipe or plan")
            stored = {name: reader.tensor(name) for name in reader.names()}
            self._restore(trainer, reader.document, stored)
        except ArchiveError as error:
            log.warning("%s; the cohort starts again", error)

    def _restore(self, trainer: "Trainer", document: dict[str, Any], stored: dict[str, np.ndarray]) -> None:
        live, members, layers = _live(trainer), len(trainer.cohort.levels), trainer.cohort.layers
        wrong = [
            n for n, t in live.items() if n not in stored or stored[n].size != t.numel() * t.element_size()
        ]
        if wrong:
            raise ArchiveError(f"{self.path} has no {wrong[0]} that fits")
        at = trainer.position
        try:
            history = History.restored(document["history"])
            epoch, step, steps = (int(document[name]) for name in ("epoch", "step", "steps"))
            taken = {
                done: [stored[f"snapshot{done}/{o}"].reshape(members, -1) for o in range(len(layers))]
                for done in document["snapshots"]
            }
        except (KeyError, TypeError, ValueError) as error:
            raise ArchiveError(f"{self.path} is incomplete ({type(error).__name__}: {error})") from error
        for name, tensor in live.items():
            tensor.copy_(torch.from_numpy(stored[name].copy()).view(tensor.dtype).view(tensor.shape))
        for layer in layers:
            layer.weights_changed()
        at.history, at.epoch, at.step, trainer.health.step = history, epoch, step, steps
        trainer.taken.update(taken)

    def remove(self) -> None:
        """Delete the file, if there is one."""
        with contextlib.suppress(ArchiveError):
            files.remove(self.path)


def _live(trainer: "Trainer") -> dict[str, Tensor]:
    return {
        "total": trainer.position.total,
        **{f"health/{name}": tensor for name, tensor in trainer.health.live().items()},
        **trainer.cohort.live(),
    }


def _bytes(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
