"""Many networks on the same images: the landscape's only forward pass."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from masklab.archive import Archive
from masklab.errors import MasklabError
from masklab.landscape.ends import State, joined
from masklab.landscape.images import Images
from masklab.landscape.tasks import Outcome, Task
from masklab.training import choice, cohort, engines, evaluation

_FORWARD_AT_ONCE = {"cpu": 6000, "cuda": 2**17}
"""Networks × images in one call: on a CPU larger ones fall out of cache."""

_WEIGHTS_AT_ONCE = 2**23
"""Of all networks of one call on a CPU."""

_BYTES_PER_WEIGHT = 64
"""Of a GPU's memory, for each weight of all networks of one call: states, while they are built."""

_BYTES_PER_BUILD = 48
"""Of memory, for each weight of a network: random orders and masks while states are built."""

_NETWORKS_AT_ONCE = {"cpu": 66, "cuda": 256}
_LEAST_IMAGES, _MOST_IMAGES = 16, 512

_ACTIVATION_BYTES = 2**23
"""Of the first layer, on the images of one call, when networks are evaluated one after the other on a CPU:
larger ones fall out of cache."""

_ALIVE = 8
"""Tensors as large as the activation of the first layer that a forward pass may hold at a time."""

_SHARE = 0.4
"""Part of a GPU's memory for activations, and for states."""


class Evaluator:
    """Evaluates tasks; one at a time per evaluator (see `twin`).

    Attributes:
        images: What networks are evaluated on.
        at_once: Networks in one call.
        reestimates: Whether running statistics are re-estimated.
    """

    def __init__(self, archive: Archive, images: Images, *, device: str, reestimate: bool) -> None:
        study = archive.study
        self.device = device
        self.engine: choice.Engine = choice.evaluating(study, device)
        self.network = cohort.build_network(study, device)
        self.buffers = [buffer["name"] for buffer in study["network"]["buffers"]]
        self.reestimates = reestimate and bool(self.buffers)
        self.weights = sum(layer["size"] for layer in study["network"]["layers"])
        self.activation = _activation(study)
        most, forward = _WEIGHTS_AT_ONCE, _FORWARD_AT_ONCE[device]
        if device == "cuda":
            space = int(_SHARE * torch.cuda.get_device_properties(device).total_memory)
            most, forward = space // _BYTES_PER_WEIGHT, min(forward, space // (_ALIVE * self.activation))
        self.at_once = max(1, min(_NETWORKS_AT_ONCE[device], most // self.weights))
        self.forward_at_once = max(1, forward)
        if self.engine == "loop":
            images = images.channels_last()
        self.images = images
        self.labels = {split: torch.from_numpy(own).to(device) for split, own in images.labels.items()}

    def twin(self) -> "Evaluator":
        """Another one for another thread: a network holds what it computes with."""
        other = copy.copy(self)
        other.network = copy.deepcopy(self.network)
        return other

    def cost(self, task: Task) -> int:
        """Evaluations (networks × images) that a task takes."""
        images = sum(self.images.number(split) for split in task.splits)
        if self.reestimates and not task.stored:
            images += sum(len(batch) for batch in self.images.statistics)
        return task.networks * images

    @property
    def bytes(self) -> int:
        """Memory that one call takes: states, what they are built from, and activations."""
        images = _ACTIVATION_BYTES if self.engine == "loop" else self.forward_at_once * self.activation
        return self.weights * (4 * 4 * self.at_once + _BYTES_PER_BUILD) + _ALIVE * images

    def run(self, piece: Sequence[Task]) -> list[Outcome]:
        """Outcomes of the tasks of a piece, which share splits and treatment of statistics.

        Where the memory of a GPU does not hold a call, smaller ones are made from then on.

        Raises:
            MasklabError: Its memory does not even hold one network and one image.
        """
        while True:
            try:
                return self._run(piece)
            except torch.OutOfMemoryError as error:
                if self.at_once == self.forward_at_once == 1:
                    raise MasklabError(
                        f"the memory of device {self.device!r} does not hold one network; use --device cpu"
                    ) from error
            self.at_once, self.forward_at_once = max(1, self.at_once // 2), max(1, self.forward_at_once // 2)
            if self.device == "cuda":
                torch.cuda.empty_cache()

    def _run(self, piece: Sequence[Task]) -> list[Outcome]:
        parts = [
            (task, list(range(start, min(start + self.at_once, task.networks))))
            for task in piece
            for start in range(0, task.networks, self.at_once)
        ]
        answers: list[dict[str, tuple[np.ndarray, np.ndarray]]] = []
        for some in self._calls(parts):
            states = [task.build(positions) for task, positions in some]
            answers += self._evaluate(joined(states), [len(own) for _, own in some], some[0][0])
        found, at = [], 0
        for task in piece:
            number = -(-task.networks // self.at_once)
            found.append(self._outcome(answers[at : at + number], task))
            at += number
        return found

    def _calls(self, parts: list[tuple[Task, list[int]]]) -> Iterator[list[tuple[Task, list[int]]]]:
        """Parts of tasks that are evaluated in one call."""
        some: list[tuple[Task, list[int]]] = []
        for part in parts:
            if some and sum(len(own) for _, own in some) + len(part[1]) > self.at_once:
                yield some
                some = []
            some.append(part)
        if some:
            yield some

    def _evaluate(
        self, state: State, sizes: list[int], task: Task
    ) -> list[dict[str, tuple[np.ndarray, np.ndarray]]]:
        """Split → classes and losses, for each of the parts that a state is made of."""
        found: list[dict[str, tuple[np.ndarray, np.ndarray]]] = [{} for _ in sizes]
        with torch.inference_mode():
            if self.reestimates and not task.stored:
                state = self.with_statistics(state)
            for split in task.splits:
                logits = self.logits(state, self.images.pixels[split])
                truth = self.labels[split].expand(sum(sizes), -1)
                losses = nn.functional.cross_entropy(logits.flatten(0, 1), truth.flatten(), reduction="none")
                classes = logits.argmax(2).to(torch.int32)
                both = (classes.cpu().numpy(), losses.view(truth.shape).cpu().numpy())
                small = (both[0].astype(np.uint8 if logits.shape[2] <= 256 else np.uint16), both[1])
                for at, size in enumerate(sizes):
                    start = sum(sizes[:at])
                    found[at][split] = (small[0][start : start + size], small[1][start : start + size])
        return found

    def logits(
        self, state: State, pixels: Float[Tensor, "images c h w"]
    ) -> Float[Tensor, "networks images classes"]:
        """Outputs of networks on images, in evaluation mode."""
        number = len(next(iter(state.values())))
        size = max(1, self.forward_at_once // number)
        if self.engine == "loop":
            size = max(_LEAST_IMAGES, min(_MOST_IMAGES, _ACTIVATION_BYTES // self.activation))
            state = {name: _channels_last(values) for name, values in state.items()}
        tensors = self._tensors(state)
        outputs = [engines.logits(self.engine, self.network, tensors, part) for part in pixels.split(size)]
        return torch.cat(outputs, dim=1)

    def with_statistics(self, state: State) -> State:
        """The same networks with running statistics that are plain means over the statistics batches.

        Only normalisation layers behave as in training: nothing is dropped, so that nothing is random.
        """
        number = len(next(iter(state.values())))
        fresh = {
            name: torch.zeros_like(state[name]).expand(number, *state[name].shape[1:]).clone()
            for name in self.buffers
        }
        several = max(1, self.forward_at_once // max(map(len, self.images.statistics)))
        for first in range(0, number, several):
            rows = slice(first, first + several)
            self._estimate({name: values[rows] for name, values in {**state, **fresh}.items()})
        return {**state, **fresh}

    def _estimate(self, state: State) -> None:
        """Let the running statistics of some networks, all zero, become those of the batches."""
        tensors = self._tensors(state)
        self.network.eval()
        norms = evaluation.normalising(self.network)
        try:
            for norm in norms:
                norm.train()
            with evaluation.averaging(self.network) as count:
                for step, batch in enumerate(self.images.statistics):
                    count(step)
                    engines.logits(self.engine, self.network, tensors, batch, training=None)
        finally:
            for norm in norms:
                norm.eval()

    def _tensors(self, state: State) -> engines.Tensors:
        buffers = {name: state[name] for name in self.buffers}
        return engines.Tensors({n: values for n, values in state.items() if n not in buffers}, {}, buffers)

    def _outcome(self, parts: list[dict[str, tuple[np.ndarray, np.ndarray]]], task: Task) -> Outcome:
        def whole(split: str, of: int) -> np.ndarray:
            return np.concatenate([part[split][of] for part in parts])

        return Outcome(
            {split: whole(split, 0) for split in task.splits},
            {split: whole(split, 1) for split in task.splits},
            {split: self.images.labels[split] for split in task.splits},
        )


def _activation(study: Mapping[str, Any]) -> int:
    """Bytes of the activation of the first layer on one image."""
    _, height, width = study["data"]["input_shape"]
    shapes = [layer["shape"] for layer in study["network"]["layers"]]
    convolution = next((shape for shape in shapes if len(shape) == 4), None)
    return 4 * (convolution[0] * height * width if convolution else max(shape[0] for shape in shapes))


def _channels_last(values: Tensor) -> Tensor:
    """Weights of convolutions [networks, out, in, h, w], each network's with its channels last in memory."""
    if values.ndim != 5:
        return values
    return values.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
